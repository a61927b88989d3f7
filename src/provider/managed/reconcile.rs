//! The loop: observes, plans, acts and reports, for one object of any kind.
//!
//! It may be cut off anywhere, because starting again from the top is always right: what
//! was done is found again, and what is written down is what is meant. So nothing here
//! retries; what comes next is the next reconcile's.

use std::time::Duration;

use super::{
    annotations::Annotations,
    cluster::{ClusterError, Event, ObjectKey},
    conditions::Statement,
    external::ManagedKind,
    halt::Halt,
    plan::{self, Action},
    policies::Policies,
    record,
    refusals::Refusals,
    report::{Report, Requeue},
    run::{Means, Run},
};

/// How often a resource is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Poll {
    /// Where the object says nothing.
    pub usual: Duration,
    /// However often the object asks for it.
    pub shortest: Duration,
}

/// Actions in one reconcile at most: create, adopt, change, look, settle, with room.
const ROUNDS: usize = 8;

/// Reconciles the objects of one kind.
pub struct Reconciler<K: ManagedKind> {
    means: Means<K>,
    refusals: Refusals,
    poll: Poll,
}

impl<K: ManagedKind> std::fmt::Debug for Reconciler<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reconciler").field("kind", &K::KIND).finish_non_exhaustive()
    }
}

impl<K: ManagedKind> Reconciler<K> {
    /// One that has done nothing yet.
    #[must_use]
    pub fn new(means: Means<K>, poll: Poll) -> Self {
        Self { means, refusals: Refusals::default(), poll }
    }

    /// Does what is due for an object, and says when to come back.
    ///
    /// # Errors
    /// The API server does not do what it should; it is tried again later.
    pub async fn reconcile(&self, at: &ObjectKey) -> Result<Requeue, ClusterError> {
        let Some(object) = self.means.cluster.get(at).await? else { return Ok(Requeue::Never) };
        let mut run = Run::new(&self.means, &self.refusals, at, object);
        let ended = match self.rounds(&mut run).await {
            Halt::Report(report) => run.report(*report).await,
            Halt::Quiet(requeue) => Ok(requeue),
            Halt::Cluster(error) => Err(error),
        };
        match ended {
            // It is read again, and all is decided anew.
            Err(ClusterError::Conflict) => Ok(Requeue::Now),
            Err(ClusterError::Gone) => Ok(Requeue::Never),
            ended => ended,
        }
    }

    async fn rounds(&self, run: &mut Run<'_, K>) -> Halt {
        for _ in 0..ROUNDS {
            if let Err(halt) = self.round(run).await {
                return halt;
            }
        }
        // Somebody changes it as fast as we do.
        Halt::Quiet(Requeue::Backoff)
    }

    /// One action. `Ok` where there is another one to come.
    async fn round(&self, run: &mut Run<'_, K>) -> Result<(), Halt> {
        run.close_refused().await?;
        let object = run.object.clone();
        let policies = Policies::new(&object.spec.management_policies);
        let situation = run.situation(&object, policies.as_ref().ok());
        let poll = Annotations::of(&object.metadata).poll_interval(self.poll.usual, self.poll.shortest);
        let poll = Requeue::After(poll);
        match plan::first(&situation) {
            Ok(look) => {
                if run.resolve().await? {
                    return Ok(());
                }
                let observed = run.look(look).await?;
                act(run, plan::next(&situation, &observed.seen()), poll).await
            }
            Err(action) => act(run, action, poll).await,
        }
    }
}

async fn act<K: ManagedKind>(run: &mut Run<'_, K>, action: Action<'_>, poll: Requeue) -> Result<(), Halt> {
    match action {
        Action::Pause => Err(paused().into()),
        Action::RefusePolicies => Err(refused(run).into()),
        Action::Nothing => Err(Halt::Quiet(Requeue::Never)),
        Action::Release => run.release().await,
        Action::AwaitFinalizers => Err(Halt::Quiet(Requeue::Backoff)),
        Action::AwaitCreate(left) => Err(run.waiting(left).into()),
        Action::AwaitDeletion => Err(Report::success(Statement::Deleting, Requeue::Backoff).into()),
        Action::LookAgain => {
            run.only_fresh();
            Ok(())
        }
        Action::SayAbsent => Err(absent(run, poll).into()),
        Action::Create { is_repeated } => run.create(is_repeated).await,
        Action::Adopt(id) => run.adopt(id).await,
        Action::AddFinalizer => run.patch(&record::kept(&run.object.metadata)).await,
        Action::SayForeign(id) => Err(foreign(run, id, poll).into()),
        Action::SayOwned(owner) => Err(owned(run, owner, poll).into()),
        Action::DeleteSurplus(id) => run.delete_surplus(id).await,
        Action::LateInitialize => run.late_initialize().await,
        Action::Replace => run.replace().await,
        Action::SayStillSpent => Err(still_spent(run).into()),
        Action::SaySpent => Err(spent(run, poll).into()),
        Action::Update => run.update().await,
        Action::SayUnsettled => Err(unsettled(run).into()),
        Action::SayFixed(why) => Err(fixed(run, why, poll).into()),
        Action::Delete(id) => run.delete(id).await,
        Action::Settle => run.settle(poll).await,
    }
}

const CANNOT_OBSERVE: &str = "CannotObserveExternalResource";
const OBSERVE_FAILED: &str = "observe failed";
const CANNOT_UPDATE: &str = "CannotUpdateExternalResource";
const UPDATE_FAILED: &str = "update failed";

/// What crossplane-runtime says, to the letter.
const PAUSED: &str =
    "Reconciliation is paused either through the `spec.managementPolicies` or the pause annotation";

fn paused() -> Report {
    Report {
        ready: None,
        synced: Statement::ReconcilePaused,
        event: Some(Event::normal("ReconciliationPaused", PAUSED)),
        requeue: Requeue::Never,
    }
}

fn refused<K: ManagedKind>(run: &Run<'_, K>) -> Report {
    let why = Policies::new(&run.object.spec.management_policies).err();
    let why = why.map(|unsupported| unsupported.to_string()).unwrap_or_default();
    Report::failure("CannotUseInvalidManagementPolicy", "", &why).again(Requeue::Never)
}

fn absent<K: ManagedKind>(run: &mut Run<'_, K>, poll: Requeue) -> Report {
    const ABSENT: &str = "external resource does not exist";
    run.hide();
    let report = Report::failure(CANNOT_OBSERVE, OBSERVE_FAILED, ABSENT).again(poll);
    report.with_ready(Statement::Unavailable(ABSENT.to_owned()))
}

fn foreign<K: ManagedKind>(run: &mut Run<'_, K>, id: &str, poll: Requeue) -> Report {
    run.hide();
    let message = format!(
        "a {} like this exists already and was not made by this object: to import it, set the annotation \
         crossplane.io/external-name to {id}",
        K::KIND
    );
    Report::failure(CANNOT_OBSERVE, OBSERVE_FAILED, &message).again(poll)
}

fn owned<K: ManagedKind>(run: &mut Run<'_, K>, owner: &str, poll: Requeue) -> Report {
    run.hide();
    let message = format!(
        "the {kind} {owner} has it already: delete one of the two, or let this one only Observe",
        kind = K::KIND
    );
    Report::failure(CANNOT_OBSERVE, OBSERVE_FAILED, &message)
        .again(poll)
        .with_ready(Statement::Unavailable(message))
}

fn unsettled<K: ManagedKind>(run: &mut Run<'_, K>) -> Report {
    run.show();
    let message = "the server took the change and answers something else than spec.forProvider says";
    Report::failure(CANNOT_UPDATE, UPDATE_FAILED, message)
}

fn still_spent<K: ManagedKind>(run: &mut Run<'_, K>) -> Report {
    run.show();
    let message = "another one was made in its place, and the connection Secret does not hold what was shown: \
                   look for what else writes into that Secret, and at the clocks";
    Report::failure(CANNOT_UPDATE, UPDATE_FAILED, message)
}

fn spent<K: ManagedKind>(run: &mut Run<'_, K>, poll: Requeue) -> Report {
    run.show();
    let message = format!(
        "the {} was imported, and is too old, or the connection Secret does not hold what was shown when it was \
         made: take the annotation crossplane.io/external-name away, and another one is made",
        K::KIND
    );
    Report::failure(CANNOT_UPDATE, UPDATE_FAILED, &message).again(poll)
}

fn fixed<K: ManagedKind>(run: &mut Run<'_, K>, why: &str, poll: Requeue) -> Report {
    run.show();
    Report::failure(CANNOT_UPDATE, UPDATE_FAILED, why).again(poll)
}
