//! Spans of time that all replicas keep to, so that none of them ends what another hands out.

use std::time::Duration;

/// For how long a token or client secret is held after it was seen in observed: longer
/// than any stale read.
pub(crate) const HELD_AFTER_SEEN: Duration = Duration::from_mins(10);

/// A token, client secret or identity of ours that an earlier try has left is ended
/// when it is older than this: a replica that has just made one hands it out. So this
/// long after one was made another is sure to find them all.
pub(crate) const SWEPT_AFTER: Duration = Duration::from_mins(10);

/// When it looks for them: what other replicas made at the same time is old enough by
/// then.
pub(crate) const SWEEPS_AFTER: Duration = Duration::from_mins(11);

/// One that is younger, or was in observed so short a time ago, is ended by no other
/// replica. The other half of [`SWEPT_AFTER`] is for what is under way.
pub(crate) const SAFE: Duration = Duration::from_mins(5);

/// How soon the server is asked again about what is handed out and was not seen, or on
/// which replicas disagree.
pub(crate) const ASKED_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// So far apart two replicas get a token at the same time.
pub(crate) const AT_ONCE: Duration = Duration::from_mins(2);
