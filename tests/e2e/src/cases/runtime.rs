//! The function's Deployment, as Crossplane makes it of `examples/runtime/`.

use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api,
    api::{DynamicObject, ListParams, PostParams},
};
use serde_json::{Value, json};

use crate::{
    NAMESPACE,
    cluster::{api, apply, apply_strictly, is_true, until, watch},
    world::{FUNCTION, SOON, World},
};

/// What Crossplane makes of a Function without a runtime configuration.
const OTHER: &str = "function-auto-ready";

/// The files are applied, Crossplane makes a Deployment of them, and its Pod is
/// one that a namespace takes which restricts them.
pub(crate) async fn runtime_is_hardened(world: &mut World) {
    world.restart_crossplane(&["--package-runtime=Deployment"]).await;
    for file in ["deploymentruntimeconfig.yaml", "networkpolicy.yaml", "poddisruptionbudget.yaml"] {
        apply_strictly(&world.client, &document(world, file)).await;
    }
    let mut function = document(world, "function.yaml");
    function["spec"]["package"] = json!(world.package());
    apply_strictly(&world.client, &function).await;

    let deployment = deployment(world, FUNCTION, |spec| spec["replicas"] == 2).await;
    let functions = api(&world.client, "pkg.crossplane.io/v1", "Function", None);
    let is_unhealthy = |function: &DynamicObject| !is_true(function, "Healthy");
    watch("nothing runs yet", SOON, &functions, FUNCTION, is_unhealthy).await;
    world.make_deployment_available(NAMESPACE, &deployment.0).await;
    watch("it runs", SOON, &functions, FUNCTION, |function| is_true(function, "Healthy")).await;
    is_as_written(world, &deployment.1);
    selects(world, &deployment.1["template"]["metadata"]["labels"]);
    is_restricted(world, &deployment.1["template"]).await;

    world.play_runtime().await;
}

/// The name and the spec of a function's Deployment.
async fn deployment(world: &World, function: &str, is_so: impl Fn(&Value) -> bool) -> (String, Value) {
    let deployments = api(&world.client, "apps/v1", "Deployment", Some(NAMESPACE));
    until("Crossplane makes a Deployment", SOON, async || {
        let all = deployments.list(&ListParams::default()).await.ok()?;
        let of_function = all.items.into_iter().find(|deployment| {
            let spec = &deployment.data["spec"];
            spec["selector"]["matchLabels"]["pkg.crossplane.io/function"] == function && is_so(spec)
        });
        of_function
            .map(|deployment| (deployment.metadata.name.unwrap_or_default(), deployment.data["spec"].clone()))
    })
    .await
}

/// All that the file says is in the Deployment, beside what Crossplane adds.
fn is_as_written(world: &World, spec: &Value) {
    let written = document(world, "deploymentruntimeconfig.yaml");
    let mut written = written["spec"]["deploymentTemplate"]["spec"].clone();
    // Crossplane writes its own.
    written["selector"] = json!({ "matchLabels": { "pkg.crossplane.io/function": FUNCTION } });
    assert_contains("spec", spec, &written);

    let container = &spec["template"]["spec"]["containers"][0];
    assert_eq!(container["image"], world.package(), "the package is the image");
    let ports =
        json!([{ "containerPort": 8080, "name": "metrics" }, { "containerPort": 9443, "name": "grpc" }]);
    assert_contains("ports", &container["ports"], &ports);
    let variables = container["env"].as_array().expect("variables");
    let is_certificates = |variable: &&Value| variable["name"] == "TLS_SERVER_CERTS_DIR";
    assert_eq!(variables.iter().find(is_certificates).expect("a certificate")["value"], "/tls/server");
}

fn assert_contains(path: &str, whole: &Value, part: &Value) {
    match part {
        Value::Object(fields) => {
            for (name, field) in fields {
                assert_contains(&format!("{path}.{name}"), &whole[name], field);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                assert_contains(&format!("{path}[{index}]"), &whole[index], item);
            }
        }
        value => assert_eq!(whole, value, "{path}"),
    }
}

/// The policy and the budget are for the Pods that Crossplane labels, and the
/// policy lets Crossplane's own in.
fn selects(world: &World, labels: &Value) {
    let policy = &document(world, "networkpolicy.yaml")["spec"];
    let budget = &document(world, "poddisruptionbudget.yaml")["spec"];
    for selector in [&policy["podSelector"], &budget["selector"]] {
        assert_contains("labels", labels, &selector["matchLabels"]);
    }
    let of_crossplane = &policy["ingress"][0]["from"][0]["podSelector"]["matchLabels"];
    assert_eq!(*of_crossplane, json!({ "app": "crossplane" }));
    let chart = world.crossplane_source.join("cluster/charts/crossplane/templates/deployment.yaml");
    let chart = std::fs::read_to_string(chart).expect("the chart is part of the module");
    let (_, template) = chart.split_once("\n  template:\n").expect("a Deployment has a template");
    let (labels, _) = template.split_once("\n    spec:\n").expect("a template has a spec");
    assert!(labels.contains("\n        app: {{ template \"crossplane.name\" . }}\n"), "{labels}");
}

/// The API server itself says so; what it says of another function's Pod shows
/// that it looks.
async fn is_restricted(world: &World, template: &Value) {
    let restricted = "crossplane-restricted";
    apply(
        &world.client,
        &json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": {
                "name": restricted,
                "labels": { "pod-security.kubernetes.io/enforce": "restricted" },
            },
        }),
    )
    .await;
    let pods = Api::<Pod>::namespaced(world.client.clone(), restricted);
    let create = async |template: &Value| {
        let pod = json!({
            "metadata": { "name": "pod" },
            "spec": template["spec"],
        });
        let pod: Pod = serde_json::from_value(pod).expect("a template is a Pod's");
        pods.create(&PostParams { dry_run: true, ..PostParams::default() }, &pod).await
    };
    let (_, other) = deployment(world, OTHER, |_| true).await;
    let refused = create(&other["template"]).await.expect_err("Crossplane's default is not restricted");
    assert!(refused.to_string().contains("violates PodSecurity"), "{refused}");
    create(template).await.expect("the Pod is restricted");
}

fn document(world: &World, file: &str) -> Value {
    let path = world.root.join("examples/runtime").join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
