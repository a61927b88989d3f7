//! A `PersistentVolumeClaim`: it has a volume.

use super::object::{Object, Verdict};

pub(super) fn verdict(object: Object<'_>) -> Verdict {
    match object.status.string("phase") {
        Some("Bound") => Ok(()),
        Some("Lost") => Err("has lost its volume".to_owned()),
        _ => Err("has no volume yet".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{PersistentVolumeClaim, PersistentVolumeClaimStatus};

    use super::super::tests::{Row, assert_table, metadata};

    #[test]
    fn a_claim_is_ready_when_it_is_bound() {
        let claim = |phase: Option<&str>| PersistentVolumeClaim {
            metadata: metadata("data", 0),
            spec: None,
            status: phase.map(|phase| PersistentVolumeClaimStatus {
                phase: Some(phase.to_owned()),
                ..Default::default()
            }),
        };
        assert_table([
            Row::new("bound", &claim(Some("Bound")), Ok(())),
            Row::new("pending", &claim(Some("Pending")), Err("has no volume yet")),
            Row::new("lost", &claim(Some("Lost")), Err("has lost its volume")),
            Row::new("no status yet", &claim(None), Err("has no volume yet")),
        ]);
    }
}
