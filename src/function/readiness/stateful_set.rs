//! A `StatefulSet`: its Pods are ready, and are those of its newest generation as
//! far as its update strategy replaces them by itself.

use super::object::{Object, Verdict, at_least};

pub(super) fn verdict(object: Object<'_>) -> Verdict {
    object.newest_generation_is_observed()?;
    let wanted = object.wanted_replicas()?;
    at_least(object.count("readyReplicas"), wanted, "replicas ready")?;
    if object.updates_on_delete() {
        return Ok(());
    }
    let partition = partition(object);
    if partition > 0 {
        // The Pods below the partition stay as they are.
        return at_least(
            object.count("updatedReplicas"),
            wanted.saturating_sub(partition),
            "replicas updated",
        );
    }
    let revision = |name| object.status.string(name);
    if revision("currentRevision") == revision("updateRevision") {
        Ok(())
    } else {
        Err(format!("has {} of {wanted} replicas updated", object.count("updatedReplicas")))
    }
}

fn partition(object: Object<'_>) -> i64 {
    let strategy = object.spec.object("updateStrategy");
    strategy.and_then(|strategy| strategy.object("rollingUpdate")?.integer("partition")).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::{
        RollingUpdateStatefulSetStrategy, StatefulSet, StatefulSetSpec, StatefulSetStatus,
        StatefulSetUpdateStrategy,
    };

    use super::super::tests::{Row, assert_table, metadata};

    fn ready() -> StatefulSet {
        StatefulSet {
            metadata: metadata("vault", 2),
            spec: StatefulSetSpec { replicas: Some(3), ..Default::default() },
            status: Some(StatefulSetStatus {
                observed_generation: Some(2),
                replicas: 3,
                ready_replicas: Some(3),
                updated_replicas: Some(3),
                current_revision: Some("vault-1".to_owned()),
                update_revision: Some("vault-1".to_owned()),
                ..Default::default()
            }),
        }
    }

    fn strategy(name: &str, partition: Option<i32>) -> StatefulSetUpdateStrategy {
        StatefulSetUpdateStrategy {
            type_: Some(name.to_owned()),
            rolling_update: partition.map(|partition| RollingUpdateStatefulSetStrategy {
                partition: Some(partition),
                ..Default::default()
            }),
        }
    }

    #[test]
    fn a_stateful_set_is_ready_when_its_update_has_gone_as_far_as_it_goes() {
        let row = |reason, change: &dyn Fn(&mut StatefulSetSpec, &mut StatefulSetStatus), expected| {
            let mut set = ready();
            change(&mut set.spec, set.status.as_mut().unwrap());
            Row::new(reason, &set, expected)
        };
        let halfway = |status: &mut StatefulSetStatus| {
            status.update_revision = Some("vault-2".to_owned());
            status.updated_replicas = Some(1);
        };
        assert_table([
            row("all is well", &|_, _| {}, Ok(())),
            row(
                "stale",
                &|_, s| s.observed_generation = None,
                Err("has a newer spec than its controller has observed"),
            ),
            row("one down", &|_, s| s.ready_replicas = Some(2), Err("has 2 of 3 replicas ready")),
            row("scaled to zero", &|spec, _| spec.replicas = Some(0), Err("is scaled to 0 replicas")),
            row("rolling out", &|_, s| halfway(s), Err("has 1 of 3 replicas updated")),
            row(
                "updated on delete",
                &|spec, s| {
                    halfway(s);
                    spec.update_strategy = Some(strategy("OnDelete", None));
                },
                Ok(()),
            ),
            row(
                "updated down to its partition",
                &|spec, s| {
                    halfway(s);
                    spec.update_strategy = Some(strategy("RollingUpdate", Some(2)));
                },
                Ok(()),
            ),
            row(
                "not yet down to its partition",
                &|spec, s| {
                    halfway(s);
                    spec.update_strategy = Some(strategy("RollingUpdate", Some(1)));
                },
                Err("has 1 of 2 replicas updated"),
            ),
        ]);
    }
}
