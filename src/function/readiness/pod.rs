//! A Pod: it is ready to serve. One that has ended serves nobody, even if it
//! ended well.

use super::object::{Object, Verdict};

pub(super) fn verdict(object: Object<'_>) -> Verdict {
    match object.status.string("phase") {
        Some("Succeeded") => return Err("has ended".to_owned()),
        Some("Failed") => return Err("has failed".to_owned()),
        _ => {}
    }
    match object.condition("Ready") {
        Some(ready) if ready.is_true() => Ok(()),
        Some(ready) => Err(format!("is not ready{}", ready.reason_after_space())),
        None => Err("has no condition \"Ready\" yet".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{Pod, PodCondition, PodStatus};

    use super::super::tests::{Row, assert_table, metadata};

    #[test]
    fn a_pod_is_ready_when_it_serves() {
        let pod = |phase: &str, ready: Option<(&str, &str)>| Pod {
            metadata: metadata("vault", 0),
            spec: None,
            status: Some(PodStatus {
                phase: Some(phase.to_owned()),
                conditions: ready.map(|(status, reason)| {
                    vec![PodCondition {
                        type_: "Ready".to_owned(),
                        status: status.to_owned(),
                        reason: Some(reason.to_owned()),
                        ..Default::default()
                    }]
                }),
                ..Default::default()
            }),
        };
        assert_table([
            Row::new("it runs", &pod("Running", Some(("True", ""))), Ok(())),
            Row::new(
                "its probe fails",
                &pod("Running", Some(("False", "ContainersNotReady"))),
                Err("is not ready (ContainersNotReady)"),
            ),
            Row::new("no node yet", &pod("Pending", None), Err("has no condition \"Ready\" yet")),
            Row::new("it ended", &pod("Succeeded", Some(("False", "PodCompleted"))), Err("has ended")),
            Row::new("it failed", &pod("Failed", Some(("True", ""))), Err("has failed")),
        ]);
    }
}
