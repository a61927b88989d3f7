//! What is done about handing off: one match, read from top to bottom, as that of the
//! connection. ARCHITECTURE.md has it as a table.

use infisical::endpoint::Endpoint;
use jiff::Timestamp;

use super::super::action::HandOffAction;
use crate::{
    model::{failure::BackOff, hand_off::HandOff},
    observe::Waiting,
};

/// What the decision is made from.
#[derive(Clone, Copy)]
pub(super) struct Situation<'a> {
    pub(super) work: Work,
    pub(super) connection: Connection<'a>,
    pub(super) name: Name<'a>,
    pub(super) login: Login,
}

/// Work at it.
#[derive(Clone, Copy)]
pub(super) enum Work {
    None,
    /// A task of this process is at it.
    UnderWay,
}

/// The connection, with whose token it is done.
#[derive(Clone, Copy)]
pub(super) enum Connection<'a> {
    /// There is none that is kept.
    Awaited,
    /// To this server.
    Kept(&'a Endpoint),
}

/// The name of the Secret with client ID and secret.
#[derive(Clone, Copy)]
pub(super) enum Name<'a> {
    /// Somebody else's Secret has it.
    Taken(&'a Waiting),
    Free,
}

/// Client ID and secret.
#[derive(Clone, Copy)]
pub(super) enum Login {
    /// The server has to be asked.
    Due,
    /// They were accepted a short time ago, and are not all in the cluster.
    Unseen,
    /// They were accepted, and are in the cluster.
    Kept { check_at: Timestamp },
}

/// What can be done next at the server.
#[derive(Clone)]
pub(super) enum Next {
    /// The same has failed a short time ago.
    TooSoon(BackOff),
    Work(Box<HandOff>),
}

/// Decides what is done. `next` is looked for only where it counts.
pub(super) fn decide<'a>(
    situation: Situation<'a>,
    next: impl FnOnce(&'a Endpoint) -> Option<Next>,
) -> HandOffAction {
    match situation {
        Situation { work: Work::UnderWay, .. } => HandOffAction::Await,
        Situation { connection: Connection::Awaited, .. } => HandOffAction::Wait,
        Situation { name: Name::Taken(waiting), .. } => HandOffAction::MakeRoom(waiting.clone()),
        Situation { login: Login::Kept { check_at }, .. } => HandOffAction::Keep { check_at },
        Situation { login: Login::Unseen, .. } => HandOffAction::HandOut,
        Situation { login: Login::Due, connection: Connection::Kept(endpoint), .. } => match next(endpoint) {
            None => HandOffAction::Wait,
            Some(Next::TooSoon(back_off)) => HandOffAction::BackOff(back_off),
            Some(Next::Work(work)) => HandOffAction::Start(work),
        },
    }
}

#[cfg(test)]
mod tests;
