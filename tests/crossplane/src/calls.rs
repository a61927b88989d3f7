//! The calls of one step in one reconcile.
//!
//! As `FetchingFunctionRunner` of Crossplane v2.3.4 makes them
//! (`internal/xfn/required_resources.go`): it starts from no requirements, brings
//! what a response asks for and calls again, until a response asks for the same as
//! the one before. Only that last response is used. A message that is there and
//! empty is not the same as none, so a step that sets one is called twice.

use std::collections::BTreeMap;

use function_infisical::contract::proto::v1::{
    Requirements, Resource, ResourceSelector, Resources, Result as Event, RunFunctionRequest,
    RunFunctionResponse, Schema, SchemaSelector, Severity, resource_selector::Match,
};
use serde_json::Value;

use crate::{Crossplane, structs::encode};

/// How often a step is called in one reconcile at most: it counts from 0 to
/// `MaxRequirementsIterations`, and that is 5.
const CALLS_AT_MOST: usize = 6;

/// How far a step has been called in a reconcile.
#[derive(Clone)]
pub struct Calls {
    /// What it is called with next.
    pub request: RunFunctionRequest,
    /// How often it was called.
    pub made: usize,
    /// What the response before asked for.
    requirements: Option<Requirements>,
    /// What the Composition brings to the first call, and so to each.
    resources: BTreeMap<String, Resources>,
    schemas: BTreeMap<String, Schema>,
}

/// What comes after a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It is the one that is used.
    Used,
    /// It is thrown away, and the step is called again.
    Again,
    /// The reconcile fails: what is asked for changes from call to call.
    Unstable,
}

impl Calls {
    /// Before the first call.
    #[must_use]
    pub fn new(request: RunFunctionRequest) -> Self {
        let (resources, schemas) = (request.required_resources.clone(), request.required_schemas.clone());
        Self { request, made: 0, requirements: None, resources, schemas }
    }

    /// Whether a response to the next call would be used.
    #[must_use]
    pub fn uses(&self, response: &RunFunctionResponse) -> bool {
        let is_fatal = |result: &Event| result.severity() == Severity::Fatal;
        response.results.iter().any(is_fatal) || response.requirements == self.requirements
    }

    /// Takes a response, and brings what it asks for from a cluster.
    pub fn take(&mut self, response: &RunFunctionResponse, cluster: &Crossplane) -> Next {
        self.made += 1;
        if self.uses(response) {
            return Next::Used;
        }
        self.requirements.clone_from(&response.requirements);
        self.bring(cluster);
        self.request.context.clone_from(&response.context);
        if self.made < CALLS_AT_MOST { Next::Again } else { Next::Unstable }
    }

    /// What is not asked for any more is not in the next request, but for what the
    /// Composition brings.
    fn bring(&mut self, cluster: &Crossplane) {
        let asked = self.requirements.clone().unwrap_or_default();
        let found = |(name, selector): (&String, &ResourceSelector)| (name.clone(), find(cluster, selector));
        self.request.extra_resources = asked.extra_resources.iter().map(found).collect();
        self.request.required_resources.clone_from(&self.resources);
        self.request.required_resources.extend(asked.resources.iter().map(found));
        self.request.required_schemas.clone_from(&self.schemas);
        let schemas =
            asked.schemas.iter().map(|(name, selector)| (name.clone(), find_schema(cluster, selector)));
        self.request.required_schemas.extend(schemas);
    }
}

/// A kind of which nothing is published has an entry that is empty
/// (`internal/xfn/required_schemas.go`).
fn find_schema(cluster: &Crossplane, selector: &SchemaSelector) -> Schema {
    let is_of = cluster.xr["apiVersion"] == selector.api_version.as_str()
        && cluster.xr["kind"] == selector.kind.as_str();
    Schema { openapi_v3: cluster.schema.as_ref().filter(|_| is_of).map(encode) }
}

/// What is looked for and not there has an entry without items.
fn find(cluster: &Crossplane, selector: &ResourceSelector) -> Resources {
    let all = cluster.others.iter().chain(&cluster.claim).chain(cluster.composed.values());
    let mut found: Vec<&Value> = all.filter(|object| selects(selector, object)).collect();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    found.sort_by_key(|object| {
        format!("{}/{}", text(&object["metadata"]["namespace"]), text(&object["metadata"]["name"]))
    });
    let items =
        found.into_iter().map(|object| Resource { resource: Some(encode(object)), ..Resource::default() });
    Resources { items: items.collect() }
}

fn selects(selector: &ResourceSelector, object: &Value) -> bool {
    let metadata = &object["metadata"];
    let namespace = metadata["namespace"].as_str().unwrap_or_default();
    let wanted = selector.namespace.as_deref().unwrap_or_default();
    let is_selected = match &selector.r#match {
        // One object, which without a namespace is one that has none.
        Some(Match::MatchName(name)) => metadata["name"] == name.as_str() && namespace == wanted,
        // Else a list, which without a namespace is of all.
        list => {
            let labels = match list {
                Some(Match::MatchLabels(labels)) => Some(&labels.labels),
                Some(Match::MatchName(_)) | None => None,
            };
            let has = |(key, value): (&String, &String)| metadata["labels"][key] == value.as_str();
            labels.is_none_or(|labels| labels.iter().all(has)) && (wanted.is_empty() || namespace == wanted)
        }
    };
    is_selected
        && object["apiVersion"] == selector.api_version.as_str()
        && object["kind"] == selector.kind.as_str()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use function_infisical::contract::proto::v1::{MatchLabels, ResponseMeta, Result as Event};
    use serde_json::json;

    use super::*;
    use crate::{Reconciled, structs::decode};

    fn cluster() -> Crossplane {
        let xr = json!({"apiVersion": "example.org/v1", "kind": "Vault", "metadata": {"name": "vault"}});
        let mut cluster = Crossplane::new(xr, json!({}));
        for (kind, namespace, name) in [
            ("Secret", json!("team-b"), "one"),
            ("Secret", json!("team-a"), "two"),
            ("Secret", json!("team-a"), "one"),
            ("ClusterStore", Value::Null, "one"),
        ] {
            let metadata = json!({"name": name, "namespace": namespace, "labels": {"app": name}});
            cluster.others.push(json!({"apiVersion": "v1", "kind": kind, "metadata": metadata}));
        }
        cluster
    }

    fn named(kind: &str, namespace: Option<&str>, name: &str) -> ResourceSelector {
        ResourceSelector {
            api_version: "v1".to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.map(str::to_owned),
            r#match: Some(Match::MatchName(name.to_owned())),
        }
    }

    /// What a step asks for that asks for one Secret under one name.
    fn asks(requirement: &str) -> Requirements {
        let resources = BTreeMap::from([(requirement.to_owned(), named("Secret", Some("team-a"), "one"))]);
        Requirements { resources, ..Requirements::default() }
    }

    /// The requests of a reconcile in which a step asks for this, call by call, and
    /// then for the last again; and what came of it.
    async fn requests(
        cluster: &mut Crossplane,
        asked: &[Option<Requirements>],
    ) -> (Vec<RunFunctionRequest>, Reconciled) {
        let mut requests = Vec::new();
        let answer = async |request: RunFunctionRequest| {
            let requirements = asked.get(requests.len()).or(asked.last()).cloned().flatten();
            requests.push(request);
            Ok::<_, Infallible>(RunFunctionResponse { requirements, ..RunFunctionResponse::default() })
        };
        let reconciled = cluster.reconcile(answer).await.unwrap();
        (requests, reconciled)
    }

    #[tokio::test]
    async fn a_step_is_called_until_it_asks_for_the_same_twice() {
        let (none, empty) = (None, Some(Requirements::default()));
        let applied = Reconciled::Applied { changed: false };
        let changing: Vec<_> = (0..9).map(|number| Some(asks(&number.to_string()))).collect();
        let table = [
            ("nothing is asked for", vec![none.clone()], 1, applied.clone()),
            ("an empty message is not none", vec![empty.clone()], 2, applied.clone()),
            ("something", vec![Some(asks("a"))], 2, applied.clone()),
            ("then something else", vec![Some(asks("a")), Some(asks("b"))], 3, applied.clone()),
            ("then nothing", vec![Some(asks("a")), none.clone()], 3, applied.clone()),
            ("then an empty message", vec![Some(asks("a")), empty], 3, applied),
            ("always something else", changing, 6, Reconciled::Unstable),
        ];
        for (what, asked, calls, expected) in table {
            let mut cluster = cluster();
            requests(&mut cluster, &[None]).await;
            let (requests, reconciled) = requests(&mut cluster, &asked).await;
            assert_eq!((requests.len(), reconciled), (calls, expected), "{what}");
            assert_eq!(cluster.called, calls, "{what}");
        }
    }

    #[tokio::test]
    async fn a_fatal_result_ends_the_reconcile_whatever_is_asked_for() {
        let mut cluster = cluster();
        let mut calls = 0;
        let answer = async |_| {
            calls += 1;
            let fatal = Event { severity: Severity::Fatal.into(), ..Event::default() };
            let (results, requirements) = (vec![fatal], Some(asks("a")));
            Ok::<_, Infallible>(RunFunctionResponse {
                results,
                requirements,
                ..RunFunctionResponse::default()
            })
        };
        let reconciled = cluster.reconcile(answer).await.unwrap();
        assert_eq!((reconciled, calls), (Reconciled::Fatal(String::new()), 1));
    }

    #[tokio::test]
    async fn what_is_not_asked_for_any_more_is_not_brought_any_more() {
        let (requests, _) = requests(&mut cluster(), &[Some(asks("a")), Some(asks("b"))]).await;
        let brought =
            |request: &RunFunctionRequest| request.required_resources.keys().cloned().collect::<Vec<_>>();
        assert_eq!(
            requests.iter().map(brought).collect::<Vec<_>>(),
            [vec![], vec!["a".to_owned()], vec!["b".to_owned()]]
        );
    }

    #[test]
    fn the_schema_of_the_xr_is_brought_and_one_that_is_not_published_is_empty() {
        let selector =
            |kind: &str| SchemaSelector { api_version: "example.org/v1".into(), kind: kind.into() };
        let schemas = ["Vault", "Other"].map(|kind| (kind.to_owned(), selector(kind))).into();
        let requirements = Some(Requirements { schemas, ..Requirements::default() });
        let response = RunFunctionResponse { requirements, ..RunFunctionResponse::default() };
        for schema in [None, Some(json!({"type": "object"}))] {
            let mut cluster = cluster();
            cluster.schema.clone_from(&schema);
            let mut calls = Calls::new(cluster.request());
            assert_eq!(calls.take(&response, &cluster), Next::Again);
            let brought = calls.request.required_schemas["Vault"].openapi_v3.as_deref();
            assert_eq!(brought.map(decode), schema);
            assert!(calls.request.required_schemas["Other"].openapi_v3.is_none());
        }
    }

    #[test]
    fn what_the_composition_brings_is_in_every_call() {
        let cluster = cluster();
        let mut request = cluster.request();
        request.required_resources.insert("given".to_owned(), Resources::default());
        let mut calls = Calls::new(request);
        let response =
            RunFunctionResponse { requirements: Some(asks("a")), ..RunFunctionResponse::default() };
        assert_eq!(calls.take(&response, &cluster), Next::Again);
        let brought: Vec<_> = calls.request.required_resources.keys().collect();
        assert_eq!(brought, ["a", "given"]);
    }

    #[test]
    fn the_context_of_a_response_is_in_the_next_call_and_its_desired_state_is_not() {
        let cluster = cluster();
        let mut calls = Calls::new(cluster.request());
        let first = calls.request.clone();
        let response = RunFunctionResponse {
            meta: Some(ResponseMeta { tag: "another".to_owned(), ttl: None }),
            context: Some(encode(&json!({"a": 1}))),
            requirements: Some(asks("a")),
            ..RunFunctionResponse::default()
        };
        calls.take(&response, &cluster);
        assert_eq!(decode(calls.request.context.as_deref().unwrap()), json!({"a": 1}));
        assert!(calls.request.desired == first.desired && calls.request.meta == first.meta);
    }

    #[test]
    fn requests_that_are_the_same_have_the_same_tag_and_others_do_not() {
        let tag = |cluster: &Crossplane| cluster.request().meta.unwrap().tag;
        let (one, mut other) = (cluster(), cluster());
        assert_eq!(tag(&one), tag(&other));
        other.xr["metadata"]["generation"] = json!(2);
        assert_ne!(tag(&one), tag(&other));
    }

    #[test]
    fn objects_are_found_as_the_api_server_finds_them() {
        let labels = BTreeMap::from([("app".to_owned(), "one".to_owned())]);
        let labelled = |namespace| ResourceSelector {
            r#match: Some(Match::MatchLabels(MatchLabels { labels: labels.clone() })),
            ..named("Secret", namespace, "")
        };
        let all = |namespace| ResourceSelector { r#match: None, ..named("Secret", namespace, "") };
        let table = [
            (named("Secret", Some("team-a"), "one"), vec!["team-a/one"]),
            (named("Secret", Some("team-c"), "one"), vec![]),
            (named("Secret", None, "one"), vec![]),
            (named("ClusterStore", None, "one"), vec!["/one"]),
            (labelled(Some("team-b")), vec!["team-b/one"]),
            (labelled(None), vec!["team-a/one", "team-b/one"]),
            (all(Some("team-a")), vec!["team-a/one", "team-a/two"]),
            (all(None), vec!["team-a/one", "team-a/two", "team-b/one"]),
        ];
        let cluster = cluster();
        for (selector, expected) in table {
            let found = find(&cluster, &selector).items.into_iter().map(|item| {
                let metadata = decode(item.resource.as_deref().unwrap_or_default())["metadata"].clone();
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                format!("{}/{}", text(&metadata["namespace"]), text(&metadata["name"]))
            });
            assert_eq!(found.collect::<Vec<_>>(), expected, "{selector:?}");
        }
    }
}
