//! Whether the composed resource that runs an instance is ready.
//!
//! The author's checks decide where there are any; else what an earlier step of
//! the pipeline said; else what the resource's kind means, by a module per kind;
//! else the condition `Ready`, which Crossplane's own resources have.
//!
//! A reason is the same for the same state, and repeats no value of a manifest
//! but names, numbers of replicas and the reasons of conditions. Whether the
//! instance answers is not asked here.

use crate::{
    contract::{manifest::Manifest, proto::v1::Ready},
    input::ReadinessCheck,
};

mod check;
mod conditioned;
mod daemon_set;
mod deployment;
mod job;
mod object;
mod persistent_volume_claim;
mod pod;
mod replica_set;
mod service;
mod stateful_set;

use object::{Object, Verdict};

/// Whether a resource is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    Ready,
    /// It is not, and why: a clause with a subject, such as `Deployment "vault"
    /// has 0 of 1 replicas available`.
    NotReady(String),
}

impl Readiness {
    /// Whether it is.
    #[must_use]
    pub(crate) fn is_ready(&self) -> bool {
        matches!(self, Self::Ready)
    }
}

/// Decides on the composed resource that runs an instance.
#[must_use]
pub(crate) fn instance_readiness(
    checks: &[ReadinessCheck],
    desired_ready: Ready,
    observed: Option<Manifest<'_>>,
) -> Readiness {
    let Some(manifest) = observed else {
        return Readiness::NotReady("it is not created yet".to_owned());
    };
    let object = Object::new(manifest);
    let verdict = match (checks, desired_ready) {
        ([], Ready::Unspecified) => by_kind(object),
        ([], Ready::True) => Ok(()),
        ([], Ready::False) => Err("is not ready, as an earlier step of the pipeline says".to_owned()),
        (checks, _) => check::all_pass(object, checks),
    };
    match verdict {
        Ok(()) => Readiness::Ready,
        Err(predicate) => Readiness::NotReady(format!("{} {predicate}", object.subject())),
    }
}

fn by_kind(object: Object<'_>) -> Verdict {
    object.is_not_being_deleted()?;
    match (object.group(), object.kind()) {
        ("apps", "Deployment") => deployment::verdict(object),
        ("apps", "StatefulSet") => stateful_set::verdict(object),
        ("apps", "DaemonSet") => daemon_set::verdict(object),
        ("apps", "ReplicaSet") | ("", "ReplicationController") => replica_set::verdict(object),
        ("batch", "Job") => job::verdict(object),
        ("", "Pod") => pod::verdict(object),
        ("", "Service") => service::verdict(object),
        ("", "PersistentVolumeClaim") => persistent_volume_claim::verdict(object),
        // These do nothing: they are all that they will be once they exist. A
        // CronJob is a schedule; what it runs is a Job. An Ingress gets an
        // address from some controllers only, and a wrong one shows in that the
        // instance does not answer.
        ("", "ConfigMap" | "Secret" | "ServiceAccount")
        | ("batch", "CronJob")
        | ("networking.k8s.io", "Ingress") => Ok(()),
        _ => conditioned::verdict(object),
    }
}

#[cfg(test)]
mod tests;
