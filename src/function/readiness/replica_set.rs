//! A `ReplicaSet` or a `ReplicationController`: as many Pods as it wants are
//! available. It replaces none, so there is no newest generation of them.

use super::object::{Object, Verdict, at_least};

pub(super) fn verdict(object: Object<'_>) -> Verdict {
    object.newest_generation_is_observed()?;
    let wanted = object.wanted_replicas()?;
    at_least(object.count("availableReplicas"), wanted, "replicas available").map_err(|reason| {
        match object.condition("ReplicaFailure").filter(|condition| condition.is_true()) {
            Some(failure) => format!("{reason} and cannot make more{}", failure.reason_after_space()),
            None => reason,
        }
    })
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::{
        apps::v1::{ReplicaSet, ReplicaSetCondition, ReplicaSetSpec, ReplicaSetStatus},
        core::v1::{ReplicationController, ReplicationControllerSpec, ReplicationControllerStatus},
    };

    use super::super::tests::{Row, assert_table, metadata};

    #[test]
    fn a_replica_set_is_ready_when_its_replicas_are_available() {
        let set = |observed, available, failure: bool| ReplicaSet {
            metadata: metadata("vault", 2),
            spec: ReplicaSetSpec { replicas: Some(2), ..Default::default() },
            status: Some(ReplicaSetStatus {
                observed_generation: Some(observed),
                available_replicas: Some(available),
                conditions: failure.then(|| {
                    vec![ReplicaSetCondition {
                        type_: Some("ReplicaFailure".to_owned()),
                        status: Some("True".to_owned()),
                        reason: Some("FailedCreate".to_owned()),
                        ..Default::default()
                    }]
                }),
                ..Default::default()
            }),
        };
        let controller = |available| ReplicationController {
            metadata: metadata("vault", 1),
            spec: Some(ReplicationControllerSpec { replicas: Some(1), ..Default::default() }),
            status: Some(ReplicationControllerStatus {
                observed_generation: Some(1),
                available_replicas: Some(available),
                ..Default::default()
            }),
        };
        assert_table([
            Row::new("all is well", &set(2, 2, false), Ok(())),
            Row::new("stale", &set(1, 2, false), Err("has a newer spec than its controller has observed")),
            Row::new("one down", &set(2, 1, false), Err("has 1 of 2 replicas available")),
            Row::new(
                "a quota, say",
                &set(2, 1, true),
                Err("has 1 of 2 replicas available and cannot make more (FailedCreate)"),
            ),
        ]);
        assert_table([
            Row::new("all is well", &controller(1), Ok(())),
            Row::new("none yet", &controller(0), Err("has 0 of 1 replicas available")),
        ]);
    }
}
