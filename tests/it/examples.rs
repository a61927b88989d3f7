//! Every folder of `examples/` that has a Composition: its manifests are read,
//! its templates rendered, its input held against the CRD, and its step replayed
//! until the XR is ready with a token that works.
//!
//! What only a cluster can tell (whether the other functions, the provider and
//! the images do what the manifests expect) is not tested here.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use fake_crossplane::{
    Crossplane,
    templates::{NAME as NAMED_BY_TEMPLATE, READY, render},
};
use fake_infisical::Variant;
use function_infisical::{
    function::explain,
    input::{self, crd::custom_resource_definition},
};
use serde_json::{Value, json};

use crate::world::{self, Kind, VARIANTS, World};

/// The annotation by which Crossplane names an observed one.
const NAMED_BY_CROSSPLANE: &str = "crossplane.io/composition-resource-name";

const FUNCTION: &str = "function-infisical";

struct Example {
    name: String,
    folder: PathBuf,
}

impl Example {
    /// The documents of a file; none where it is not there.
    fn documents(&self, file: &str) -> Vec<Value> {
        let path = self.folder.join(file);
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        documents(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    fn document(&self, file: &str) -> Value {
        let [document] = <[Value; 1]>::try_from(self.documents(file))
            .unwrap_or_else(|found| panic!("{}/{file} has {} documents", self.name, found.len()));
        document
    }

    /// The functions of the pipeline's steps, each with its input.
    fn steps(&self) -> Vec<(String, Value)> {
        let composition = self.document("composition.yaml");
        let steps = composition["spec"]["pipeline"].as_array().unwrap().iter();
        steps.map(|step| (string(&step["functionRef"]["name"]), step["input"].clone())).collect()
    }

    fn input(&self) -> Value {
        let ours = self.steps().into_iter().find(|(function, _)| function == FUNCTION);
        ours.unwrap().1
    }

    /// What the steps before this function compose, by name in the pipeline.
    fn composed(&self) -> BTreeMap<String, Value> {
        let xr = json!({"observed": {"composite": {"resource": self.document("xr.yaml")}}});
        let steps = self.steps().into_iter().take_while(|(function, _)| function != FUNCTION);
        self.rendered(steps, &xr)
    }

    /// What the steps after this function compose, out of what is observed.
    fn consumers(&self, observed: &Value) -> BTreeMap<String, Value> {
        let steps = self.steps().into_iter().skip_while(|(function, _)| function != FUNCTION);
        self.rendered(steps, observed)
    }

    fn rendered(
        &self,
        steps: impl Iterator<Item = (String, Value)>,
        observed: &Value,
    ) -> BTreeMap<String, Value> {
        let templates = steps.filter(|(function, _)| function == "function-go-templating");
        let rendered = templates.flat_map(|(_, input)| {
            let rendered = render(&string(&input["inline"]["template"]), observed);
            let rendered = rendered.unwrap_or_else(|error| panic!("{}: {error}", self.name));
            documents(&rendered).unwrap_or_else(|error| panic!("{}: {error}", self.name))
        });
        let mut composed = BTreeMap::new();
        for document in rendered {
            let (name, manifest) = named(document, NAMED_BY_TEMPLATE);
            assert!(composed.insert(name, manifest).is_none(), "{}: two of a name", self.name);
        }
        composed
    }

    /// A control plane in which what the example needs is there.
    fn crossplane(&self) -> Crossplane {
        let mut crossplane = Crossplane::new(self.document("xr.yaml"), self.input());
        for (name, manifest) in self.composed() {
            crossplane = crossplane.composing(&name, manifest);
        }
        crossplane.others = self.documents("required.yaml");
        crossplane
    }
}

fn examples() -> Vec<Example> {
    let examples = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let folders = std::fs::read_dir(examples).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<PathBuf> =
        folders.filter(|folder| folder.join("composition.yaml").is_file()).collect();
    folders.sort();
    assert!(folders.len() >= 9, "{folders:?}");
    let name = |folder: &PathBuf| folder.file_name().unwrap().to_str().unwrap().to_owned();
    folders.into_iter().map(|folder| Example { name: name(&folder), folder }).collect()
}

fn documents(text: &str) -> Result<Vec<Value>, String> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).map_err(|error| error.to_string())?;
    Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no string")).to_owned()
}

/// Takes the name in the pipeline off a manifest, and whether it is ready.
fn named(mut manifest: Value, annotation: &str) -> (String, Value) {
    let annotations = manifest["metadata"]["annotations"].as_object_mut().unwrap();
    let name = string(&annotations.remove(annotation).unwrap());
    annotations.remove(READY);
    (name, manifest)
}

#[test]
fn every_manifest_is_one() {
    for example in examples() {
        for file in std::fs::read_dir(&example.folder).unwrap() {
            let file = file.unwrap().file_name().into_string().unwrap();
            // What comes out is no manifest that somebody applies.
            if ["README.md", "expected.yaml"].contains(&file.as_str()) {
                continue;
            }
            for document in example.documents(&file) {
                for field in ["apiVersion", "kind"] {
                    assert!(document[field].is_string(), "{}/{file} without {field}", example.name);
                }
                assert!(document["metadata"]["name"].is_string(), "{}/{file} without a name", example.name);
            }
        }
        assert!(example.folder.join("README.md").is_file(), "{}", example.name);
    }
}

#[test]
fn the_xrd_the_composition_and_the_xr_are_of_one_kind() {
    for example in examples() {
        let xrd = example.document("xrd.yaml");
        let composition = example.document("composition.yaml");
        let xr = example.document("xr.yaml");
        let spec = &xrd["spec"];
        let version = &spec["versions"][0];
        let name = format!("{}.{}", string(&spec["names"]["plural"]), string(&spec["group"]));
        assert_eq!(xrd["metadata"]["name"], name, "{}", example.name);
        let api_version = format!("{}/{}", string(&spec["group"]), string(&version["name"]));
        for kind in [&composition["spec"]["compositeTypeRef"], &xr] {
            assert_eq!(kind["apiVersion"], api_version, "{}", example.name);
            assert_eq!(kind["kind"], spec["names"]["kind"], "{}", example.name);
        }
        let chosen = &xr["spec"]["crossplane"]["compositionRef"]["name"];
        assert!(chosen.is_null() || *chosen == composition["metadata"]["name"], "{}", example.name);
        for claim in example.documents("claim.yaml") {
            assert_eq!(claim["kind"], spec["claimNames"]["kind"], "{}", example.name);
            assert_eq!(claim["kind"], xr["spec"]["claimRef"]["kind"], "{}", example.name);
            assert_eq!(claim["metadata"]["name"], xr["spec"]["claimRef"]["name"], "{}", example.name);
            let namespace = &xr["spec"]["claimRef"]["namespace"];
            assert_eq!(claim["metadata"]["namespace"], *namespace, "{}", example.name);
        }
        // Crossplane's own fields of an XR are not in its XRD.
        let mut of_author = xr["spec"].clone();
        of_author.as_object_mut().unwrap().retain(|field, _| field != "crossplane" && field != "claimRef");
        let schema = &version["schema"]["openAPIV3Schema"]["properties"]["spec"];
        assert_fits("spec", &of_author, schema);
    }
}

#[test]
fn every_function_of_a_pipeline_is_installed_with_it() {
    for example in examples() {
        let functions = example.documents("functions.yaml");
        let functions = functions.iter().filter(|package| package["kind"] == "Function");
        let mut installed: Vec<String> =
            functions.map(|function| string(&function["metadata"]["name"])).collect();
        installed.sort();
        let called = example.steps().into_iter().map(|(function, _)| function);
        // Ours is installed before, with what its Pods get, and stays as it is.
        let others: BTreeSet<String> = called.filter(|function| function != FUNCTION).collect();
        assert_eq!(installed, others.into_iter().collect::<Vec<_>>(), "{}", example.name);
        let text = std::fs::read_to_string(example.folder.join("README.md")).unwrap();
        assert!(text.contains("is [installed](../../README.md#install)"), "{}", example.name);
    }
}

#[test]
fn our_own_function_is_one_with_hardened_pods_and_another_for_render_only() {
    let of = |folder: &str, file: &str| {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(folder);
        let function = Example { name: folder.display().to_string(), folder }.document(file);
        assert_eq!(function["kind"], "Function");
        assert_eq!(function["metadata"]["name"], FUNCTION);
        function
    };
    let installed = of("runtime", "function.yaml");
    assert_eq!(installed["spec"]["runtimeConfigRef"]["name"], FUNCTION);
    let rendered = of("render", "function-infisical.yaml");
    assert_eq!(rendered["metadata"]["annotations"]["render.crossplane.io/runtime"], "Development");
    assert_eq!(rendered["spec"], json!({}), "an API server takes none without a package");
}

#[test]
fn every_input_fits_the_crd_and_is_accepted() {
    let crd = custom_resource_definition();
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    for example in examples() {
        let input = example.input();
        assert_fits(&format!("{}: input", example.name), &input, schema);
        let parsed = input::parse(Some(&fake_crossplane::structs::encode(&input)));
        assert!(parsed.is_ok(), "{}: {:?}", example.name, parsed.err());
    }
}

/// Holds a value against a structural schema.
fn assert_fits(path: &str, value: &Value, schema: &Value) {
    if schema["x-kubernetes-preserve-unknown-fields"] == true {
        return;
    }
    match value {
        Value::Object(fields) => {
            assert_eq!(schema["type"], "object", "{path}");
            for (name, field) in fields {
                let known = &schema["properties"][name];
                let schema = if known.is_null() { &schema["additionalProperties"] } else { known };
                assert!(!schema.is_null(), "{path} has no field {name}");
                assert_fits(&format!("{path}.{name}"), field, schema);
            }
            for required in schema["required"].as_array().into_iter().flatten() {
                assert!(fields.contains_key(&string(required)), "{path} needs {required}");
            }
        }
        Value::Array(items) => {
            assert_eq!(schema["type"], "array", "{path}");
            for (index, item) in items.iter().enumerate() {
                assert_fits(&format!("{path}[{index}]"), item, &schema["items"]);
            }
        }
        Value::Number(number) => {
            let is_integer = schema["type"] == "integer" && number.is_i64();
            assert!(is_integer || schema["type"] == "number", "{path}");
        }
        Value::Bool(_) => assert_eq!(schema["type"], "boolean", "{path}"),
        Value::String(_) => assert_eq!(schema["type"], "string", "{path}"),
        Value::Null => panic!("{path} has no value"),
    }
    if let Some(words) = schema["enum"].as_array() {
        assert!(words.contains(value), "{path} is none of {words:?}");
    }
}

#[test]
fn the_step_finds_the_instance_that_the_steps_before_it_compose() {
    let endpoints = [
        ("adopt", "https://infisical.example.org"),
        ("external", "https://infisical.example.org"),
        ("external-secrets", "https://infisical.example.org"),
        ("helm", "http://acme.team-a.svc:8080"),
        ("http", "https://infisical.example.org"),
        ("legacy-claim", "http://acme.team-a.svc:8080"),
        ("namespaced", "http://acme.team-a.svc:8080"),
        ("opentofu", "https://infisical.example.org"),
        ("provider-infisical", "https://infisical.example.org"),
    ];
    let mut found = Vec::new();
    for example in examples() {
        let mut crossplane = example.crossplane();
        let composed = example.composed();
        for observed in example.documents("observed.yaml") {
            let (name, observed) = named(observed, NAMED_BY_CROSSPLANE);
            let rendered = &composed[&name];
            for field in ["/apiVersion", "/kind", "/metadata/name"] {
                assert_eq!(observed.pointer(field), rendered.pointer(field), "{}: {name}", example.name);
            }
            crossplane.composed.insert(name, observed);
        }
        let request = crossplane.request();
        let explained = explain(&request).unwrap_or_else(|error| panic!("{}: {error}", example.name));
        assert!(explained.instance_is_ready, "{}: {}", example.name, explained.text);
        found.push((example.name, explained.endpoint.unwrap()));
    }
    let expected = endpoints.map(|(name, endpoint)| (name.to_owned(), endpoint.to_owned()));
    assert_eq!(found, expected);
}

/// What somebody else did before an example is applied.
fn prepare(world: &mut World, example: &Example) {
    if example.name != "adopt" {
        return;
    }
    // The password is in the file, the token is of the instance.
    let [token, admin] = <[Value; 2]>::try_from(example.documents("required.yaml")).unwrap();
    let password = STANDARD.decode(string(&admin["data"]["INFISICAL_ADMIN_PASSWORD"])).unwrap();
    let email = STANDARD.decode(string(&admin["data"]["INFISICAL_ADMIN_EMAIL"])).unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let theirs = world.bootstrap_elsewhere(&text(email), &text(password));
    let mut written = token;
    written["data"]["token"] = STANDARD.encode(theirs).into();
    world.crossplane.others = vec![written, admin];
}

/// Plays an example until nothing changes any more.
async fn play(example: &Example, variant: Variant) -> World {
    let mut world = World::start(world::variant(variant), Kind::Namespaced).await;
    world.crossplane = example.crossplane();
    prepare(&mut world, example);
    let version = &example.document("xrd.yaml")["spec"]["versions"][0];
    world.crossplane.schema = Some(version["schema"]["openAPIV3Schema"].clone());
    // What the manifests say is in a cluster; here it is the fake.
    world.crossplane.input["instance"]["endpoint"] = json!({"url": world.fake.url()});
    world.settle().await;
    for observed in example.documents("observed.yaml") {
        let (name, observed) = named(observed, NAMED_BY_CROSSPLANE);
        world.crossplane.update(&name, &observed);
    }
    world.settle().await;
    // Who would make it has the connection by now.
    if let Some(project) = world.crossplane.xr["spec"]["projectSlug"].as_str() {
        world.fake.add_project(project);
        world.live(Duration::from_mins(2)).await;
    }
    world
}

/// The key under which the example has the token.
fn token_key(example: &Example) -> String {
    let details = example.input()["connectionDetails"].as_array().cloned().unwrap_or_default();
    let token = details.iter().find(|detail| detail["value"] == "Token");
    token.map_or_else(|| "token".to_owned(), |detail| string(&detail["name"]))
}

#[tokio::test]
async fn every_example_ends_with_a_ready_xr_and_a_token_that_works() {
    for (example, variant) in examples().iter().flat_map(|it| VARIANTS.map(|variant| (it, variant))) {
        let world = play(example, variant).await;
        assert!(world.crossplane.is_ready(), "{}: {}", example.name, world.story());
        let connection = world.crossplane.secret("infisical-connection").unwrap();
        assert!(world.fake.token_works(&connection[&token_key(example)]), "{}", example.name);
        let organization = if example.name == "adopt" { "theirs" } else { "Acme" };
        assert_eq!(world.fake.organization_names(), [organization], "{}", example.name);
        let secret = &world.crossplane.composed["infisical-connection"];
        let said = world.message("InfisicalBootstrapped");
        let name = secret["metadata"]["name"].as_str().unwrap();
        assert!(said.ends_with(name), "{}: {said}", example.name);
        assert_eq!(secret["metadata"]["namespace"], "team-a", "{}", example.name);
        assert!(world.crossplane.condition("InfisicalStatusWritten").is_none(), "{}", world.story());
        let mut status = world.crossplane.xr["status"].clone();
        status.as_object_mut().unwrap().remove("conditions");
        if status != json!({}) {
            let version = &example.document("xrd.yaml")["spec"]["versions"][0];
            let schema = &version["schema"]["openAPIV3Schema"]["properties"]["status"];
            assert_fits(&format!("{}: status", example.name), &status, schema);
        }
        let details: Vec<&str> = world.crossplane.connection_details.keys().map(String::as_str).collect();
        let is_legacy = example.name == "legacy-claim";
        assert_eq!(details, if is_legacy { vec!["host", "token"] } else { vec![] }, "{}", example.name);
    }
}

/// What a step after ours is called with.
fn observed(world: &World) -> Value {
    let resources = world.crossplane.composed.iter();
    let resources: serde_json::Map<_, _> =
        resources.map(|(name, manifest)| (name.clone(), json!({"resource": manifest}))).collect();
    json!({"observed": {"composite": {"resource": world.crossplane.xr}, "resources": resources}})
}

/// The kinds of other projects, as far as the examples use them.
fn kinds() -> Vec<Value> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/crds");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.flat_map(|path| documents(&std::fs::read_to_string(path).unwrap()).unwrap()).collect()
}

/// Holds a manifest against its kind, and says whether that is namespaced.
fn assert_is_of_its_kind(example: &Example, kinds: &[Value], manifest: &Value) -> bool {
    let kind = kinds.iter().find(|kind| {
        let spec = &kind["spec"];
        let version = string(&spec["versions"][0]["name"]);
        manifest["kind"] == spec["names"]["kind"]
            && manifest["apiVersion"] == format!("{}/{version}", string(&spec["group"]))
    });
    let kind = kind.unwrap_or_else(|| panic!("{}: which kind is {manifest}", example.name));
    let schema = &kind["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    let path = format!("{}: {} spec", example.name, manifest["kind"]);
    assert_fits(&path, &manifest["spec"], schema);
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        let rule = string(&rule["rule"]);
        let field = rule.strip_prefix("has(self.forProvider.").unwrap().strip_suffix(')').unwrap();
        assert!(manifest["spec"]["forProvider"][field].is_string(), "{path} needs {field}");
    }
    kind["spec"]["scope"] == "Namespaced"
}

#[test]
fn the_release_is_of_its_kind() {
    let helm = examples().into_iter().find(|example| example.name == "helm").unwrap();
    assert!(assert_is_of_its_kind(&helm, &kinds(), &helm.composed()["infisical"]));
}

#[test]
fn what_an_example_configures_a_provider_with_is_of_its_kind() {
    let kinds = kinds();
    let configured: Vec<_> = examples()
        .iter()
        .flat_map(|example| {
            example.documents("providerconfig.yaml").into_iter().map(|it| (example.name.clone(), it))
        })
        .collect();
    for (name, manifest) in &configured {
        let example = Example { name: name.clone(), folder: PathBuf::new() };
        assert!(!assert_is_of_its_kind(&example, &kinds, manifest), "{name}");
    }
    assert_eq!(configured.len(), 2);
}

/// The keys of a Secret that a manifest names: as a reference, or in double
/// braces as provider-http has it.
fn keys_of(secret: &str, namespace: &str, manifest: &Value) -> Vec<String> {
    let mut keys = Vec::new();
    if manifest["name"] == secret && manifest["key"].is_string() {
        let there = manifest["namespace"].as_str().unwrap_or(namespace);
        assert_eq!(there, namespace, "{manifest}");
        keys.push(string(&manifest["key"]));
    }
    if let Some((_, rest)) = manifest.as_str().and_then(|text| text.split_once("{{ ")) {
        let placeholder = rest.split_once(" }}").unwrap().0;
        let [name, there, key] = <[&str; 3]>::try_from(placeholder.split(':').collect::<Vec<_>>()).unwrap();
        assert_eq!((name, there), (secret, namespace));
        keys.push(key.to_owned());
    }
    let fields = manifest.as_object().into_iter().flat_map(serde_json::Map::values);
    let items = manifest.as_array().into_iter().flatten();
    keys.extend(fields.chain(items).flat_map(|value| keys_of(secret, namespace, value)));
    keys
}

#[tokio::test]
async fn consumers_are_of_their_kinds_and_find_what_they_log_in_with() {
    let kinds = kinds();
    let mut consuming = Vec::new();
    for example in examples() {
        let mut world = play(&example, Variant::Strict).await;
        // Where the provider would say what it made.
        let made = json!({"metadata": {}, "status": {"atProvider": {"id": "7c1e6d1a"}}});
        world.crossplane.composed.insert("project".to_owned(), made);
        let consumers = example.consumers(&observed(&world));
        let is_namespaced = world.crossplane.xr["metadata"]["namespace"].is_string();
        for manifest in consumers.values() {
            let of_namespace = assert_is_of_its_kind(&example, &kinds, manifest);
            assert!(
                of_namespace || !is_namespaced,
                "{}: a namespaced XR composes in its namespace",
                example.name
            );
        }
        let mut login = Vec::new();
        for (resource, logs_in) in [
            ("infisical-connection", vec![token_key(&example)]),
            ("infisical-identity", vec!["credentials".to_owned(), "clientSecret".to_owned()]),
        ] {
            let Some(secret) = world.crossplane.secret(resource) else { continue };
            let name = string(&world.crossplane.composed[resource]["metadata"]["name"]);
            let keys: Vec<_> = consumers.values().flat_map(|it| keys_of(&name, "team-a", it)).collect();
            for key in &keys {
                assert!(secret.contains_key(key), "{}: there is no key {key}", example.name);
            }
            login.extend(keys.iter().any(|key| logs_in.contains(key)).then_some(resource));
        }
        if !consumers.is_empty() {
            consuming.push((example.name.clone(), login));
        }
    }
    let expected = [
        ("external-secrets", vec!["infisical-identity"]),
        ("http", vec!["infisical-connection"]),
        ("opentofu", vec!["infisical-connection"]),
        // It reads no token.
        ("provider-infisical", vec!["infisical-identity"]),
    ];
    assert_eq!(consuming, expected.map(|(name, login)| (name.to_owned(), login)));
}

#[tokio::test]
async fn what_needs_an_id_is_composed_when_it_is_known() {
    let example = examples().into_iter().find(|example| example.name == "provider-infisical").unwrap();
    let names = |observed: &Value| example.consumers(observed).into_keys().collect::<Vec<_>>();
    let at_first = json!({"observed": {"composite": {"resource": example.document("xr.yaml")}}});
    assert_eq!(names(&at_first), ["project", "provider-config"]);
    let world = play(&example, Variant::Strict).await;
    let mut connected = observed(&world);
    assert_eq!(names(&connected), ["identity", "project", "provider-config"]);
    connected["observed"]["resources"]["project"] =
        json!({"resource": {"status": {"atProvider": {"id": "7c1e"}}}});
    assert_eq!(names(&connected), ["identity", "project", "provider-config", "secret"]);
    let consumers = example.consumers(&connected);
    // Composed once, it is asked for whatever the status says.
    connected["observed"]["resources"]["identity"] = json!({"resource": consumers["identity"]});
    connected["observed"]["composite"]["resource"] = example.document("xr.yaml");
    assert_eq!(example.consumers(&connected), consumers);
    assert_eq!(consumers["secret"]["spec"]["forProvider"]["workspaceId"], "7c1e");
    let organization = &world.crossplane.xr["status"]["infisical"]["organizationId"];
    assert_eq!(consumers["identity"]["spec"]["forProvider"]["orgId"], *organization);
}
