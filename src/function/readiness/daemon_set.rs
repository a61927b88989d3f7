//! A `DaemonSet`: there is a Pod of its newest generation on every node meant.

use super::object::{Object, Verdict, at_least};

pub(super) fn verdict(object: Object<'_>) -> Verdict {
    object.newest_generation_is_observed()?;
    let wanted = object.count("desiredNumberScheduled");
    if wanted == 0 {
        return Err("has no node to run on".to_owned());
    }
    if !object.updates_on_delete() {
        at_least(object.count("updatedNumberScheduled"), wanted, "Pods updated")?;
    }
    at_least(object.count("numberAvailable"), wanted, "Pods available")
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::{DaemonSet, DaemonSetSpec, DaemonSetStatus, DaemonSetUpdateStrategy};

    use super::super::tests::{Row, assert_table, metadata};

    #[test]
    fn a_daemon_set_is_ready_when_it_is_available_on_every_node() {
        let row = |reason, change: &dyn Fn(&mut DaemonSetSpec, &mut DaemonSetStatus), expected| {
            let (mut spec, mut status) = (
                DaemonSetSpec::default(),
                DaemonSetStatus {
                    observed_generation: Some(2),
                    desired_number_scheduled: 3,
                    updated_number_scheduled: Some(3),
                    number_available: Some(3),
                    ..Default::default()
                },
            );
            change(&mut spec, &mut status);
            let set = DaemonSet { metadata: metadata("vault", 2), spec, status: Some(status) };
            Row::new(reason, &set, expected)
        };
        let on_delete = DaemonSetUpdateStrategy { type_: Some("OnDelete".to_owned()), ..Default::default() };
        assert_table([
            row("all is well", &|_, _| {}, Ok(())),
            row(
                "stale",
                &|_, s| s.observed_generation = None,
                Err("has a newer spec than its controller has observed"),
            ),
            row("no node", &|_, s| s.desired_number_scheduled = 0, Err("has no node to run on")),
            row("rolling out", &|_, s| s.updated_number_scheduled = Some(1), Err("has 1 of 3 Pods updated")),
            row("one down", &|_, s| s.number_available = Some(2), Err("has 2 of 3 Pods available")),
            row(
                "updated on delete",
                &|spec, s| {
                    (spec.update_strategy, s.updated_number_scheduled) = (Some(on_delete.clone()), None);
                },
                Ok(()),
            ),
        ]);
    }
}
