//! The situation that a call finds, as a value of a few small enums.

use jiff::Timestamp;

use super::Wait;
use crate::{
    model::{failure::BackOff, work::Establish},
    observe::Waiting,
};

/// What the decision is made from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Situation<'a> {
    /// What Crossplane has to look up first.
    pub(super) requirements: Requirements,
    /// The Secrets without which nothing can be done.
    pub(super) secrets: Secrets<'a>,
    pub(super) instance: Instance<'a>,
    /// Where the instance is.
    pub(super) endpoint: Address<'a>,
    /// Work for this XR.
    pub(super) work: Work,
    pub(super) connection: Connection,
}

/// What Crossplane has to look up first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Requirements {
    /// It was not asked for it yet.
    Missing,
    /// It is in the request, or nothing is.
    Met,
}

/// The Secrets without which nothing can be done: that of the connection always, and that of
/// the admin while there is nothing but its password to connect with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Secrets<'a> {
    /// Their namespace is not known.
    NotLocated(&'a Waiting),
    /// Somebody else's has the name of one.
    Taken(&'a Waiting),
    /// Nothing is in their way.
    Free,
}

/// The composed instance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Instance<'a> {
    /// Why it is not ready.
    NotReady(&'a str),
    Ready,
}

/// Where the instance is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Address<'a> {
    /// What it is waited for.
    Unknown(&'a Waiting),
    Known,
}

/// Work for this XR.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Work {
    None,
    /// A task of this process is at it.
    UnderWay,
}

/// The connection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Connection {
    /// There is none to look after.
    None,
    /// The server has to be asked: about a token that this process does not know, or since it is
    /// time to.
    Due,
    /// A token was accepted a short time ago, and is not all in the cluster.
    Unseen,
    /// It was accepted, and is in the cluster.
    Kept {
        /// When the server is asked next.
        check_at: Timestamp,
    },
}

/// What can be done next at the server.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Next {
    /// Neither token nor password is there.
    Lacking(Wait),
    /// The same has failed a short time ago.
    TooSoon(BackOff),
    Work(Box<Establish>),
}
