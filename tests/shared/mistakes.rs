//! `docs/mistakes.md`, read: what is wrong, what the XR says, and what is right.
//!
//! A heading with a `text` block below it is a mistake. The YAML before that
//! block is wrong, and the YAML after it, laid over that, is right. What the
//! page's first paragraphs say of the XR and its Composition is built here.

use serde_json::{Value, json};

/// A mistake of the page.
pub(crate) struct Mistake {
    /// What the XR is called: `acme-`, the number, and a letter where there are
    /// several of a number.
    pub(crate) name: String,
    wrong: Vec<Value>,
    right: Vec<Value>,
    /// The conditions of the XR.
    pub(crate) says: Vec<Says>,
    /// Severity, reason and message of its events.
    pub(crate) events: Vec<[String; 3]>,
}

/// A condition, as `kubectl describe` shows it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Says {
    pub(crate) condition_type: String,
    pub(crate) status: String,
    pub(crate) reason: String,
    pub(crate) message: String,
}

/// What is in the cluster.
pub(crate) struct Applied {
    /// The XR, as its author wrote it.
    pub(crate) xr: Value,
    /// The steps of this function.
    pub(crate) steps: Vec<Value>,
    /// Secrets and the like.
    pub(crate) objects: Vec<Value>,
}

/// Where all of it is.
pub(crate) const NAMESPACE: &str = "team-a";

/// All mistakes, in their order.
pub(crate) fn mistakes(page: &str) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    for section in page.split("\n## ").skip(1) {
        let Some((number, _)) = section.split_once(". ") else { continue };
        let parts: Vec<&str> = section.split("\n### ").filter(|part| part.contains("\n```text\n")).collect();
        for (part, letter) in parts.iter().zip('a'..) {
            let letter = if parts.len() > 1 { letter.to_string() } else { String::new() };
            mistakes.push(mistake(format!("acme-{number}{letter}"), part));
        }
    }
    mistakes
}

fn mistake(name: String, part: &str) -> Mistake {
    let (before, rest) = part.split_once("\n```text\n").expect("a mistake says something");
    let (said, after) = rest.split_once("\n```\n").expect("a block ends");
    let (conditions, events) = said.split_once("\nEvents:").unwrap_or((said, ""));
    let event = |line: &str| {
        let mut columns = line.trim().splitn(3, "  ").map(|column| column.trim().to_owned());
        [(); 3].map(|()| columns.next().expect("an event has three columns"))
    };
    let events = events.lines().filter(|line| line.starts_with("  ")).map(event).collect();
    Mistake { name, wrong: yaml(before), right: yaml(after), says: conditions_of(conditions), events }
}

/// Each ends with its type, as the fields are in the order of the alphabet.
fn conditions_of(text: &str) -> Vec<Says> {
    let mut all = Vec::new();
    let mut says = Says::default();
    for (name, value) in text.lines().filter_map(|line| line.split_once(':')) {
        let value = value.trim().to_owned();
        match name.trim() {
            "Message" => says.message = value,
            "Reason" => says.reason = value,
            "Status" => says.status = value,
            "Type" => all.push(Says { condition_type: value, ..std::mem::take(&mut says) }),
            _ => {}
        }
    }
    all
}

fn yaml(text: &str) -> Vec<Value> {
    let blocks = text.split("\n```yaml\n").skip(1).map(|rest| rest.split("\n```").next().unwrap_or_default());
    blocks
        .map(|block| serde_saphyr::from_str(block).unwrap_or_else(|error| panic!("{block}: {error}")))
        .collect()
}

impl Mistake {
    /// What is in the cluster with the mistake.
    pub(crate) fn wrong(&self) -> Applied {
        self.applied(&[])
    }

    /// What is in the cluster when it is mended, with an instance at a URL and a
    /// CA of that, where the page has one.
    pub(crate) fn right(&self, url: &str, ca: &str) -> Applied {
        let mut applied = self.applied(&self.right);
        for step in &mut applied.steps {
            let mut endpoint = json!({ "url": url });
            if let Some(bundle) = step["input"]["instance"]["endpoint"]["tls"]["caBundle"].as_str() {
                assert!(function_infisical::input::is_certificate_bundle(bundle), "{bundle}");
                endpoint["tls"] = json!({ "caBundle": ca });
            }
            step["input"]["instance"]["endpoint"] = endpoint;
        }
        applied
    }

    /// Whether the page has a CA for it.
    pub(crate) fn has_ca(&self) -> bool {
        self.right.iter().any(|document| !document["instance"]["endpoint"]["tls"].is_null())
    }

    /// Whether it is about an instance that somebody else bootstrapped.
    pub(crate) fn adopts(&self) -> bool {
        self.wrong.iter().any(|document| !document["adopt"].is_null())
    }

    fn applied(&self, more: &[Value]) -> Applied {
        let xr = json!({
            "apiVersion": "platform.example.org/v1alpha1", "kind": "Infisical",
            "metadata": { "name": self.name, "namespace": NAMESPACE }, "spec": {},
        });
        let input = json!({
            "apiVersion": "infisical.fn.crossplane.io/v1beta1", "kind": "Bootstrap",
            "instance": {
                "resource": "infisical",
                "endpoint": { "service": { "resource": "service", "port": 8080 } },
            },
            "admin": { "email": "platform@example.org" },
        });
        let step = json!({
            "step": "bootstrap-infisical", "functionRef": { "name": "function-infisical" }, "input": input,
        });
        let mut applied = Applied { xr, steps: vec![step], objects: Vec::new() };
        for document in self.wrong.iter().chain(more) {
            applied.lay(document);
        }
        applied
    }
}

impl Applied {
    fn lay(&mut self, document: &Value) {
        let fields = document.as_object().expect("a document is an object");
        match (document["kind"].as_str(), document["pipeline"].as_array()) {
            (Some("Secret"), _) => {
                self.objects.retain(|object| object["metadata"] != document["metadata"]);
                self.objects.push(document.clone());
            }
            (Some(_), _) => self.xr = document.clone(),
            (None, Some(steps)) => self.steps.clone_from(steps),
            // Fields of the input.
            (None, None) => {
                let step = self.steps.last_mut().expect("there is a step");
                for (name, value) in fields {
                    step["input"][name] = value.clone();
                }
            }
        }
    }
}
