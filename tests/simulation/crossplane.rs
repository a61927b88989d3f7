//! Crossplane around one XR: what its cache shows, and what becomes of a
//! response.
//!
//! Requests are made and responses applied by the fake; here they are made from
//! older states, and applied in part.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use fake_crossplane::{Crossplane, Reconciled, structs::decode};
use function_infisical::contract::proto::v1::{RunFunctionResponse, State};
use infisical::{claims::Claims, secret::AccessToken};
use prost::Message as _;
use serde_json::{Value, json};

use crate::{
    clock::START,
    infisical::{Server, supplied},
    schedule::{Admin, Change, EMAILS, HandOff, Human, Kind, Ours, Setup, View},
};

pub(crate) const ADMIN: &str = "infisical-admin";
pub(crate) const CONNECTION: &str = "infisical-connection";
pub(crate) const IDENTITY: &str = "infisical-identity";
/// The type of the Secrets that others read.
const CONNECTION_TYPE: &str = "connection.crossplane.io/v1alpha1";
/// The slug of what is composed beside.
const PROJECT: &str = "payments";

/// How long ago a state may have ended that the cache still shows. The function
/// counts on less than ten minutes.
const STALE_AT_MOST: Duration = Duration::from_mins(5);

/// How many earlier states are kept.
const KEPT: usize = 8;

/// One XR, and the server that it is about.
pub(crate) struct Place {
    pub(crate) crossplane: Crossplane,
    pub(crate) server: Arc<Server>,
    /// Passwords that were in the cluster at some time.
    pub(crate) persisted: BTreeSet<String>,
    /// Client secrets that were in the cluster at some time.
    pub(crate) persisted_identities: BTreeSet<String>,
    /// Passwords that a person's doing took out of it.
    pub(crate) destroyed: BTreeSet<String>,
    /// Responses that may be used again, by the request of a reconcile's first call.
    pub(crate) cache: BTreeMap<Vec<u8>, (Duration, RunFunctionResponse)>,
    /// How often something was applied, wholly or in part.
    pub(crate) applies: u32,
    /// Whether the input has ever had another email.
    pub(crate) email_has_changed: bool,
    server_index: usize,
    setup: Setup,
    is_ready: bool,
    index: usize,
    generation: usize,
    /// What somebody else has in the place of ours, by the name that ours has in the
    /// pipeline.
    foreign: BTreeMap<&'static str, Value>,
    /// Earlier states, with the time at which each ended.
    history: VecDeque<(Duration, Crossplane)>,
}

impl Place {
    pub(crate) fn new(setup: &Setup, index: usize, server: Arc<Server>, server_index: usize) -> Self {
        let crossplane = cluster(setup, index, 0, server_index);
        Self {
            crossplane,
            server,
            persisted: BTreeSet::new(),
            persisted_identities: BTreeSet::new(),
            destroyed: BTreeSet::new(),
            cache: BTreeMap::new(),
            applies: 0,
            email_has_changed: false,
            server_index,
            setup: setup.clone(),
            is_ready: false,
            index,
            generation: 0,
            foreign: BTreeMap::new(),
            history: VecDeque::new(),
        }
    }

    pub(crate) fn uid(&self) -> String {
        self.crossplane.xr["metadata"]["uid"].as_str().unwrap_or_default().to_owned()
    }

    /// The token in the connection Secret, or in a legacy XR's own details.
    pub(crate) fn token(&self) -> Option<String> {
        self.crossplane.secret(CONNECTION)?.get("token").cloned()
    }

    /// What the function names what it makes.
    pub(crate) fn our_name(&self) -> String {
        format!("function-infisical/{}", self.uid())
    }

    /// The email that the input has.
    pub(crate) fn email(&self) -> &str {
        self.crossplane.input["admin"]["email"].as_str().unwrap_or_default()
    }

    /// Whether anything is asked for after bootstrap.
    pub(crate) fn hands_off(&self) -> bool {
        self.setup.hand_off != HandOff::None
    }

    /// Whether the input has a token to adopt.
    pub(crate) fn adopts(&self) -> bool {
        self.crossplane.input.get("adopt").is_some()
    }

    /// Whether the identity of the token may keep its right: it is not the one that the
    /// function's bootstrap made, or nobody can log in to tell.
    pub(crate) fn right_may_be_kept(&self) -> bool {
        let is_of_bootstrap = self.is_of_bootstrap();
        let admits =
            self.usable_admin().is_some_and(|(email, password)| self.server.admits(&email, &password));
        let needs_a_human = self.server.state().instance.settings.second_factor;
        self.adopts() || !is_of_bootstrap || !admits || needs_a_human
    }

    /// Whether the identity of the connection's token is one that our bootstrap has made.
    pub(crate) fn is_of_bootstrap(&self) -> bool {
        let token = AccessToken::new(self.token().unwrap_or_default());
        let identity = Claims::of(&token).identity_id.unwrap_or_default();
        self.server.state().made_by_bootstrap.contains(&identity)
    }

    /// Whether any identity is an instance admin but those that were made to have fewer
    /// rights, whoever gave them the right.
    pub(crate) fn has_another_instance_admin(&self) -> bool {
        let instance = &self.server.state().instance;
        let own = instance.identities_named(&self.our_name());
        instance.instance_admins().iter().any(|id| !own.contains(id))
    }

    /// The Composition changes. `servers` are those that it can name.
    pub(crate) fn change(&mut self, change: Change, servers: &[Arc<Server>], now: jiff::Timestamp) {
        match change {
            Change::Email(nth) if self.setup.admin == Admin::Generated => {
                let email = EMAILS[usize::from(nth)];
                self.email_has_changed |= email != self.email();
                self.crossplane.input["admin"]["email"] = json!(email);
            }
            Change::Email(_) => {}
            Change::Url(nth) => {
                self.server_index = usize::from(nth);
                self.server = Arc::clone(&servers[self.server_index]);
                self.crossplane.input["instance"]["endpoint"]["url"] = json!(url(self.server_index));
            }
            Change::Adopt { is: false } => {
                self.crossplane.input.as_object_mut().unwrap().remove("adopt");
            }
            Change::Adopt { is: true } => {
                // What was composed before is in the cache when somebody has changed the
                // Composition: beside a token to adopt no password is drawn.
                self.history.clear();
                let token = self.server.state().instance.add_token_of_another(now, "Adopted");
                // Nobody has a token of an instance that is not set up.
                let Some(token) = token else { return };
                let namespace = namespace(self.setup.kind);
                self.crossplane.others.retain(|other| other["metadata"]["name"] != "adopted");
                self.crossplane.others.push(json!({
                    "apiVersion": "v1", "kind": "Secret",
                    "metadata": {"name": "adopted", "namespace": namespace},
                    "data": {"token": encode(&token)},
                }));
                let mut adopt = json!({"secretRef": {"name": "adopted", "key": "token"}});
                // A cluster-scoped XR has no namespace that it could leave out.
                if self.setup.kind == Kind::Cluster {
                    adopt["secretRef"]["namespace"] = json!(namespace);
                }
                self.crossplane.input["adopt"] = adopt;
            }
            Change::HandOff(hand_off) => {
                self.setup.hand_off = hand_off;
                hand_off_in(&mut self.crossplane.input, hand_off);
            }
        }
    }

    /// How many identities it has made.
    pub(crate) fn identities(&self) -> usize {
        self.server.state().instance.identities_named(&self.our_name()).len()
    }

    /// How many of them nobody has who could be deleted: who is not an instance admin
    /// may not touch one that is.
    pub(crate) fn surplus_identities(&self) -> usize {
        let instance = &self.server.state().instance;
        let mut named = instance.identities_named(&self.our_name());
        let secret = self.crossplane.secret(IDENTITY).unwrap_or_default();
        named.retain(|id| secret.get("identityId") != Some(id) && !instance.is_instance_admin(id));
        named.len()
    }

    /// The id of the client secret in the cluster.
    pub(crate) fn client_secret_id(&self) -> Option<String> {
        self.server.state().instance.client_secret_id(&self.identity()?.1)
    }

    /// Whether all is handed off that is asked for.
    pub(crate) fn is_handed_off(&self) -> bool {
        if self.setup.hand_off == HandOff::None {
            return true;
        }
        let works = self
            .identity()
            .is_some_and(|(id, secret)| self.server.state().instance.client_secret_works(&id, &secret));
        let token = self.token().unwrap_or_default();
        let is_kept = self.setup.hand_off == HandOff::Keep;
        let is_wanted = self.setup.hand_off == HandOff::Projects;
        works
            && (!is_wanted || self.is_in_its_project())
            && self.reason("InfisicalHandedOff").0 == "True"
            && (is_kept || !self.server.is_instance_admin(&token))
    }

    /// What is composed beside makes a project as soon as there is a token.
    pub(crate) fn make_the_project(&self) {
        let is_wanted = self.setup.hand_off == HandOff::Projects;
        if is_wanted && self.token().is_some_and(|token| self.server.token_works(&token)) {
            self.server.state().instance.add_project(PROJECT);
        }
    }

    fn is_in_its_project(&self) -> bool {
        let id = self.crossplane.secret(IDENTITY).and_then(|secret| secret.get("identityId").cloned());
        id.is_some_and(|id| self.server.state().instance.role_in_project(PROJECT, &id).is_some())
    }

    /// Whether the identity of the connection's token may add others to the project.
    pub(crate) fn may_add_to_its_project(&self) -> bool {
        let token = AccessToken::new(self.token().unwrap_or_default());
        let id = Claims::of(&token).identity_id.unwrap_or_default();
        self.server.state().instance.role_in_project(PROJECT, &id) == Some("admin")
    }

    /// The id of that token.
    pub(crate) fn token_id(&self) -> Option<String> {
        Claims::of(&AccessToken::new(self.token()?)).token_id.map(String::from)
    }

    /// The client ID and secret in the identity's Secret.
    pub(crate) fn identity(&self) -> Option<(String, String)> {
        let secret = self.crossplane.secret(IDENTITY)?;
        Some((secret.get("clientId")?.clone(), secret.get("clientSecret")?.clone()))
    }

    /// The email and password in the admin Secret.
    pub(crate) fn admin(&self) -> Option<(String, String)> {
        let secret = self.crossplane.secret(ADMIN)?;
        Some((secret.get("email")?.clone(), secret.get("password")?.clone()))
    }

    /// The email and password that the function may use.
    pub(crate) fn usable_admin(&self) -> Option<(String, String)> {
        match self.setup.admin {
            Admin::Generated => self.admin(),
            Admin::SecretRef | Admin::Credential => {
                let supplied = supplied();
                Some((supplied.email.as_str().to_owned(), supplied.password.expose().to_owned()))
            }
        }
    }

    pub(crate) fn reason(&self, condition_type: &str) -> (String, String) {
        let condition = self.crossplane.condition(condition_type);
        condition.map(|(status, reason, _)| (status.to_owned(), reason.to_owned())).unwrap_or_default()
    }

    /// The cluster as the cache shows it.
    pub(crate) fn seen(&self, view: View, now: Duration) -> Crossplane {
        let mut seen = self.crossplane.clone();
        let (back, composed, xr) = match view {
            View::Fresh => return seen,
            View::StaleComposed(back) => (back, true, false),
            View::StaleXr(back) => (back, false, true),
            View::StaleAll(back) => (back, true, true),
        };
        let usable = self.history.iter().rev().filter(|(ended, _)| *ended + STALE_AT_MOST >= now);
        let Some((_, then)) = usable.take(usize::from(back)).last() else { return seen };
        if composed {
            seen.composed = then.composed.clone();
        }
        if xr {
            seen.xr = then.xr.clone();
            seen.connection_details = then.connection_details.clone();
        }
        seen
    }

    /// Notes the state as it is before it changes.
    pub(crate) fn before_a_change(&mut self, now: Duration) {
        self.keep(self.crossplane.clone(), now);
    }

    fn keep(&mut self, mut state: Crossplane, now: Duration) {
        state.events.clear();
        self.crossplane.events.clear();
        self.history.push_back((now, state));
        if self.history.len() > KEPT {
            self.history.pop_front();
        }
    }

    /// Applies a response, and notes what is persisted by it.
    pub(crate) fn apply(&mut self, response: &RunFunctionResponse, now: Duration) -> Reconciled {
        self.crossplane.now = Some(transition_time(now));
        let before = self.crossplane.clone();
        let reconciled = self.crossplane.apply(response);
        if reconciled == (Reconciled::Applied { changed: true }) {
            self.keep(before, now);
        }
        self.applies += 1;
        self.note();
        reconciled
    }

    /// Applies a response in part, and then Crossplane fails.
    pub(crate) fn apply_partly(&mut self, response: &RunFunctionResponse, bits: u8, xr: bool, now: Duration) {
        self.before_a_change(now);
        self.crossplane.now = Some(transition_time(now));
        let before = self.crossplane.clone();
        self.crossplane.apply(response);
        // What is not wanted any more is deleted first.
        for (nth, name) in desired(response).resources.keys().enumerate() {
            if bits & (1 << nth.min(7)) == 0 {
                match before.composed.get(name) {
                    Some(object) => self.crossplane.composed.insert(name.clone(), object.clone()),
                    None => self.crossplane.composed.remove(name),
                };
            }
        }
        if !xr {
            self.crossplane.xr = before.xr;
            self.crossplane.connection_details = before.connection_details;
        }
        self.applies += 1;
        self.note();
    }

    fn note(&mut self) {
        self.control();
        self.persisted.extend(self.admin().map(|(_, password)| password));
        self.persisted_identities.extend(self.identity().map(|(_, secret)| secret));
    }

    pub(crate) fn set_ready(&mut self, is_ready: bool, now: Duration) {
        self.before_a_change(now);
        self.is_ready = is_ready;
        self.control();
    }

    /// What the Deployment's controller does.
    fn control(&mut self) {
        self.crossplane.make_available("infisical");
        if !self.is_ready {
            let unready = json!({"status": {"readyReplicas": 0, "availableReplicas": 0, "conditions": [
                {"type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable"},
            ]}});
            self.crossplane.update("infisical", &unready);
        }
    }

    pub(crate) fn human(&mut self, human: Human, now: Duration, time: jiff::Timestamp) {
        self.before_a_change(now);
        match human {
            Human::PutToken => {
                let token = self.server.state().instance.add_token_of_another(time, "A person's own");
                if let (Some(token), true) = (token, self.crossplane.composed.contains_key(CONNECTION)) {
                    self.crossplane.update(CONNECTION, &json!({"data": {"token": encode(&token)}}));
                }
            }
            Human::DeleteConnection => {
                self.crossplane.composed.remove(CONNECTION);
            }
            Human::EmptyConnection => {
                if let Some(secret) = self.crossplane.composed.get_mut(CONNECTION) {
                    secret["data"] = json!({});
                }
            }
            Human::GarbleConnection => {
                let rubbish =
                    json!({"data": {"token": "cnViYmlzaA==", "host": "%%%", "credentials": "e30="}});
                self.crossplane.update(CONNECTION, &rubbish);
            }
            Human::DeleteIdentity => {
                self.crossplane.composed.remove(IDENTITY);
            }
            Human::GarbleIdentity => {
                let rubbish = json!({"data": {"clientSecret": "cnViYmlzaA==", "host": "%%%"}});
                self.crossplane.update(IDENTITY, &rubbish);
            }
            Human::DeleteAdmin => {
                self.destroyed.extend(self.admin().map(|(_, password)| password));
                self.crossplane.composed.remove(ADMIN);
            }
        }
    }

    /// Deletes the XR with all that it composed, and makes it again. A cache
    /// does not mix up the two: they have different UIDs.
    pub(crate) fn recreate(&mut self) {
        self.destroyed.extend(self.persisted.iter().cloned());
        self.generation += 1;
        self.is_ready = false;
        self.history.clear();
        self.cache.clear();
        self.crossplane = cluster(&self.setup, self.index, self.generation, self.server_index);
        self.crossplane.others.extend(self.foreign.values().cloned());
    }

    /// Somebody has a Secret in the place of one of ours. Whoever has looked before does
    /// not know: Crossplane takes over what is made between that look and the apply, so
    /// nobody looks at an earlier state.
    pub(crate) fn take(&mut self, ours: Ours, is_controlled: bool) {
        self.history.clear();
        self.cache.clear();
        let (resource, name, secret_type) = self.in_the_pipeline(ours);
        if ours == Ours::Admin {
            self.destroyed.extend(self.admin().map(|(_, password)| password));
        }
        self.crossplane.composed.remove(resource);
        let mut theirs = json!({
            "apiVersion": "v1", "kind": "Secret", "type": secret_type,
            "metadata": {"name": name, "namespace": namespace(self.setup.kind), "uid": "somebodys"},
            "data": {"token": encode("theirs"), "email": encode("a@example.org"), "password": encode("theirs")},
        });
        if is_controlled {
            theirs["metadata"]["ownerReferences"] = json!([{
                "apiVersion": "example.org/v1", "kind": "Other", "name": "other", "uid": "of-another",
                "controller": true, "blockOwnerDeletion": true,
            }]);
        }
        self.free_one(resource);
        self.crossplane.others.push(theirs.clone());
        self.foreign.insert(resource, theirs);
    }

    /// Whoever has put a Secret in the place of one of ours deletes it.
    pub(crate) fn free(&mut self) {
        for resource in [ADMIN, CONNECTION, IDENTITY] {
            self.free_one(resource);
        }
    }

    fn free_one(&mut self, resource: &str) {
        if let Some(theirs) = self.foreign.remove(resource) {
            self.crossplane.others.retain(|other| *other != theirs);
        }
    }

    /// Whether somebody else has a Secret where one of ours is to be.
    pub(crate) fn is_taken(&self, resource: &str) -> bool {
        self.foreign.contains_key(resource)
    }

    /// Whether one is in the place of any.
    pub(crate) fn is_any_taken(&self) -> bool {
        !self.foreign.is_empty()
    }

    /// In whose place there is none any more that is as it was made.
    pub(crate) fn touched(&self) -> Option<&'static str> {
        let is_touched = |theirs: &Value| !self.crossplane.others.contains(theirs);
        self.foreign.iter().find(|(_, theirs)| is_touched(theirs)).map(|(resource, _)| *resource)
    }

    /// Whether the admin's password is in a Secret of the function.
    pub(crate) fn generates_the_admin(&self) -> bool {
        self.setup.admin == Admin::Generated
    }

    /// The name in the pipeline, that in the cluster, and the type.
    fn in_the_pipeline(&self, ours: Ours) -> (&'static str, String, &'static str) {
        let xr = self.crossplane.xr["metadata"]["name"].as_str().unwrap_or_default();
        match (ours, self.setup.kind) {
            (Ours::Admin, _) => (ADMIN, format!("{xr}-admin"), "Opaque"),
            (Ours::Identity, _) => (IDENTITY, format!("{xr}-identity"), CONNECTION_TYPE),
            // As the XR names it.
            (Ours::Connection, Kind::Cluster) => {
                (CONNECTION, format!("token-{}", self.index), CONNECTION_TYPE)
            }
            (Ours::Connection, Kind::Namespaced | Kind::Legacy) => {
                (CONNECTION, format!("{xr}-connection"), CONNECTION_TYPE)
            }
        }
    }
}

/// A moment as conditions have it, in whole seconds.
fn transition_time(now: Duration) -> String {
    let seconds = i64::try_from(now.as_secs()).unwrap() + START;
    jiff::Timestamp::from_second(seconds).unwrap().to_string()
}

/// Desired state with all of it decoded.
pub(crate) fn desired(response: &RunFunctionResponse) -> State {
    let encoded = response.desired.as_ref().map(prost::Message::encode_to_vec).unwrap_or_default();
    State::decode(encoded.as_slice()).unwrap()
}

/// The decoded data of a Secret in a state.
pub(crate) fn secret(state: &State, name: &str) -> Option<BTreeMap<String, String>> {
    let manifest = decode(state.resources.get(name)?.resource.as_deref()?);
    let mut holder = Crossplane::new(json!({}), Value::Null);
    holder.composed.insert(name.to_owned(), manifest);
    holder.secret(name)
}

fn cluster(setup: &Setup, index: usize, generation: usize, server_index: usize) -> Crossplane {
    let mut xr = xr(setup.kind, index);
    xr["metadata"]["uid"] = json!(format!("6d2f6c5e-0000-4000-8000-{index:06}{generation:06}"));
    let namespace = namespace(setup.kind);
    let mut crossplane = Crossplane::new(xr, input(setup, server_index)).composing(
        "infisical",
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "vault", "namespace": namespace},
            "spec": {"replicas": 1},
        }),
    );
    let supplied = supplied();
    let (email, password) = (supplied.email.as_str(), supplied.password.expose());
    let data = [("email", email), ("password", password)];
    let data = data.map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec()));
    crossplane.credentials.insert("admin".to_owned(), data.into_iter().collect());
    crossplane.others.push(json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "platform-admin", "namespace": namespace},
        "data": {"email": encode(email), "password": encode(password)},
    }));
    crossplane
}

fn namespace(kind: Kind) -> &'static str {
    match kind {
        Kind::Namespaced => "team-a",
        Kind::Cluster => "team-b",
        Kind::Legacy => "team-c",
    }
}

fn encode(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

fn url(server_index: usize) -> String {
    format!("http://infisical-{server_index}:8080")
}

fn hand_off_in(input: &mut Value, hand_off: HandOff) {
    let hand_off = match hand_off {
        HandOff::None => {
            input.as_object_mut().unwrap().remove("handOff");
            return;
        }
        HandOff::Keep => json!({}),
        HandOff::Revoke => json!({"instanceAdmin": "Revoke"}),
        HandOff::Projects => json!({"instanceAdmin": "Revoke", "projects": [{"slug": PROJECT}]}),
    };
    input["handOff"] = hand_off;
}

fn input(setup: &Setup, server_index: usize) -> Value {
    let admin = match setup.admin {
        // A cluster-scoped XR has no namespace that it could leave out.
        Admin::SecretRef if setup.kind == Kind::Cluster => {
            json!({"secretRef": {"name": "platform-admin", "namespace": "team-b"}})
        }
        Admin::Generated => json!({"email": "platform@example.org"}),
        Admin::SecretRef => json!({"secretRef": {"name": "platform-admin"}}),
        Admin::Credential => json!({"credentials": "admin"}),
    };
    let mut input = json!({
        "apiVersion": "infisical.fn.crossplane.io/v1beta1",
        "kind": "Bootstrap",
        "instance": {
            "resource": "infisical",
            "endpoint": {"url": url(server_index)},
        },
        "admin": admin,
        "token": {"verifyInterval": setup.verify},
    });
    hand_off_in(&mut input, setup.hand_off);
    input
}

fn xr(kind: Kind, index: usize) -> Value {
    match kind {
        Kind::Namespaced => json!({
            "apiVersion": "example.org/v1", "kind": "Vault",
            "metadata": {"name": format!("vault-{index}"), "namespace": "team-a"},
            "spec": {"crossplane": {"compositionRef": {"name": "vault"}}},
        }),
        Kind::Cluster => json!({
            "apiVersion": "example.org/v1", "kind": "ClusterVault",
            "metadata": {"name": format!("vault-{index}")},
            "spec": {
                "crossplane": {"compositionRef": {"name": "vault"}},
                "writeConnectionSecretToRef": {"name": format!("token-{index}"), "namespace": "team-b"},
            },
        }),
        Kind::Legacy => json!({
            "apiVersion": "example.org/v1", "kind": "XVault",
            "metadata": {"name": format!("vault-x7k2{index}")},
            "spec": {
                "claimRef": {
                    "apiVersion": "example.org/v1", "kind": "Vault",
                    "namespace": "team-c", "name": "vault",
                },
                "writeConnectionSecretToRef": {
                    "name": "0e4cf3f0-0000-4000-8000-000000000000", "namespace": "crossplane-system",
                },
            },
        }),
    }
}
