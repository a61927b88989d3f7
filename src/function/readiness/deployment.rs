//! A Deployment: its newest generation is rolled out and available.

use super::object::{Object, Verdict, at_least};

pub(super) fn verdict(object: Object<'_>) -> Verdict {
    object.newest_generation_is_observed()?;
    let wanted = object.wanted_replicas()?;
    let progressing = object.condition("Progressing");
    if progressing.is_some_and(|condition| condition.reason == Some("ProgressDeadlineExceeded")) {
        return Err("has not progressed within its deadline".to_owned());
    }
    let (all, updated) = (object.count("replicas"), object.count("updatedReplicas"));
    at_least(updated, wanted, "replicas updated").map_err(|reason| {
        // Nothing happens until somebody resumes it.
        let is_paused = object.spec.boolean("paused") == Some(true);
        if is_paused { format!("is paused and {reason}") } else { reason }
    })?;
    // Until the old ones are gone they may be the ones that are available.
    if all > updated {
        return Err(format!("has {} of {all} replicas to replace", all - updated));
    }
    at_least(object.count("availableReplicas"), wanted, "replicas available")?;
    match object.condition("Available") {
        Some(available) if available.is_true() => Ok(()),
        Some(available) => Err(format!("is not available{}", available.reason_after_space())),
        None => Err("has no condition \"Available\" yet".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::{Deployment, DeploymentCondition, DeploymentSpec, DeploymentStatus};

    use super::super::tests::{Row, assert_table, metadata};

    fn condition(name: &str, status: &str, reason: &str) -> DeploymentCondition {
        DeploymentCondition {
            type_: Some(name.to_owned()),
            status: Some(status.to_owned()),
            reason: Some(reason.to_owned()),
            ..Default::default()
        }
    }

    fn rolled_out() -> Deployment {
        Deployment {
            metadata: metadata("vault", 2),
            spec: DeploymentSpec { replicas: Some(2), ..Default::default() },
            status: Some(DeploymentStatus {
                observed_generation: Some(2),
                replicas: Some(2),
                updated_replicas: Some(2),
                available_replicas: Some(2),
                conditions: Some(vec![
                    condition("Available", "True", "MinimumReplicasAvailable"),
                    condition("Progressing", "True", "NewReplicaSetAvailable"),
                ]),
                ..Default::default()
            }),
        }
    }

    #[test]
    fn a_deployment_is_ready_when_its_newest_generation_is_available() {
        let row = |reason, change: &dyn Fn(&mut DeploymentSpec, &mut DeploymentStatus), expected| {
            let mut deployment = rolled_out();
            change(&mut deployment.spec, deployment.status.as_mut().unwrap());
            Row::new(reason, &deployment, expected)
        };
        let mut without_status = rolled_out();
        without_status.status = None;
        let mut one_by_default = rolled_out();
        one_by_default.spec.replicas = None;
        assert_table([
            row("all is well", &|_, _| {}, Ok(())),
            Row::new("one replica is the default", &one_by_default, Ok(())),
            Row::new(
                "no status yet",
                &without_status,
                Err("has a newer spec than its controller has observed"),
            ),
            row(
                "stale",
                &|_, s| s.observed_generation = Some(1),
                Err("has a newer spec than its controller has observed"),
            ),
            row("updated, by half", &|_, s| s.updated_replicas = Some(1), Err("has 1 of 2 replicas updated")),
            row(
                "paused",
                &|spec, s| (spec.paused, s.updated_replicas) = (Some(true), None),
                Err("is paused and has 0 of 2 replicas updated"),
            ),
            row("paused, but done", &|spec, _| spec.paused = Some(true), Ok(())),
            row("an old one is left", &|_, s| s.replicas = Some(3), Err("has 1 of 3 replicas to replace")),
            row("one down", &|_, s| s.available_replicas = Some(1), Err("has 1 of 2 replicas available")),
            row("scaled to zero", &|spec, _| spec.replicas = Some(0), Err("is scaled to 0 replicas")),
            row(
                "the deadline has passed",
                &|_, s| {
                    s.conditions = Some(vec![condition("Progressing", "False", "ProgressDeadlineExceeded")]);
                },
                Err("has not progressed within its deadline"),
            ),
            row(
                "Available is False",
                &|_, s| {
                    s.conditions = Some(vec![condition("Available", "False", "MinimumReplicasUnavailable")]);
                },
                Err("is not available (MinimumReplicasUnavailable)"),
            ),
            row("no conditions", &|_, s| s.conditions = None, Err("has no condition \"Available\" yet")),
        ]);
    }
}
