//! Why a reconcile ends.

use super::{
    cluster::ClusterError,
    report::{Report, Requeue},
};

/// Why a reconcile ends.
#[derive(Debug)]
pub(super) enum Halt {
    /// There is something to say.
    Report(Box<Report>),
    /// There is nothing to say.
    Quiet(Requeue),
    /// The cluster does not do what it should.
    Cluster(ClusterError),
}

impl From<Report> for Halt {
    fn from(report: Report) -> Self {
        Self::Report(Box::new(report))
    }
}
