//! The conditions that the function sets on an XR and its claim.

pub use crate::input::ConditionStatus as Status;

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
        Self::ALL.into_iter().find(|known| known.as_str() == text)
    }
}
