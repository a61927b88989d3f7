//! From a managed resource to a server: whose Secret, which host, which token.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use async_trait::async_trait;
use futures::FutureExt as _;
use infisical::{
    Client, Error, ErrorKind,
    api::FindProject,
    client::{Exchange, Request, Response},
    endpoint::Endpoint,
};
use jiff::Timestamp;
use k8s_openapi::{ByteString, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use provider_infisical::{
    api::{
        config::{ClusterProviderConfig, ProviderConfig, ProviderConfigUsage},
        resource::Managed,
    },
    connect::{
        Configs, Connector, Served,
        login::Data,
        session::{Open, Shared},
    },
    managed::{
        Connect,
        cluster::{ClusterError, ObjectKey},
        external::{ConnectionDetails, External, ExternalError, Made, Mark, Read},
    },
};
use serde_json::{Value, json};

use crate::world::{
    Resource,
    thing::{Parameters, Thing, key},
};

const ID: &str = "7fb194b6-bdc8-4a18-9d2b-4b5a7e0f6a11";

#[derive(Default)]
struct State {
    configs: BTreeMap<ObjectKey, Value>,
    secrets: BTreeMap<ObjectKey, BTreeMap<String, String>>,
    usages: BTreeMap<ObjectKey, Value>,
    /// The tokens that servers accept.
    accepted: Vec<String>,
    /// The clients that may log in, and what they get.
    clients: BTreeMap<String, String>,
    /// `host route token` of what was sent.
    sent: Vec<String>,
}

#[derive(Clone, Default)]
struct Platform(Arc<Mutex<State>>);

impl Platform {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn config(&self, namespace: &str, name: &str, spec: &Value) {
        let config = json!({ "metadata": { "namespace": namespace, "name": name }, "spec": spec });
        self.state().configs.insert(key(namespace, name), config);
    }

    fn secret(&self, namespace: &str, name: &str, pairs: &[(&str, &str)]) {
        let data = pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
        self.state().secrets.insert(key(namespace, name), data);
    }

    fn connector(&self) -> Connector {
        let shared = Shared::new(Arc::new(self.clone()), Arc::new(self.clone()));
        Connector::new(Arc::new(self.clone()), Arc::new(shared))
    }

    fn sent(&self) -> Vec<String> {
        std::mem::take(&mut self.state().sent)
    }
}

impl daemon::clock::Clock for Platform {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }
}

#[async_trait]
impl Configs for Platform {
    async fn provider_config(&self, at: &ObjectKey) -> Result<Option<ProviderConfig>, ClusterError> {
        Ok(self.state().configs.get(at).map(|it| serde_json::from_value(it.clone()).unwrap()))
    }

    async fn cluster_provider_config(
        &self,
        name: &str,
    ) -> Result<Option<ClusterProviderConfig>, ClusterError> {
        Ok(self.state().configs.get(&key("", name)).map(|it| serde_json::from_value(it.clone()).unwrap()))
    }

    async fn data(&self, at: &ObjectKey) -> Result<Option<Data>, ClusterError> {
        let bytes = |data: &BTreeMap<String, String>| {
            data.iter().map(|(key, value)| (key.clone(), ByteString(value.clone().into_bytes()))).collect()
        };
        Ok(self.state().secrets.get(at).map(bytes))
    }

    async fn usage(&self, at: &ObjectKey) -> Result<Option<ProviderConfigUsage>, ClusterError> {
        Ok(self.state().usages.get(at).map(|it| serde_json::from_value(it.clone()).unwrap()))
    }

    async fn create_usage(&self, usage: &ProviderConfigUsage) -> Result<(), ClusterError> {
        let at = ObjectKey::of(&usage.metadata);
        self.state().usages.insert(at, serde_json::to_value(usage).unwrap());
        Ok(())
    }

    async fn patch_usage(&self, at: &ObjectKey, patch: &Value) -> Result<(), ClusterError> {
        let mut state = self.state();
        provider_infisical::managed::merge::apply(state.usages.get_mut(at).unwrap(), patch);
        Ok(())
    }
}

impl infisical::Connect for Platform {
    fn connect(&self, endpoint: &Endpoint) -> Result<Client, Error> {
        Ok(Client::new(Server { platform: self.clone(), host: endpoint.origin().to_string() }))
    }
}

struct Server {
    platform: Platform,
    host: String,
}

#[async_trait]
impl Exchange for Server {
    async fn send(&self, request: Request) -> Result<Response, ErrorKind> {
        let mut state = self.platform.state();
        let token = request.authorization.as_ref().map_or("", |it| it.to_str().unwrap());
        let token = token.trim_start_matches("Bearer ").to_owned();
        state.sent.push(format!("{} {} {token}", self.host, request.what));
        let answer = |status, body: &Value| Response {
            status,
            content_type: Some("application/json".to_owned()),
            body: zeroize_vec(body),
            ..Response::default()
        };
        let refused = |status: u16, error: &str| {
            answer(status, &json!({ "statusCode": status, "error": error, "message": "no" }))
        };
        if let Some(body) = request.body {
            let body: Value = serde_json::from_slice(&body).unwrap();
            let token = state.clients.get(body["clientSecret"].as_str().unwrap()).cloned();
            return Ok(match token {
                Some(token) => {
                    state.accepted.push(token.clone());
                    answer(200, &json!({ "accessToken": token }))
                }
                None => refused(401, "Unauthorized"),
            });
        }
        Ok(if state.accepted.contains(&token) {
            answer(200, &json!({ "id": ID }))
        } else {
            refused(403, "TokenError")
        })
    }
}

fn zeroize_vec(body: &Value) -> zeroize::Zeroizing<Vec<u8>> {
    serde_json::to_vec(body).unwrap().into()
}

impl Served for Thing<false> {
    fn external(open: &Arc<Open>) -> Arc<dyn External<Self>> {
        Arc::new(Calls(Arc::clone(open)))
    }
}

struct Calls(Arc<Open>);

#[async_trait]
impl External<Thing<false>> for Calls {
    async fn observe(&self, id: &str, _: &Parameters, _: Read) -> Result<Option<Resource>, ExternalError> {
        self.0.send(&FindProject { token: &self.0.token, slug: id }).await?;
        Ok(None)
    }

    async fn find(&self, _: &Parameters, _: Mark<'_>, _: Read) -> Result<Vec<Resource>, ExternalError> {
        Ok(Vec::new())
    }

    async fn create(&self, _: &Parameters, _: Mark<'_>) -> Result<Made, ExternalError> {
        Ok(Made::default())
    }

    async fn update(&self, _: &str, _: &Parameters, _: &i64) -> Result<ConnectionDetails, ExternalError> {
        Ok(ConnectionDetails::default())
    }

    async fn delete(&self, _: &str, _: &Parameters) -> Result<(), ExternalError> {
        Ok(())
    }
}

fn thing(namespace: &str, config: &Value) -> Managed<Thing<false>> {
    let spec = json!({ "forProvider": {}, "providerConfigRef": config });
    let metadata = ObjectMeta {
        namespace: Some(namespace.to_owned()),
        name: Some("one".to_owned()),
        uid: Some("uid-1".to_owned()),
        ..ObjectMeta::default()
    };
    Managed::new(metadata, serde_json::from_value(spec).unwrap())
}

fn asked(connector: &Connector, object: &Managed<Thing<false>>) -> Result<(), String> {
    let ask = async {
        let external = Connect::<Thing<false>>::connect(connector, object).await?;
        external.observe("payments", &Parameters::default(), Read::Fresh).await
    };
    ask.now_or_never().unwrap().map(drop).map_err(|error| error.message)
}

fn local() -> Value {
    json!({ "kind": "ProviderConfig", "name": "default" })
}

fn of_cluster() -> Value {
    json!({ "kind": "ClusterProviderConfig", "name": "default" })
}

#[test]
fn the_connection_secret_beside_a_provider_config_is_used() {
    let platform = Platform::default();
    platform.config("team", "default", &json!({ "connectionSecretRef": { "name": "infisical" } }));
    platform.secret("team", "infisical", &[("host", "http://one"), ("token", "a")]);
    platform.state().accepted.push("a".to_owned());
    let connector = platform.connector();
    for _ in 0..2 {
        assert_eq!(asked(&connector, &thing("team", &local())), Ok(()));
    }
    assert_eq!(platform.sent(), ["http://one look for the project a"; 2]);
    let usage = platform.state().usages[&key("team", "uid-1")].clone();
    assert_eq!(usage["providerConfigRef"], local());
    assert_eq!(usage["resourceRef"]["kind"], "Thing");
    assert_eq!(usage["metadata"]["labels"]["crossplane.io/provider-config"], "default");
    assert_eq!(usage["metadata"]["labels"]["crossplane.io/provider-config-kind"], "ProviderConfig");
    assert_eq!(usage["metadata"]["ownerReferences"][0]["controller"], true);
}

#[test]
fn a_configuration_is_for_its_namespace_or_for_those_that_it_names() {
    let platform = Platform::default();
    platform.config("team", "default", &json!({ "connectionSecretRef": { "name": "infisical" } }));
    platform.config(
        "",
        "default",
        &json!({
            "connectionSecretRef": { "name": "infisical", "namespace": "platform" },
            "allowedNamespaces": { "names": ["team"] },
        }),
    );
    platform.secret("platform", "infisical", &[("host", "http://one"), ("token", "a")]);
    platform.state().accepted.push("a".to_owned());
    let connector = platform.connector();
    assert_eq!(asked(&connector, &thing("team", &of_cluster())), Ok(()));
    let refused = asked(&connector, &thing("other", &of_cluster())).unwrap_err();
    assert!(refused.contains("is not for the namespace other"), "{refused}");
    let missing = asked(&connector, &thing("other", &local())).unwrap_err();
    assert_eq!(missing, "there is no ProviderConfig other/default");
    let secret = asked(&connector, &thing("team", &local())).unwrap_err();
    assert_eq!(secret, "there is no Secret team/infisical", "a ProviderConfig reads beside it only");
}

#[test]
fn a_token_that_was_renewed_is_taken_from_the_secret_before_anything_is_concluded() {
    let platform = Platform::default();
    platform.config(
        "",
        "default",
        &json!({
            "connectionSecretRef": { "name": "infisical", "namespace": "platform" },
        }),
    );
    platform.secret("platform", "infisical", &[("host", "http://one"), ("token", "a")]);
    platform.state().accepted.push("a".to_owned());
    let connector = platform.connector();
    assert_eq!(asked(&connector, &thing("team", &of_cluster())), Ok(()));
    // The function has renewed it, and has ended the old one.
    platform.secret("platform", "infisical", &[("host", "http://one"), ("token", "b")]);
    platform.state().accepted = vec!["b".to_owned()];
    platform.sent();
    assert_eq!(asked(&connector, &thing("team", &of_cluster())), Ok(()));
    assert_eq!(platform.sent(), ["http://one look for the project a", "http://one look for the project b"]);
    // Nobody has renewed it.
    platform.state().accepted.clear();
    let refused = asked(&connector, &thing("team", &of_cluster())).unwrap_err();
    assert_eq!(refused, "cannot look for the project: the token is malformed or another server's");
    assert_eq!(platform.sent().len(), 1, "the same token is not tried twice");
}

#[test]
fn a_login_is_kept_renewed_when_it_is_over_and_never_tried_again_once_it_was_refused() {
    let platform = Platform::default();
    let credentials = |secret: &str| {
        format!(r#"{{"auth":{{"universal":{{"client_id":"c","client_secret":"{secret}"}}}}}}"#)
    };
    platform.config(
        "team",
        "default",
        &json!({
            "host": "http://one",
            "credentials": { "source": "Secret", "secretRef": { "name": "login", "key": "json" } },
        }),
    );
    platform.secret("team", "login", &[("json", &credentials("right"))]);
    platform.state().clients.insert("right".to_owned(), "first".to_owned());
    let connector = platform.connector();
    let object = thing("team", &local());
    assert_eq!(asked(&connector, &object), Ok(()));
    assert_eq!(asked(&connector, &object), Ok(()));
    let login = "http://one log in with the client secret ";
    let ask = |token: &str| format!("http://one look for the project {token}");
    assert_eq!(platform.sent(), [login.to_owned(), ask("first"), ask("first")]);
    platform.state().accepted.clear();
    platform.state().clients.insert("right".to_owned(), "second".to_owned());
    assert_eq!(asked(&connector, &object), Ok(()));
    assert_eq!(platform.sent(), [ask("first"), login.to_owned(), ask("second")]);
    // Somebody has revoked the client secret.
    platform.state().accepted.clear();
    platform.state().clients.clear();
    for _ in 0..5 {
        asked(&connector, &object).unwrap_err();
    }
    assert_eq!(platform.sent(), [ask("second"), login.to_owned()], "one try, or the identity is locked");
    platform.secret("team", "login", &[("json", &credentials("new"))]);
    platform.state().clients.insert("new".to_owned(), "third".to_owned());
    assert_eq!(asked(&connector, &object), Ok(()));
}

#[test]
fn requests_go_where_the_configuration_says_by_now() {
    let platform = Platform::default();
    platform.secret("team", "old", &[("host", "http://old"), ("token", "a")]);
    platform.secret("team", "new", &[("host", "http://new"), ("token", "a")]);
    platform.state().accepted.push("a".to_owned());
    let connector = platform.connector();
    for (name, host) in [("old", "http://old"), ("new", "http://new")] {
        platform.config("team", "default", &json!({ "connectionSecretRef": { "name": name } }));
        assert_eq!(asked(&connector, &thing("team", &local())), Ok(()));
        assert_eq!(platform.sent(), [format!("{host} look for the project a")]);
    }
}

#[test]
fn a_usage_follows_the_configuration_and_is_not_written_for_nothing() {
    let platform = Platform::default();
    let connector = platform.connector();
    asked(&connector, &thing("team", &local())).unwrap_err();
    let before = platform.state().usages.clone();
    asked(&connector, &thing("team", &local())).unwrap_err();
    assert_eq!(platform.state().usages, before);
    asked(&connector, &thing("team", &of_cluster())).unwrap_err();
    let usage = platform.state().usages[&key("team", "uid-1")].clone();
    assert_eq!(usage["providerConfigRef"], of_cluster());
    assert_eq!(usage["metadata"]["labels"]["crossplane.io/provider-config-kind"], "ClusterProviderConfig");
}
