use k8s_openapi::{Metadata, Resource, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use proptest::prelude::*;
use prost::Message as _;
use serde::Serialize;
use serde_json::{Value as Json, json};

use super::{Readiness, instance_readiness};
use crate::{
    contract::{
        manifest::{Manifest, testing::encode},
        proto::v1::{Ready, RunFunctionRequest},
    },
    input::{ConditionStatus, ReadinessCheck},
};

/// A row of a table: an object, and the predicate of why it is not ready.
pub(super) struct Row {
    name: &'static str,
    subject: String,
    encoded: Vec<u8>,
    expected: Result<(), &'static str>,
}

impl Row {
    pub(super) fn new<T>(name: &'static str, object: &T, expected: Result<(), &'static str>) -> Self
    where
        T: Serialize + Resource + Metadata<Ty = ObjectMeta>,
    {
        let subject = format!("{} {:?}", T::KIND, object.metadata().name.as_deref().unwrap());
        Self { name, subject, encoded: encode(&serde_json::to_value(object).unwrap()), expected }
    }
}

pub(super) fn metadata(name: &str, generation: i64) -> ObjectMeta {
    ObjectMeta { name: Some(name.to_owned()), generation: Some(generation), ..Default::default() }
}

pub(super) fn assert_table<const N: usize>(rows: [Row; N]) {
    for Row { name, subject, encoded, expected } in rows {
        let readiness = instance_readiness(&[], Ready::Unspecified, Some(Manifest::new(&encoded)));
        let expected = match expected {
            Ok(()) => Readiness::Ready,
            Err(predicate) => Readiness::NotReady(format!("{subject} {predicate}")),
        };
        assert_eq!(readiness, expected, "{name}");
    }
}

fn readiness_of(object: &Json) -> Readiness {
    instance_readiness(&[], Ready::Unspecified, Some(Manifest::new(&encode(object))))
}

fn release(generation: i64, ready: Option<Json>) -> Json {
    json!({
        "apiVersion": "helm.crossplane.io/v1beta1", "kind": "Release",
        "metadata": { "name": "vault", "generation": generation },
        "status": { "conditions": ready.map(|ready| vec![
            json!({ "type": "Synced", "status": "True" }), ready,
        ]) },
    })
}

#[test]
fn whatever_else_it_is_it_is_ready_when_its_condition_says_so_of_its_newest_generation() {
    let ready = |status: &str, generation: Option<i64>| {
        Some(json!({
            "type": "Ready", "status": status, "reason": "Available", "observedGeneration": generation,
        }))
    };
    let table = [
        ("it says so", release(2, ready("True", None)), Ok(())),
        ("of its newest generation", release(2, ready("True", Some(2))), Ok(())),
        (
            "of an older one",
            release(2, ready("True", Some(1))),
            Err("has a newer spec than its controller has observed"),
        ),
        ("it says no", release(2, ready("False", Some(2))), Err("is not ready (Available)")),
        ("it does not know", release(2, ready("Unknown", None)), Err("is not ready (Available)")),
        ("it says nothing", release(2, None), Err("has no condition \"Ready\" yet")),
    ];
    for (reason, object, expected) in table {
        let expected = expected.map_or_else(
            |predicate| Readiness::NotReady(format!("Release \"vault\" {predicate}")),
            |()| Readiness::Ready,
        );
        assert_eq!(readiness_of(&object), expected, "{reason}");
    }
}

#[test]
fn what_does_nothing_is_ready_when_it_exists_and_nothing_is_while_it_is_deleted() {
    for (api_version, kind) in [
        ("v1", "ConfigMap"),
        ("v1", "Secret"),
        ("v1", "ServiceAccount"),
        ("batch/v1", "CronJob"),
        ("networking.k8s.io/v1", "Ingress"),
    ] {
        let mut object = json!({ "apiVersion": api_version, "kind": kind, "metadata": { "name": "a" } });
        assert_eq!(readiness_of(&object), Readiness::Ready, "{kind}");
        object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        assert_eq!(readiness_of(&object), Readiness::NotReady(format!("{kind} \"a\" is being deleted")));
    }
}

#[test]
fn a_kind_of_another_group_is_judged_by_its_condition() {
    let object = json!({ "apiVersion": "example.org/v1", "kind": "Secret", "metadata": { "name": "a" } });
    let expected = Readiness::NotReady("Secret \"a\" has no condition \"Ready\" yet".to_owned());
    assert_eq!(readiness_of(&object), expected);
}

#[test]
fn checks_come_before_what_a_step_said_and_that_before_the_kind() {
    let encoded = encode(&release(1, None));
    let observed = Some(Manifest::new(&encoded));
    let failing = ReadinessCheck::NonEmpty("status.atProvider".parse().unwrap());
    let not_ready = |reason: &str| Readiness::NotReady(reason.to_owned());
    let table = [
        (vec![], Ready::True, None, not_ready("it is not created yet")),
        (vec![ReadinessCheck::None], Ready::True, None, not_ready("it is not created yet")),
        (vec![], Ready::True, observed, Readiness::Ready),
        (
            vec![],
            Ready::False,
            observed,
            not_ready("Release \"vault\" is not ready, as an earlier step of the pipeline says"),
        ),
        (vec![], Ready::Unspecified, observed, not_ready("Release \"vault\" has no condition \"Ready\" yet")),
        (vec![ReadinessCheck::None], Ready::False, observed, Readiness::Ready),
        (
            vec![ReadinessCheck::None, failing],
            Ready::True,
            observed,
            not_ready(
                "Release \"vault\" does not pass input.instance.readinessChecks[1]: it has no field status.atProvider; it is waited for, and if none of its kind ever has it, correct input.instance.readinessChecks[1].fieldPath",
            ),
        ),
    ];
    for (checks, desired_ready, observed, expected) in table {
        assert_eq!(instance_readiness(&checks, desired_ready, observed), expected);
    }
}

#[test]
fn a_check_passes_when_its_field_or_condition_is_what_it_says() {
    let encoded = encode(&json!({
        "kind": "Vault", "metadata": { "name": "a" },
        "status": {
            "phase": "marker-of-a-secret", "count": 3, "on": true, "off": false, "none": null,
            "conditions": [{ "type": "Synced", "status": "False" }],
        },
    }));
    let path = |text: &str| text.parse().unwrap();
    let string =
        |path_: &str, value: &str| ReadinessCheck::MatchString { path: path(path_), value: value.to_owned() };
    let integer = |path_, value| ReadinessCheck::MatchInteger { path: path(path_), value };
    let condition =
        |condition: &str, status| ReadinessCheck::MatchCondition { condition: condition.to_owned(), status };
    let table = [
        (string("status.phase", "marker-of-a-secret"), Ok(())),
        (string("status.phase", "other"), Err("status.phase is not what matchString says")),
        (string("status.count", "3"), Err("cannot read status.count: it is a number, not a string")),
        (
            string("status.a.b", "3"),
            Err(
                "it has no field status.a, so no status.a.b; it is waited for, and if none of its kind ever has it, correct input.instance.readinessChecks[0].fieldPath",
            ),
        ),
        (
            string("status.pahse", "Running"),
            Err(
                "it has no field status.pahse; did you mean status.phase? Correct input.instance.readinessChecks[0].fieldPath",
            ),
        ),
        (
            string("statu.phase.of", "Running"),
            Err(
                "it has no field statu, so no statu.phase.of; did you mean status? Correct input.instance.readinessChecks[0].fieldPath",
            ),
        ),
        (
            ReadinessCheck::MatchTrue(path("status.none")),
            Err(
                "it has no field status.none; it is waited for, and if none of its kind ever has it, correct input.instance.readinessChecks[0].fieldPath",
            ),
        ),
        (integer("status.count", 3), Ok(())),
        (integer("status.count", 4), Err("status.count is not what matchInteger says")),
        (integer("status.phase", 3), Err("cannot read status.phase: it is a string, not an integer")),
        (ReadinessCheck::MatchTrue(path("status.on")), Ok(())),
        (ReadinessCheck::MatchTrue(path("status.off")), Err("status.off is false")),
        (ReadinessCheck::MatchFalse(path("status.off")), Ok(())),
        (ReadinessCheck::MatchFalse(path("status.on")), Err("status.on is true")),
        (
            ReadinessCheck::MatchFalse(path("status.missing")),
            Err(
                "it has no field status.missing; it is waited for, and if none of its kind ever has it, correct input.instance.readinessChecks[0].fieldPath",
            ),
        ),
        (ReadinessCheck::NonEmpty(path("status.off")), Ok(())),
        (ReadinessCheck::NonEmpty(path("status.none")), Ok(())),
        (
            ReadinessCheck::NonEmpty(path("status.missing")),
            Err(
                "it has no field status.missing; it is waited for, and if none of its kind ever has it, correct input.instance.readinessChecks[0].fieldPath",
            ),
        ),
        (condition("Synced", ConditionStatus::False), Ok(())),
        (condition("Synced", ConditionStatus::True), Err("the condition \"Synced\" is not \"True\"")),
        (
            condition("Snyced", ConditionStatus::True),
            Err("it has no condition \"Snyced\"; did you mean \"Synced\"?"),
        ),
        (condition("Missing", ConditionStatus::Unknown), Ok(())),
        (condition("Missing", ConditionStatus::True), Err("the condition \"Missing\" is not \"True\"")),
        (ReadinessCheck::None, Ok(())),
    ];
    for (check, expected) in table {
        let readiness =
            instance_readiness(std::slice::from_ref(&check), Ready::False, Some(Manifest::new(&encoded)));
        let expected = match expected {
            Ok(()) => Readiness::Ready,
            Err(reason) => Readiness::NotReady(format!(
                "Vault \"a\" does not pass input.instance.readinessChecks[0]: {reason}"
            )),
        };
        assert_eq!(readiness, expected, "{check:?}");
    }
}

#[test]
fn the_recorded_deployment_is_ready_when_it_reports_available() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/requests");
    for control_plane in ["v2-namespaced", "legacy-claim"] {
        for (step, is_ready) in
            [("1-instance-not-ready", false), ("2-instance-ready", true), ("3-connected", true)]
        {
            for part in ["", "-required-resources"] {
                let file = format!("{folder}/{control_plane}-{step}{part}.binpb");
                let request = RunFunctionRequest::decode(&*std::fs::read(&file).unwrap()).unwrap();
                let resources = request.observed.unwrap().resources;
                let manifest = resources["infisical"].resource.as_deref().map(Manifest::new);
                let readiness = instance_readiness(&[], Ready::Unspecified, manifest);
                assert_eq!(readiness.is_ready(), is_ready, "{file}: {readiness:?}");
                let service = resources["service"].resource.as_deref().map(Manifest::new);
                assert!(instance_readiness(&[], Ready::Unspecified, service).is_ready(), "{file}");
            }
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_answered_in_one_line(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let readiness = instance_readiness(&[], Ready::Unspecified, Some(Manifest::new(&bytes)));
        if let Readiness::NotReady(reason) = readiness {
            prop_assert!(!reason.contains(char::is_control), "{}", reason);
        }
    }
}
