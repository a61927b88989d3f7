//! What one call does, as values.

use infisical::secret::{Credentials, Email};
use jiff::Timestamp;

use crate::{
    model::{failure::BackOff, hand_off::HandOff, work::Establish},
    observe::Waiting,
};

/// What one call does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    /// What becomes of the admin Secret.
    pub admin: AdminSecret,
    /// What becomes of the connection Secret.
    pub connection: ConnectionSecret,
    /// What is done or waited for.
    pub action: Action,
    /// What is done about handing off, if that is asked for.
    pub hand_off: Option<HandOffPlan>,
}

/// What becomes of the Secret with the admin's email and password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AdminSecret {
    /// None is composed: the platform team supplies the password, or it is gone.
    None,
    /// It is emitted as it was observed.
    Observed(Credentials),
    /// It is emitted out of memory: not observed yet, or deleted by hand.
    Remembered(Credentials),
    /// A password has to be drawn first, to be remembered and planned again.
    Generate(Email),
}

/// What becomes of the connection Secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectionSecret {
    /// There is none yet.
    None,
    /// It is emitted as it was observed.
    Observed,
    /// It is emitted out of memory: its token is newer than what was observed.
    Remembered,
}

/// What is done or waited for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    /// Something in the cluster has to come first.
    Wait(Wait),
    /// Work is under way.
    Await,
    /// Work is started, detached from the call.
    Start(Box<Establish>),
    /// A problem was found, and it is too early to try again.
    BackOff(BackOff),
    /// A token was accepted and is handed out until it is seen in observed.
    HandOut,
    Keep {
        /// When the token is verified or renewed next.
        check_at: Timestamp,
    },
}

/// What has to come first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// What is required was not looked for yet.
    Requirements,
    /// Something is not there yet.
    For(Waiting),
    /// The admin Secret has to be seen in observed before it is used.
    PersistingAdmin,
}

impl Action {
    /// Its name, for logs.
    #[must_use]
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Wait(_) => "Wait",
            Self::Await => "Await",
            Self::Start(_) => "Start",
            Self::BackOff(_) => "BackOff",
            Self::HandOut => "HandOut",
            Self::Keep { .. } => "Keep",
        }
    }
}

/// What one call does about handing off.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HandOffPlan {
    /// What becomes of the Secret with client ID and secret.
    pub secret: IdentitySecret,
    /// What is done or waited for.
    pub action: HandOffAction,
}

/// What becomes of the Secret with client ID and secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IdentitySecret {
    /// There is none yet.
    None,
    /// It is emitted as it was observed.
    Observed,
    /// It is emitted out of memory: it is newer than what was observed.
    Remembered,
}

/// What is done or waited for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum HandOffAction {
    /// The connection has to stand first.
    Wait,
    /// Another Secret has to make room first.
    MakeRoom(Waiting),
    /// Work is under way.
    Await,
    /// Work is started, detached from the call.
    Start(Box<HandOff>),
    /// A problem was found, and it is too early to try again.
    BackOff(BackOff),
    /// A client secret was accepted and is handed out until it is seen in observed.
    HandOut,
    Keep {
        /// When the client secret is tried next.
        check_at: Timestamp,
    },
}
