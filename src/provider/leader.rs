//! Which of several replicas works: the one that holds a Lease.

use std::{future::Future, time::Duration};

use kube::Client;
use kube_lease_manager::{LeaseManager, LeaseManagerBuilder};

/// The Lease. Its name is that of the group, as other providers have it.
const LEASE: &str = "crossplane-leader-election-provider-infisical";

/// How long a replica that is gone is waited for, in seconds.
const DURATION: u64 = 15;

/// How long before that it is renewed.
const GRACE: u64 = 5;

/// How long after a failure the Lease is asked for again. A package's rights come a moment
/// after its Pod.
const PAUSE: Duration = Duration::from_secs(2);

/// What a replica does at its end, at most.
const RELEASE: Duration = Duration::from_secs(2);

/// A Lease that is held.
pub struct Leadership(LeaseManager);

impl Leadership {
    /// Waits until this replica leads, however long that takes.
    pub async fn wait(client: Client, namespace: &str) -> Self {
        let builder = || LeaseManagerBuilder::new(client.clone(), LEASE).with_namespace(namespace);
        let manager = loop {
            match builder().with_duration(DURATION).with_grace(GRACE).build().await {
                Ok(manager) => break manager,
                Err(error) => tracing::warn!(%error, "cannot read or make the Lease"),
            }
            tokio::time::sleep(PAUSE).await;
        };
        loop {
            match manager.changed().await {
                Ok(true) => return Self(manager),
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot ask for the Lease");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Keeps it while `work` goes on, and gives it back when that is done. `false` where
    /// it was lost before: another replica works by now.
    pub async fn keep(self, work: impl Future<Output = ()>) -> bool {
        let lost = async {
            loop {
                match self.0.changed().await {
                    Ok(true) => {}
                    Ok(false) => return,
                    Err(error) => {
                        tracing::warn!(%error, "cannot renew the Lease");
                        return;
                    }
                }
            }
        };
        let is_done = tokio::select! {
            () = work => true,
            () = lost => false,
        };
        if is_done {
            // Whoever waits need not wait until it is over.
            let _ = tokio::time::timeout(RELEASE, self.0.release()).await;
        }
        is_done
    }
}
