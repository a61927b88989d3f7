//! The CRDs in the package: fresh, ones that Kubernetes takes, and rules that hold.

use std::collections::BTreeSet;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use provider_infisical::api::{
    crd,
    object::{API_VERSION, GROUP},
};
use serde_json::{Value, json};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../package/provider/crds");
const REMEDY: &str = "run `cargo run --example provider-crds -- --write`";

#[test]
fn the_crds_in_the_package_are_the_ones_that_the_types_make() {
    for crd in crd::all() {
        let path = format!("{FOLDER}/{}", crd.file);
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}: {REMEDY}"));
        let file: Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(with_floats(&file), with_floats(&crd.manifest), "{path}: {REMEDY}");
    }
}

#[test]
fn the_package_has_no_crd_that_no_type_makes() {
    let files = std::fs::read_dir(FOLDER).unwrap();
    let files: BTreeSet<String> =
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(files, crd::all().into_iter().map(|crd| crd.file).collect());
}

#[test]
fn kubernetes_reads_all_of_each_crd() {
    for crd in crd::all() {
        let read: CustomResourceDefinition = serde_json::from_value(crd.manifest.clone()).unwrap();
        let again = serde_json::to_value(&read).unwrap();
        assert_eq!(
            with_floats(&again),
            with_floats(&crd.manifest),
            "{}: what it does not know is lost",
            crd.file
        );
        let schema = read.spec.versions[0].schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap();
        assert_structural(&crd.file, "", schema);
    }
}

#[test]
fn every_managed_resource_has_the_shape_that_users_of_crossplane_know() {
    let managed: Vec<Value> = crd::all().into_iter().map(|crd| crd.manifest).filter(is_managed).collect();
    assert_eq!(managed.len(), 10);
    for crd in managed {
        let kind = &crd["spec"]["names"]["kind"];
        assert_eq!(crd["spec"]["group"], GROUP, "{kind}");
        assert_eq!(crd["spec"]["scope"], "Namespaced", "{kind}");
        assert_eq!(
            crd["spec"]["names"]["categories"],
            json!(["crossplane", "managed", "infisical"]),
            "{kind}"
        );
        let version = &crd["spec"]["versions"][0];
        assert_eq!(version["subresources"], json!({ "status": {} }), "{kind}");
        let columns: Vec<&Value> = version["additionalPrinterColumns"]
            .as_array()
            .unwrap()
            .iter()
            .map(|column| &column["name"])
            .collect();
        assert_eq!(columns, ["READY", "SYNCED", "EXTERNAL-NAME", "AGE"], "{kind}");
        let spec = &version["schema"]["openAPIV3Schema"]["properties"]["spec"];
        assert_eq!(spec["required"], json!(["forProvider"]), "{kind}");
        assert_eq!(spec["properties"]["managementPolicies"]["default"], json!(["*"]), "{kind}");
        assert_eq!(
            spec["properties"]["providerConfigRef"]["default"],
            json!({ "kind": "ClusterProviderConfig", "name": "default" }),
            "{kind}"
        );
        assert!(spec["properties"].get("deletionPolicy").is_none(), "{kind}");
        assert!(
            spec["properties"]["forProvider"].get("required").is_none(),
            "{kind}: what is observed needs none"
        );
    }
}

/// The kind, the object before, the object, and what the message says if it is refused.
type Row = (&'static str, &'static str, Option<Value>, Value, Option<&'static str>);

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn rules_say_what_is_missing_exclusive_or_fixed() {
    let project = json!({ "name": "Payments", "slug": "payments" });
    let member = |role: Value| json!({ "projectId": "p", "identityId": "i", "roles": role });
    let table: &[Row] = &[
        ("all there", "Project", None, made(&project), None),
        (
            "no name",
            "Project",
            None,
            made(&json!({ "slug": "payments" })),
            Some("spec.forProvider.name is required"),
        ),
        (
            "no slug",
            "Project",
            None,
            made(&json!({ "name": "P" })),
            Some("spec.forProvider.slug is required"),
        ),
        ("only observed", "Project", None, with(&["Observe"], &json!({})), None),
        ("observed and deleted", "Project", None, with(&["Observe", "Delete"], &json!({})), None),
        ("paused", "Project", None, with(&[], &json!({})), None),
        ("changed", "Project", None, with(&["Observe", "Update"], &json!({})), Some("name is required")),
        ("created", "Project", None, with(&["Observe", "Create"], &json!({})), Some("name is required")),
        (
            "another type",
            "Project",
            Some(made(&json!({ "name": "P", "slug": "payments", "type": "kms" }))),
            made(&json!({ "name": "P", "slug": "payments", "type": "ssh" })),
            Some("type cannot be changed"),
        ),
        (
            "the type that it has, written down later",
            "Project",
            Some(made(&project)),
            made(&json!({ "name": "P", "slug": "payments", "type": "secret-manager" })),
            None,
        ),
        (
            "a reference in place of an id",
            "ProjectEnvironment",
            None,
            made(&json!({ "projectIdRef": { "name": "payments" }, "name": "Prod", "slug": "prod" })),
            None,
        ),
        (
            "a selector in place of an id",
            "ProjectEnvironment",
            None,
            made(
                &json!({ "projectIdSelector": { "matchControllerRef": true }, "name": "Prod", "slug": "prod" }),
            ),
            None,
        ),
        (
            "no project",
            "ProjectEnvironment",
            None,
            made(&json!({ "name": "Prod", "slug": "prod" })),
            Some("one of spec.forProvider.projectId, projectIdRef and projectIdSelector is required"),
        ),
        (
            "a folder by references",
            "SecretFolder",
            None,
            made(&json!({
                "projectIdRef": { "name": "payments" },
                "environmentSlugRef": { "name": "prod" },
                "folderPathRef": { "name": "team" },
                "name": "api",
            })),
            None,
        ),
        (
            "no environment",
            "SecretFolder",
            None,
            made(&json!({ "projectId": "p", "name": "api" })),
            Some("one of spec.forProvider.environmentSlug, environmentSlugRef"),
        ),
        (
            "a value of a Secret",
            "Secret",
            None,
            made(&json!({
                "projectId": "p", "environmentSlug": "prod", "name": "KEY",
                "valueSecretRef": { "name": "database", "key": "url" },
            })),
            None,
        ),
        (
            "no value",
            "Secret",
            None,
            made(&json!({ "projectId": "p", "environmentSlug": "prod", "name": "KEY" })),
            Some("one of spec.forProvider.valueSecretRef and generate is required"),
        ),
        (
            "two values",
            "Secret",
            None,
            made(&json!({
                "projectId": "p", "environmentSlug": "prod", "name": "KEY",
                "valueSecretRef": { "name": "database", "key": "url" }, "generate": {},
            })),
            Some("leave out valueSecretRef or generate"),
        ),
        ("of the organization", "Identity", None, made(&json!({ "name": "ci", "role": "member" })), None),
        (
            "of both",
            "Identity",
            None,
            made(&json!({ "name": "ci", "organizationId": "o", "projectIdRef": { "name": "p" } })),
            Some("of an organization or of a project"),
        ),
        (
            "a role of the organization in a project",
            "Identity",
            None,
            made(&json!({ "name": "ci", "role": "member", "projectId": "p" })),
            Some("in a ProjectIdentity"),
        ),
        (
            "moved into a project",
            "Identity",
            Some(made(&json!({ "name": "ci" }))),
            made(&json!({ "name": "ci", "projectId": "p" })),
            Some("does not move"),
        ),
        (
            "moved to another organization",
            "Identity",
            Some(made(&json!({ "name": "ci", "organizationId": "o" }))),
            made(&json!({ "name": "ci", "organizationId": "another" })),
            Some("organizationId cannot be changed"),
        ),
        (
            "the id that the provider resolved",
            "Identity",
            Some(made(&json!({ "name": "ci", "projectIdRef": { "name": "p" } }))),
            made(&json!({ "name": "ci", "projectIdRef": { "name": "p" }, "projectId": "p" })),
            None,
        ),
        (
            "metadata that the server cannot take",
            "Identity",
            None,
            made(
                &json!({ "name": "ci", "metadata": [{ "key": "k".repeat(500), "value": "v".repeat(501) }] }),
            ),
            Some("1000 characters together"),
        ),
        (
            "the provider's own metadata",
            "Identity",
            None,
            made(&json!({ "name": "ci", "metadata": [{ "key": "crossplane.io/uid", "value": "u" }] })),
            Some("the key crossplane.io/uid is the provider's own"),
        ),
        (
            "a login with lives that fit",
            "UniversalAuth",
            None,
            made(&json!({ "identityId": "i", "accessTokenTtl": 60, "accessTokenMaxTtl": 60 })),
            None,
        ),
        (
            "a TTL and no limit",
            "UniversalAuth",
            None,
            made(&json!({ "identityId": "i", "accessTokenTtl": 60, "accessTokenMaxTtl": 0 })),
            None,
        ),
        (
            "a TTL above its limit",
            "UniversalAuth",
            None,
            made(&json!({ "identityId": "i", "accessTokenTtl": 61, "accessTokenMaxTtl": 60 })),
            Some("accessTokenTtl is greater than accessTokenMaxTtl"),
        ),
        (
            "a login with service accounts",
            "KubernetesAuth",
            None,
            made(&json!({
                "identityIdRef": { "name": "ci" }, "kubernetesHost": "https://10.0.0.1",
                "verifyTlsCertificate": true, "kubernetesCaCertificate": "PEM",
            })),
            None,
        ),
        (
            "verified by nothing",
            "KubernetesAuth",
            None,
            made(&json!({ "identityId": "i", "kubernetesHost": "https://h", "verifyTlsCertificate": true })),
            Some("verifyTlsCertificate needs kubernetesCaCertificate"),
        ),
        (
            "a client secret and a place for it",
            "ClientSecret",
            None,
            json!({ "spec": {
                "forProvider": { "identityId": "i", "rotateAfter": "10m" },
                "writeConnectionSecretToRef": { "name": "login" },
            } }),
            None,
        ),
        (
            "a client secret and no place for it",
            "ClientSecret",
            None,
            made(&json!({ "identityId": "i" })),
            Some("spec.writeConnectionSecretToRef is required"),
        ),
        (
            "a client secret that is only observed",
            "ClientSecret",
            None,
            with(&["Observe"], &json!({ "identityId": "i" })),
            None,
        ),
        (
            "rotated all the time",
            "ClientSecret",
            None,
            json!({ "spec": {
                "forProvider": { "identityId": "i", "rotateAfter": "599s" },
                "writeConnectionSecretToRef": { "name": "login" },
            } }),
            Some("rotateAfter is less than 10m"),
        ),
        (
            "the old one stays until it is old again",
            "ClientSecret",
            None,
            json!({ "spec": {
                "forProvider": { "identityId": "i", "rotateAfter": "1h", "keepOldFor": "60m" },
                "writeConnectionSecretToRef": { "name": "login" },
            } }),
            Some("keepOldFor is not less than rotateAfter"),
        ),
        ("one role", "ProjectIdentity", None, made(&member(json!([{ "roleSlug": "viewer" }]))), None),
        (
            "only a temporary role",
            "ProjectIdentity",
            None,
            made(&member(json!([{
                "roleSlug": "admin",
                "isTemporary": true,
                "temporaryRange": "1h",
                "temporaryAccessStartTime": "2026-01-31T12:00:00Z",
            }]))),
            Some("at least one role must not be temporary"),
        ),
        (
            "a temporary role without an end",
            "ProjectIdentity",
            None,
            made(&member(json!([{ "roleSlug": "viewer" }, { "roleSlug": "admin", "isTemporary": true }]))),
            Some("needs temporaryRange and temporaryAccessStartTime"),
        ),
        (
            "an end of a role that stays",
            "ProjectIdentity",
            None,
            made(&member(json!([{ "roleSlug": "viewer", "temporaryRange": "1h" }]))),
            Some("with isTemporary: true"),
        ),
        (
            "a connection Secret",
            "ProviderConfig",
            None,
            json!({ "spec": { "connectionSecretRef": { "name": "infisical" } } }),
            None,
        ),
        (
            "both sources",
            "ClusterProviderConfig",
            None,
            json!({ "spec": {
                "connectionSecretRef": { "name": "infisical", "namespace": "platform" },
                "host": "https://infisical.example.org",
                "credentials": {
                    "source": "Secret",
                    "secretRef": { "name": "login", "namespace": "platform", "key": "credentials" },
                },
            } }),
            Some("either connectionSecretRef, or host and credentials"),
        ),
        (
            "a range without a start",
            "AdditionalPrivilege",
            None,
            made(&json!({
                "projectId": "p",
                "identityId": "i",
                "slug": "reader",
                "permissions": [{ "subject": "secrets", "action": ["readValue"] }],
                "temporaryRange": "1h",
            })),
            Some("temporaryRange and temporaryAccessStartTime go together"),
        ),
        ("no source", "ProviderConfig", None, json!({ "spec": {} }), Some("either connectionSecretRef")),
        (
            "a host without a login",
            "ProviderConfig",
            None,
            json!({ "spec": { "host": "https://infisical.example.org" } }),
            Some("host and credentials go together"),
        ),
    ];
    for (reason, kind, before, object, refused) in table {
        let answer = kube_cel::validate(&schema_of(kind), object, before.as_ref());
        let messages: Vec<String> = match answer {
            Ok(()) => Vec::new(),
            Err(errors) => errors.into_vec().into_iter().map(|error| error.message).collect(),
        };
        match refused {
            None => assert_eq!(messages, Vec::<String>::new(), "{kind}: {reason}"),
            Some(part) => {
                assert!(
                    messages.iter().any(|message| message.contains(part)),
                    "{kind}: {reason}: {messages:?}"
                );
            }
        }
    }
    let refusals: Vec<&str> = table.iter().filter_map(|(.., refused)| *refused).collect();
    for message in crd::all().iter().flat_map(|crd| rules_below(&crd.manifest)) {
        // Rules of this form are made in one place; two of them are in the table.
        let is_one_of_many = message.contains(" is required, unless");
        assert!(
            is_one_of_many || refusals.iter().any(|part| message.contains(part)),
            "no row is refused with: {message}"
        );
    }
}

#[test]
fn the_examples_hold_what_the_crds_say() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/provider");
    let mut kinds = BTreeSet::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        for object in text.split("\n---\n") {
            let object: Value = serde_saphyr::from_str(object).unwrap();
            // A Secret of Kubernetes may stand beside what uses it.
            if object["apiVersion"] != API_VERSION {
                continue;
            }
            let kind = object["kind"].as_str().unwrap();
            let schema = schema_of(kind);
            kube_cel::validate(&schema, &object, None).unwrap_or_else(|why| panic!("{path:?}: {why:?}"));
            assert_known(&format!("{path:?} {kind}"), &object, &schema);
            kinds.insert(kind.to_owned());
        }
    }
    for crd in crd::all().into_iter().map(|crd| crd.manifest).filter(is_managed) {
        let kind = crd["spec"]["names"]["kind"].as_str().unwrap();
        assert!(kinds.contains(kind), "no example of {kind}");
    }
}

/// An API server drops fields that a schema does not know.
fn assert_known(at: &str, value: &Value, schema: &Value) {
    match value {
        Value::Object(fields) => {
            let Some(known) = schema["properties"].as_object() else { return };
            for (name, field) in fields {
                let of = known.get(name).unwrap_or_else(|| panic!("{at}: {name} is not in the CRD"));
                assert_known(&format!("{at}.{name}"), field, of);
            }
        }
        Value::Array(values) => values.iter().for_each(|it| assert_known(at, it, &schema["items"])),
        _ => {}
    }
}

fn made(for_provider: &Value) -> Value {
    json!({ "spec": { "forProvider": for_provider } })
}

fn with(policies: &[&str], for_provider: &Value) -> Value {
    json!({ "spec": { "managementPolicies": policies, "forProvider": for_provider } })
}

fn is_managed(crd: &Value) -> bool {
    crd["spec"]["names"]["categories"].as_array().unwrap().contains(&json!("managed"))
}

fn schema_of(kind: &str) -> Value {
    let crd = crd::all().into_iter().find(|crd| crd.manifest["spec"]["names"]["kind"] == kind).unwrap();
    crd.manifest["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

/// The messages of all rules in a manifest.
fn rules_below(value: &Value) -> Vec<String> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, field)| match (name.as_str(), field) {
                ("x-kubernetes-validations", Value::Array(rules)) => {
                    rules.iter().map(|rule| rule["message"].as_str().unwrap().to_owned()).collect()
                }
                (_, field) => rules_below(field),
            })
            .collect(),
        Value::Array(values) => values.iter().flat_map(rules_below).collect(),
        _ => Vec::new(),
    }
}

/// Bounds are floats to Kubernetes.
fn with_floats(value: &Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().into(),
        Value::Array(values) => values.iter().map(with_floats).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(name, field)| (name.clone(), with_floats(field))).collect()
        }
        other => other.clone(),
    }
}

/// Kubernetes refuses a schema in which a value has no type, in which logic defines
/// fields, or which names fields and takes others too. What has no description cannot be
/// explained by `kubectl explain`.
fn assert_structural(file: &str, path: &str, schema: &JSONSchemaProps) {
    assert!(schema.type_.is_some(), "{file}: {path} has no type");
    assert!(schema.one_of.is_none() && schema.any_of.is_none() && schema.all_of.is_none(), "{file}: {path}");
    assert!(schema.not.is_none() && schema.ref_path.is_none(), "{file}: {path}");
    assert!(
        schema.description.is_some() || path.ends_with("[]") || path.ends_with("{}") || path == ".metadata",
        "{file}: {path} has no description"
    );
    for (name, field) in schema.properties.iter().flatten() {
        assert_structural(file, &format!("{path}.{name}"), field);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &schema.items {
        assert_structural(file, &format!("{path}[]"), items);
    }
    if let Some(additional) = &schema.additional_properties {
        assert!(schema.properties.is_none(), "{file}: {path} names fields and takes others");
        let JSONSchemaPropsOrBool::Schema(values) = additional else { panic!("{file}: {path}") };
        assert_structural(file, &format!("{path}{{}}"), values);
    }
}
