//! A Job: it has completed.

use super::object::{Object, Verdict};

pub(super) fn verdict(object: Object<'_>) -> Verdict {
    let holds = |name| object.condition(name).filter(|condition| condition.is_true());
    if holds("Complete").is_some() {
        Ok(())
    } else if let Some(failed) = holds("Failed") {
        Err(format!("has failed{}", failed.reason_after_space()))
    } else if object.spec.boolean("suspend") == Some(true) {
        Err("is suspended".to_owned())
    } else {
        Err("has not completed".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::batch::v1::{Job, JobCondition, JobSpec, JobStatus};

    use super::super::tests::{Row, assert_table, metadata};

    #[test]
    fn a_job_is_ready_when_it_has_completed() {
        let job = |suspend, condition: Option<(&str, &str, &str)>| Job {
            metadata: metadata("setup", 1),
            spec: Some(JobSpec { suspend: Some(suspend), ..Default::default() }),
            status: Some(JobStatus {
                conditions: condition.map(|(name, status, reason)| {
                    vec![JobCondition {
                        type_: name.to_owned(),
                        status: status.to_owned(),
                        reason: Some(reason.to_owned()),
                        ..Default::default()
                    }]
                }),
                ..Default::default()
            }),
        };
        assert_table([
            Row::new("completed", &job(false, Some(("Complete", "True", "CompletionsReached"))), Ok(())),
            Row::new("running", &job(false, None), Err("has not completed")),
            Row::new(
                "suspended",
                &job(true, Some(("Suspended", "True", "JobSuspended"))),
                Err("is suspended"),
            ),
            Row::new("not failed", &job(false, Some(("Failed", "False", "a"))), Err("has not completed")),
            Row::new(
                "failed",
                &job(false, Some(("Failed", "True", "BackoffLimitExceeded"))),
                Err("has failed (BackoffLimitExceeded)"),
            ),
            Row::new(
                "a reason that is none is left out",
                &job(false, Some(("Failed", "True", "exit: marker\n"))),
                Err("has failed"),
            ),
        ]);
    }
}
