//! Creates that were refused and could not be written down as such.
//!
//! An API server that is down for a while must not make a refused create look like one
//! whose answer was lost: what is found then is somebody else's. A process that ends in
//! between forgets; for that to matter, somebody else has to have made the same between
//! our look and our create.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;

/// By the uid of an object, when the create began that was refused.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<BTreeMap<String, Timestamp>>);

impl Refusals {
    /// The create that began then was refused.
    pub(super) fn note(&self, uid: &str, begun: Timestamp) {
        self.all().insert(uid.to_owned(), begun);
    }

    /// It is written down, or another one has begun.
    pub(super) fn forget(&self, uid: &str) {
        self.all().remove(uid);
    }

    /// Whether the create that began then was refused.
    pub(super) fn has(&self, uid: &str, begun: Timestamp) -> bool {
        self.all().get(uid) == Some(&begun)
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Timestamp>> {
        // A panic while the lock is held leaves a valid map behind.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
