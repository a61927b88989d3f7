//! The conditions that the function sets on an XR and its claim.

/// Its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConditionType {
    /// Whether there is a connection to the instance.
    Bootstrapped,
    /// Whether its token works.
    TokenValid,
    /// Whether client ID and client secret are there.
    HandedOff,
    /// Whether the XRD declares what is written to the XR's status.
    StatusWritten,
}

/// Its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// `True`.
    True,
    /// `False`.
    False,
    /// `Unknown`.
    Unknown,
}

impl ConditionType {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Bootstrapped, Self::TokenValid, Self::HandedOff, Self::StatusWritten];

    /// As the XR has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bootstrapped => "InfisicalBootstrapped",
            Self::TokenValid => "InfisicalTokenValid",
            Self::HandedOff => "InfisicalHandedOff",
            Self::StatusWritten => "InfisicalStatusWritten",
        }
    }

    /// Reads one. `None`: it is not this function's.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        // Other conditions are Crossplane's and other functions'.
        let ours = text.starts_with("Infisical");
        Self::ALL.into_iter().filter(|_| ours).find(|known| known.as_str() == text)
    }
}

impl Status {
    /// As the XR has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }

    /// Reads one: what is neither `True` nor `False` is not known.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text {
            "True" => Self::True,
            "False" => Self::False,
            _ => Self::Unknown,
        }
    }
}
