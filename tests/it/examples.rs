//! Every folder of `examples/` that has a Composition: its manifests are read,
//! its templates rendered, its input held against the CRD, and its step played
//! until the XR is ready with a token that works.
//!
//! What only a cluster can tell (whether the other functions, the provider and
//! the images do what the manifests expect) is not tested here.

use std::{collections::BTreeMap, path::PathBuf};

use fake_crossplane::Crossplane;
use fake_infisical::Settings;
use function_infisical::{
    input::{self, crd::custom_resource_definition},
    observe::observe,
};
use serde_json::{Value, json};

use crate::world::{Kind, World};

/// The annotation by which function-go-templating names a composed resource.
const NAMED_BY_TEMPLATE: &str = "gotemplating.fn.crossplane.io/composition-resource-name";
/// The annotation by which Crossplane names an observed one.
const NAMED_BY_CROSSPLANE: &str = "crossplane.io/composition-resource-name";

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

    /// The steps of the pipeline, by the functions that they call.
    fn steps(&self) -> BTreeMap<String, Value> {
        let composition = self.document("composition.yaml");
        let steps = composition["spec"]["pipeline"].as_array().unwrap().iter();
        steps.map(|step| (string(&step["functionRef"]["name"]), step["input"].clone())).collect()
    }

    fn input(&self) -> Value {
        self.steps()["function-infisical"].clone()
    }

    /// What the step before this function composes, by name in the pipeline.
    fn composed(&self) -> BTreeMap<String, Value> {
        let Some(input) = self.steps().remove("function-go-templating") else { return BTreeMap::new() };
        let template = string(&input["inline"]["template"]);
        let rendered = render(&template, &self.document("xr.yaml"));
        let documents = documents(&rendered).unwrap_or_else(|error| panic!("{}: {error}", self.name));
        let composed = documents.into_iter().map(|document| named(document, NAMED_BY_TEMPLATE));
        composed.collect()
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
    let examples = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples");
    let folders = std::fs::read_dir(examples).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<PathBuf> =
        folders.filter(|folder| folder.join("composition.yaml").is_file()).collect();
    folders.sort();
    assert!(folders.len() >= 4, "{folders:?}");
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

/// Takes the name in the pipeline off a manifest.
fn named(mut manifest: Value, annotation: &str) -> (String, Value) {
    let annotations = manifest["metadata"]["annotations"].as_object_mut().unwrap();
    let name = string(&annotations.remove(annotation).unwrap());
    (name, manifest)
}

/// What function-go-templating makes of the few actions that the examples use.
fn render(template: &str, xr: &Value) -> String {
    let mut rendered = String::new();
    let mut rest = template;
    while let Some((text, after)) = rest.split_once("{{") {
        let (action, after) = after.split_once("}}").unwrap();
        rendered += text;
        rendered += &evaluate(action.trim_matches(['-', ' ']), xr);
        rest = after;
    }
    rendered + rest
}

fn evaluate(action: &str, xr: &Value) -> String {
    if action == "$xr := .observed.composite.resource" {
        return String::new();
    }
    if let Some(name) = action.strip_prefix("setResourceNameAnnotation ") {
        return format!("{NAMED_BY_TEMPLATE}: {name}");
    }
    let path = action.strip_prefix("$xr.").unwrap_or_else(|| panic!("{action}: teach it to this test"));
    string(path.split('.').fold(xr, |value, field| &value[field]))
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
        assert_eq!(installed, example.steps().into_keys().collect::<Vec<_>>(), "{}", example.name);
    }
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
                let schema = &schema["properties"][name];
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
        ("external", "https://infisical.example.org"),
        ("helm", "http://acme.team-a.svc:8080"),
        ("legacy-claim", "http://acme.team-a.svc:8080"),
        ("namespaced", "http://acme.team-a.svc:8080"),
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
        let input = input::parse(request.input.as_deref()).unwrap();
        let observation = observe(&request, &input).unwrap();
        assert!(observation.instance.is_ready(), "{}: {:?}", example.name, observation.instance);
        found.push((example.name, observation.endpoint.unwrap().origin().to_string()));
    }
    let expected = endpoints.map(|(name, endpoint)| (name.to_owned(), endpoint.to_owned()));
    assert_eq!(found, expected);
}

#[tokio::test]
async fn every_example_ends_with_a_ready_xr_and_a_token_that_works() {
    for example in examples() {
        let mut world = World::start(Settings::default(), Kind::Namespaced).await;
        world.crossplane = example.crossplane();
        // What the manifests say is in a cluster; here it is the fake.
        world.crossplane.input["instance"]["endpoint"] = json!({"url": world.fake.url()});
        world.settle().await;
        for observed in example.documents("observed.yaml") {
            let (name, observed) = named(observed, NAMED_BY_CROSSPLANE);
            world.crossplane.update(&name, &observed);
        }
        world.settle().await;
        assert!(world.crossplane.is_ready(), "{}: {}", example.name, world.story());
        assert!(world.token_works(), "{}", example.name);
        assert_eq!(world.fake.organization_names(), ["Acme"], "{}", example.name);
        let secret = &world.crossplane.composed["infisical-connection"];
        let said = world.message("InfisicalBootstrapped");
        let name = secret["metadata"]["name"].as_str().unwrap();
        assert!(said.ends_with(name), "{}: {said}", example.name);
        assert_eq!(secret["metadata"]["namespace"], "team-a", "{}", example.name);
        let details: Vec<&str> = world.crossplane.connection_details.keys().map(String::as_str).collect();
        let is_legacy = example.name == "legacy-claim";
        assert_eq!(details, if is_legacy { vec!["host", "token"] } else { vec![] }, "{}", example.name);
    }
}
