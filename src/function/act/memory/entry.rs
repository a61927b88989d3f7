//! One XR's memory, by the server that it is about.
//!
//! What a server said is no other's: where an XR is pointed at another server, what is
//! remembered starts empty. Only the generated password is the XR's own. What is kept
//! of the server before is there for a read that is stale, and goes soon after.
//!
//! Rule 16 is kept here.

use std::sync::Arc;

use infisical::{
    endpoint::{Endpoint, Origin},
    secret::Fingerprint,
};
use jiff::Timestamp;
use tokio::sync::watch;

use super::changes::Changes;
use crate::model::{
    condition::ConditionType,
    due::{Due, is_recent},
    reason::Reason,
    remembered::Remembered,
    replicas::HELD_AFTER_SEEN,
    xr::Neighbour,
};

/// How many servers are remembered beside the present one, but for those at which work
/// is under way.
const OTHERS: usize = 2;

/// Which server: where it is, and how it is known to be the one that is meant. Behind
/// one address there may be several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Server {
    origin: Origin,
    tls: Option<Fingerprint>,
}

/// All that is remembered of one XR.
#[derive(Default)]
pub(super) struct Entry {
    /// Of the server that it is pointed at.
    pub(super) present: AtServer,
    /// Of those that it was pointed at a short time ago.
    others: Vec<AtServer>,
    pub(super) last_called: Option<Timestamp>,
    /// When its conditions have changed.
    pub(super) changes: Changes,
    /// What was answered last: the reason of each condition, by its type.
    pub(super) said: Box<[(ConditionType, Reason)]>,
    /// How it is called in the messages of its neighbours.
    pub(super) xr: Option<Box<Neighbour>>,
    /// When it is called again at the latest, if there still is such an XR.
    pub(super) called_by: Option<Due>,
}

/// What is remembered of an XR at one server.
#[derive(Default)]
pub(super) struct AtServer {
    /// Which. `None` while the XR's was never known.
    server: Option<Server>,
    /// Shared with the calls that plan with it, and copied when it changes meanwhile.
    pub(super) remembered: Arc<Remembered>,
    /// Work for it: whether its turn at the instance has come. Ends with the work.
    pub(super) under_way: Option<watch::Receiver<bool>>,
    pub(super) handing_off: Option<watch::Receiver<bool>>,
    /// When the XR was pointed elsewhere.
    left_at: Option<Timestamp>,
}

impl From<&Endpoint> for Server {
    fn from(endpoint: &Endpoint) -> Self {
        Self { origin: endpoint.origin().clone(), tls: endpoint.tls().fingerprint() }
    }
}

impl Entry {
    /// What is remembered of the server that the XR is pointed at. `None`, while that is
    /// not known, is the one before.
    pub(super) fn pointed_at(&mut self, server: Option<&Endpoint>, now: Timestamp) -> &mut AtServer {
        if let Some(server) = server.map(Server::from)
            && self.present.server.as_ref() != Some(&server)
        {
            self.point_at(server, now);
        }
        self.drop_what_is_left(now);
        &mut self.present
    }

    /// The same of a server at which work is begun or has ended. `None` of one that the
    /// XR has left long ago: what comes of that is nobody's any more.
    pub(super) fn at(&mut self, server: &Endpoint) -> Option<&mut AtServer> {
        let server = Server::from(server);
        if *self.present.server.get_or_insert_with(|| server.clone()) == server {
            return Some(&mut self.present);
        }
        self.others.iter_mut().find(|other| other.server.as_ref() == Some(&server))
    }

    /// What has waited for the server to answer is due, if the XR is pointed at it.
    pub(super) fn answers_again(&mut self, server: &Server, now: Timestamp) {
        if self.present.server.as_ref() == Some(server) {
            self.present.remembered().answers_again(now);
        }
    }

    fn point_at(&mut self, server: Server, now: Timestamp) {
        if self.present.server.is_none() {
            self.present.server = Some(server);
            return;
        }
        let known = self.others.iter().position(|other| other.server.as_ref() == Some(&server));
        let mut next = match known {
            Some(at) => self.others.swap_remove(at),
            None => AtServer { server: Some(server), ..AtServer::default() },
        };
        next.left_at = None;
        let own = &self.present.remembered;
        let (admin, logged_in) = (own.admin.clone(), own.logged_in.clone());
        let remembered = next.remembered();
        (remembered.admin, remembered.logged_in) = (admin, logged_in);
        let mut left = std::mem::replace(&mut self.present, next);
        left.left_at = Some(now);
        self.others.push(left);
    }

    fn drop_what_is_left(&mut self, now: Timestamp) {
        if self.others.is_empty() {
            return;
        }
        let is_recent =
            |other: &AtServer| other.left_at.is_some_and(|left_at| is_recent(left_at, HELD_AFTER_SEEN, now));
        self.others.retain(|other| other.is_busy() || is_recent(other));
        let mut surplus = self.others.len().saturating_sub(OTHERS);
        self.others.retain(|other| {
            let goes = surplus > 0 && !other.is_busy();
            surplus = surplus.saturating_sub(usize::from(goes));
            !goes
        });
    }

    /// Whether there still is such an XR, as far as is known.
    pub(super) fn is_called(&self, now: Timestamp) -> bool {
        self.called_by.is_some_and(|by| !by.is_over(now))
    }

    /// How many servers are remembered.
    #[cfg(test)]
    pub(super) fn servers(&self) -> usize {
        1 + self.others.len()
    }

    /// Whether work of any kind is under way, at any server.
    pub(super) fn is_busy(&self) -> bool {
        self.present.is_busy() || self.others.iter().any(AtServer::is_busy)
    }
}

impl AtServer {
    pub(super) fn remembered(&mut self) -> &mut Remembered {
        Arc::make_mut(&mut self.remembered)
    }

    /// Whether a task holds the sending end. A task that panics drops it.
    pub(super) fn is_working(&self) -> bool {
        is_alive(self.under_way.as_ref())
    }

    fn is_busy(&self) -> bool {
        self.is_working() || is_alive(self.handing_off.as_ref())
    }
}

pub(super) fn is_queued(under_way: Option<&watch::Receiver<bool>>) -> bool {
    is_alive(under_way) && under_way.is_some_and(|under_way| !*under_way.borrow())
}

pub(super) fn is_alive(under_way: Option<&watch::Receiver<bool>>) -> bool {
    under_way.is_some_and(|under_way| under_way.has_changed().is_ok())
}
