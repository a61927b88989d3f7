//! The function with one of its rules broken, to prove that the simulation
//! notices.
//!
//! Each is made at the function's boundary: by what it is called with and
//! answers, or by what passes between its client and the server.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use async_trait::async_trait;
use fake_crossplane::{Crossplane, calls::Calls, structs};
use fake_infisical::TokenAuth;
use function_infisical::{
    contract::proto::v1::{RunFunctionRequest, RunFunctionResponse},
    function::Function,
};
use infisical::{
    ErrorKind,
    api::{
        Bootstrap, CreateClientSecret, ListAdminIdentities, ListTokens, Login, MintToken, RenewToken,
        RevokeInstanceAdmin, RevokeToken, VerifyToken,
    },
    claims::Claims,
    client::{Exchange, Request, Response},
    error::Transport,
    secret::{AccessToken, UserToken},
};
use jiff::Timestamp;
use prost::Message as _;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::{
    crossplane::{ADMIN, desired},
    infisical::Line,
    invariants::LEFT_ALONE,
    liveness::ALL_WELL,
    schedule::{Change, HandOff, Human, Schedule, Server, Setup, Step},
    seeds,
    translate::from_fake,
    world,
};

/// A broken rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// Rule 2: it acts on a call whose response still asks for resources. The
    /// mutant looks them up itself, and carries on with them in that call.
    ActsOnOpenRequirements,
    /// Rule 2: its requirements are there and empty where it has none.
    RequiresNothing,
    /// Rule 1: it draws a new password whenever the admin Secret is not
    /// observed, and writes it over the one that is there. The mutant forgets
    /// everything at such a call, and its Secret is not immutable.
    NewPasswordOnStaleRead,
    /// Rule 7: it breaks before it makes. The mutant revokes the siblings of a
    /// token as soon as that was minted.
    RevokesBeforeObserved,
    /// Rule 3: each try has an email of its own.
    AnotherEmailPerTry,
    /// Rule 15: it gives up the instance admin right as soon as a client secret was made.
    GivesUpTheRightFirst,
    /// Rule 16: it takes what a server has said of the admin's login for what another would say.
    TakesOneServerForAnother,
    /// Rule 15: it takes whichever identity it is connected with for the one that bootstrap made.
    StripsWhoeverIsConnected,
    /// It deletes the admin Secret when the input has another email, whatever has been
    /// let in with it.
    DropsThePasswordForAnotherEmail,
    /// Rule 8: it asks a server that does not answer again at once, many times.
    RetriesAtOnce,
    /// Rule 14: it takes a token for old by a clock that is not the server's, and renews it again
    /// and again.
    RenewsAgainAndAgain,
    /// It takes a token for renewed because the server has said 200, and so does not mint
    /// another before the end that has stayed.
    BelievesARenewal,
    /// Rule 14: it does nothing until the time has come that its clock showed before it was set back.
    WaitsForTheClock,
    /// Rule 9: it leaves a connection alone while the instance is not ready.
    WaitsForTheRollout,
    /// Rule 5: it takes the place of each of its Secrets for free. The mutant is told that nothing
    /// is there.
    TakesWhatIsNotItsOwn,
    /// Rule 4: its work dies with the call that started it. The mutant breaks
    /// the connections of a process when no call of it runs.
    NoDetaching,
}

/// How often a mutant asks again.
const AT_ONCE: usize = 20;

/// How often a mutant renews.
const AGAIN_AND_AGAIN: usize = 100;

/// Ties a process's work to its calls.
pub(crate) struct Leash {
    running: watch::Sender<u32>,
    /// Logins that were refused, by whichever server.
    refused: Mutex<BTreeSet<Vec<u8>>>,
    /// The latest time that the clock has shown, and what was answered then.
    answered: Mutex<Option<(Timestamp, RunFunctionResponse)>>,
    /// Whether what was asked last was a renewal, and it was granted.
    renewed: AtomicBool,
}

impl Default for Leash {
    fn default() -> Self {
        Self {
            running: watch::Sender::new(0),
            refused: Mutex::default(),
            answered: Mutex::default(),
            renewed: AtomicBool::new(false),
        }
    }
}

/// What a mutant stands before.
pub(crate) struct Boundary<'a> {
    pub(crate) function: &'a Function,
    pub(crate) leash: &'a Leash,
    pub(crate) cluster: &'a Crossplane,
    /// What the clock of the process shows.
    pub(crate) now: Timestamp,
}

impl Boundary<'_> {
    /// Answers as before, if it has not been called for the first time and does not act.
    async fn unless(
        &self,
        acts_not: bool,
        request: RunFunctionRequest,
        deadline: Option<Duration>,
    ) -> RunFunctionResponse {
        let before = self.leash.answered.lock().unwrap().clone();
        match before {
            Some((_, response)) if acts_not => response,
            _ => {
                let response = self.function.call(request, deadline).await;
                *self.leash.answered.lock().unwrap() = Some((self.now, response.clone()));
                response
            }
        }
    }
}

/// Counts a call for as long as it runs.
struct Running<'a>(&'a Leash);

impl<'a> Running<'a> {
    fn new(leash: &'a Leash) -> Self {
        leash.running.send_modify(|running| *running += 1);
        Self(leash)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.send_modify(|running| *running -= 1);
    }
}

impl Mutant {
    /// A call of the mutant. `fresh` makes a function that remembers nothing.
    pub(crate) async fn call(
        self,
        boundary: Boundary<'_>,
        fresh: impl FnOnce() -> Function,
        request: RunFunctionRequest,
        deadline: Option<Duration>,
    ) -> RunFunctionResponse {
        let Boundary { function, leash, cluster, now } = boundary;
        let _running = Running::new(leash);
        match self {
            Self::ActsOnOpenRequirements => {
                let response = function.call(request.clone(), Some(Duration::ZERO)).await;
                let mut calls = Calls::new(request);
                calls.take(&response, cluster);
                function.call(calls.request, deadline).await
            }
            Self::RequiresNothing => {
                let mut response = function.call(request, deadline).await;
                response.requirements.get_or_insert_default();
                response
            }
            Self::NewPasswordOnStaleRead => {
                let is_observed =
                    request.observed.as_ref().is_some_and(|observed| observed.resources.contains_key(ADMIN));
                let mut response = if is_observed {
                    function.call(request, deadline).await
                } else {
                    fresh().call(request, deadline).await
                };
                make_mutable(&mut response);
                response
            }
            Self::DropsThePasswordForAnotherEmail => {
                let wanted = cluster.input["admin"]["email"].clone();
                let mut response = function.call(request, deadline).await;
                let kept = cluster.secret(ADMIN).and_then(|secret| secret.get("email").cloned());
                if kept.is_some_and(|email| wanted.is_string() && wanted != email) {
                    let mut state = desired(&response);
                    state.resources.remove(ADMIN);
                    response.desired =
                        Some(prost::Message::decode(state.encode_to_vec().as_slice()).unwrap());
                }
                response
            }
            Self::BelievesARenewal => {
                let mut response = function.call(request, deadline).await;
                for condition in &mut response.conditions {
                    if condition.reason == "NotRenewed" {
                        "Accepted".clone_into(&mut condition.reason);
                    }
                }
                response
            }
            Self::WaitsForTheClock => {
                let was_later = leash.answered.lock().unwrap().as_ref().is_some_and(|(at, _)| now < *at);
                boundary.unless(was_later, request, deadline).await
            }
            Self::WaitsForTheRollout => {
                let replicas = |it: &Value| it["status"]["availableReplicas"].as_u64().unwrap_or(0);
                let is_ready = cluster.composed.get("infisical").is_some_and(|it| replicas(it) > 0);
                boundary.unless(!is_ready, request, deadline).await
            }
            Self::TakesWhatIsNotItsOwn => {
                let mut request = request;
                for ours in ["admin", "connection", "identity"] {
                    let requirement = format!("infisical-{ours}-secret");
                    if let Some(found) = request.required_resources.get_mut(&requirement) {
                        found.items.clear();
                    }
                }
                function.call(request, deadline).await
            }
            Self::RevokesBeforeObserved
            | Self::AnotherEmailPerTry
            | Self::RenewsAgainAndAgain
            | Self::GivesUpTheRightFirst
            | Self::TakesOneServerForAnother
            | Self::StripsWhoeverIsConnected
            | Self::RetriesAtOnce
            | Self::NoDetaching => function.call(request, deadline).await,
        }
    }
}

/// Lists every identity under the name that bootstrap gives.
fn call_all_alike(answer: &mut Response) -> Option<()> {
    let mut body: Value = serde_json::from_slice(&answer.body).ok()?;
    for identity in body["identities"].as_array_mut()? {
        identity["name"] = json!("Instance Admin Identity");
    }
    answer.body = body.to_string().into_bytes().into();
    Some(())
}

/// The token that a request is authorized with.
fn bearer(request: &Request) -> Option<&str> {
    request.authorization.as_ref()?.to_str().ok()?.strip_prefix("Bearer ")
}

fn make_mutable(response: &mut RunFunctionResponse) {
    if let Some(admin) = desired(response).resources.get_mut(ADMIN) {
        let mut manifest = structs::decode(admin.resource.as_deref().unwrap_or_default());
        manifest["immutable"] = json!(false);
        admin.resource = Some(structs::encode(&manifest));
        response.desired.get_or_insert_default().insert(ADMIN, admin);
    }
}

/// A line on which a mutant does something of its own.
pub(crate) struct MutantLine {
    line: Line,
    mutant: Mutant,
    leash: Arc<Leash>,
}

impl MutantLine {
    pub(crate) fn new(line: Line, mutant: Mutant, leash: Arc<Leash>) -> Self {
        Self { line, mutant, leash }
    }

    async fn until_no_call_runs(&self) {
        let mut running = self.leash.running.subscribe();
        let _ = running.wait_for(|running| *running == 0).await;
    }

    /// Revokes every other token that has the name of the one just minted.
    async fn revoke_siblings(&self, mint: &Request, answer: &Response) -> Option<()> {
        let minted: Value = serde_json::from_slice(&answer.body).ok()?;
        let session = UserToken::new(bearer(mint)?);
        let identity_id = mint.path.split('/').nth(6)?;
        let list = Request::of(&ListTokens { session: &session, identity_id, offset: 0 }).ok()?;
        let listed: Value = serde_json::from_slice(&self.line.send(list).await.ok()?.body).ok()?;
        for token in listed["tokens"].as_array()? {
            if token["name"] == minted["tokenData"]["name"] && token["id"] != minted["tokenData"]["id"] {
                let revoke = RevokeToken { session: &session, token_id: token["id"].as_str()? };
                self.line.send(Request::of(&revoke).ok()?).await.ok()?;
            }
        }
        Some(())
    }

    /// Revokes the right of the identity whose token made the client secret.
    async fn give_up_the_right(&self, made: &Request) -> Option<()> {
        let token = AccessToken::new(bearer(made)?);
        let id = Claims::of(&token).identity_id?;
        let revoke = RevokeInstanceAdmin { token: &token, identity_id: &id };
        self.line.send(Request::of(&revoke).ok()?).await.ok().map(|_| ())
    }

    /// A bootstrap with an email that was not tried yet, and a login with the one
    /// that has made a user.
    fn with_another_email(&self, mut request: Request) -> Request {
        let state = self.line.server.state();
        let email = if request.is::<Bootstrap>() {
            Some(format!("platform-{}@example.org", state.bootstraps.len()))
        } else if request.is::<Login>() {
            let made = state.bootstraps.iter().rev().find(|bootstrap| bootstrap.made_user);
            made.map(|bootstrap| bootstrap.email.clone())
        } else {
            None
        };
        if let (Some(body), Some(email)) = (&request.body, email) {
            let mut body: Value = serde_json::from_slice(body).unwrap();
            body["email"] = json!(email);
            request.body = Some(body.to_string().into());
        }
        request
    }
}

#[async_trait]
impl Exchange for MutantLine {
    async fn send(&self, request: Request) -> Result<Response, ErrorKind> {
        match self.mutant {
            Mutant::TakesOneServerForAnother if request.is::<Login>() => {
                let body = request.body.clone().unwrap_or_default();
                if self.leash.refused.lock().unwrap().contains(&body.to_vec()) {
                    let refusal = fake_infisical::Response::refusal(400, "BadRequest", "Invalid credentials");
                    return Ok(from_fake(refusal));
                }
                let answer = self.line.send(request).await?;
                if answer.status == 400 {
                    self.leash.refused.lock().unwrap().insert(body.to_vec());
                }
                Ok(answer)
            }
            Mutant::ActsOnOpenRequirements
            | Mutant::RequiresNothing
            | Mutant::NewPasswordOnStaleRead
            | Mutant::WaitsForTheClock
            | Mutant::WaitsForTheRollout
            | Mutant::DropsThePasswordForAnotherEmail
            | Mutant::TakesWhatIsNotItsOwn
            | Mutant::TakesOneServerForAnother => self.line.send(request).await,
            Mutant::StripsWhoeverIsConnected => {
                let lists = request.is::<ListAdminIdentities>();
                let mut answer = self.line.send(request).await?;
                if lists {
                    call_all_alike(&mut answer);
                }
                Ok(answer)
            }
            Mutant::RetriesAtOnce => {
                let mut answer = self.line.send(request.clone()).await;
                for _ in 0..AT_ONCE {
                    if answer.is_ok() {
                        break;
                    }
                    answer = self.line.send(request.clone()).await;
                }
                answer
            }
            Mutant::RenewsAgainAndAgain => {
                let token = bearer(&request).map(AccessToken::new);
                let verifies = request.is::<VerifyToken>();
                let answer = self.line.send(request).await?;
                if let Some(token) = token.filter(|_| verifies) {
                    for _ in 0..AGAIN_AND_AGAIN {
                        self.line.send(Request::of(&RenewToken { token: &token })?).await?;
                    }
                }
                Ok(answer)
            }
            Mutant::BelievesARenewal if request.is::<Login>() && self.leash.renewed.load(SeqCst) => {
                Err(ErrorKind::Unreachable(Transport::Broken))
            }
            Mutant::BelievesARenewal => {
                let renews = request.is::<RenewToken>();
                let answer = self.line.send(request).await?;
                self.leash.renewed.store(renews && answer.status == 200, SeqCst);
                Ok(answer)
            }
            Mutant::AnotherEmailPerTry => self.line.send(self.with_another_email(request)).await,
            Mutant::RevokesBeforeObserved => {
                let answer = self.line.send(request.clone()).await?;
                if request.is::<MintToken>() && answer.status == 200 {
                    self.revoke_siblings(&request, &answer).await;
                }
                Ok(answer)
            }
            Mutant::GivesUpTheRightFirst => {
                let answer = self.line.send(request.clone()).await?;
                if request.is::<CreateClientSecret>() && answer.status == 200 {
                    self.give_up_the_right(&request).await;
                }
                Ok(answer)
            }
            Mutant::NoDetaching => tokio::select! {
                biased;
                answer = self.line.send(request) => answer,
                () = self.until_no_call_runs() => Err(ErrorKind::Unreachable(Transport::Broken)),
            },
        }
    }
}

/// In so many schedules each mutant is caught, with room to spare.
const MUTANT_SEEDS: u64 = 4000;

/// Runs the mutant until the promise that its rule is for is broken. A mutant never
/// becomes well, which takes thousands of calls to find out: only where that is the
/// promise is it waited for.
fn is_caught(mutant: Mutant, promise: &str) {
    let run = if promise == ALL_WELL { world::run } else { world::run_steps };
    let caught = (0..seeds::all().end.max(MUTANT_SEEDS)).find_map(|seed| {
        let broken = run(&Schedule::of(seed), seed, Some(mutant)).err()?;
        (promise == broken.promise).then_some((seed, broken))
    });
    let (seed, broken) = caught.unwrap_or_else(|| panic!("{mutant:?} is not caught"));
    println!("{mutant:?} is caught by seed {seed}: {}", broken.promise);
}

/// The same in one schedule, in which the function itself keeps every promise.
fn is_caught_in(schedule: &Schedule, mutant: Mutant, promise: &str) {
    let broken = |mutant| world::run(schedule, 0, mutant).err();
    assert!(broken(None).is_none(), "the function itself: {:?}", broken(None));
    let promise_broken = broken(Some(mutant)).map(|broken| broken.promise);
    assert_eq!(promise_broken, Some(promise), "{mutant:?}");
}

#[test]
fn a_function_that_acts_on_a_call_whose_requirements_are_open_is_caught() {
    is_caught(Mutant::ActsOnOpenRequirements, "only a call that counts acts");
}

#[test]
fn a_function_whose_requirements_are_there_and_empty_is_caught() {
    is_caught(Mutant::RequiresNothing, "a reconcile makes no call too many");
}

#[test]
fn a_function_that_draws_a_new_password_on_a_stale_read_is_caught() {
    is_caught(Mutant::NewPasswordOnStaleRead, "a password in use is in the cluster");
}

#[test]
fn a_function_that_revokes_before_the_new_token_was_observed_is_caught() {
    is_caught(Mutant::RevokesBeforeObserved, "make before break");
}

#[test]
fn a_function_that_uses_another_email_per_try_is_caught() {
    is_caught(Mutant::AnotherEmailPerTry, "one bootstrap per database");
}

#[test]
fn a_function_that_gives_up_the_right_before_the_client_secret_was_seen_is_caught() {
    is_caught(Mutant::GivesUpTheRightFirst, "the right is given up last");
}

/// Of the seeds hardly one points an XR at a server that refuses its password and then at
/// another that lets it in.
#[test]
fn a_function_that_takes_one_server_for_another_is_caught() {
    let steps = vec![
        Step::Ready { is: true },
        Step::Input(Change::Url(1)),
        Step::Server(Server::SomebodyElse { same_email: true }),
        Step::Live { replica: 0, calls: 4 },
        Step::Input(Change::Url(0)),
        Step::Live { replica: 0, calls: 4 },
        Step::Server(Server::RevokeTokens),
    ];
    let schedule = Schedule { setup: Setup::default(), steps };
    let promise = "an instance of ours is never called somebody else's";
    is_caught_in(&schedule, Mutant::TakesOneServerForAnother, promise);
}

const THIRTY_DAYS: i64 = 30 * 24 * 3600;

#[test]
fn a_function_that_takes_a_token_for_old_by_another_clock_is_caught() {
    is_caught(Mutant::RenewsAgainAndAgain, "requests to an instance are bounded");
}

#[test]
fn a_function_that_believes_a_renewal_without_effect_is_caught() {
    let setup = Setup { token_auth: TokenAuth { ttl: 3600, max_ttl: 7200, uses: 0 }, ..Setup::default() };
    // The end of the token is in the time in which what stands is watched.
    let steps = vec![Step::Ready { is: true }, Step::Live { replica: 0, calls: 11 }];
    let schedule = Schedule { setup, steps };
    is_caught_in(&schedule, Mutant::BelievesARenewal, "what stands does not change without need");
}

#[test]
fn a_function_that_waits_for_a_clock_that_was_set_back_is_caught() {
    let steps = vec![
        Step::Ready { is: true },
        Step::Live { replica: 0, calls: 4 },
        Step::Clock { by: -THIRTY_DAYS },
        Step::Server(Server::RevokeTokens),
    ];
    let schedule = Schedule { setup: Setup::default(), steps };
    is_caught_in(&schedule, Mutant::WaitsForTheClock, ALL_WELL);
}

#[test]
fn a_function_that_leaves_a_connection_alone_while_a_rollout_hangs_is_caught() {
    let steps = vec![
        Step::Ready { is: true },
        Step::Live { replica: 0, calls: 4 },
        Step::Ready { is: false },
        Step::Live { replica: 0, calls: 12 },
    ];
    let schedule = Schedule { setup: Setup { token_life: 3600, ..Setup::default() }, steps };
    is_caught_in(&schedule, Mutant::WaitsForTheRollout, "nothing is called good beyond its end");
}

/// Of the seeds one in thousands has a person's token connected while the right is given up.
#[test]
fn a_function_that_strips_whoever_is_connected_is_caught() {
    let setup = Setup { hand_off: HandOff::Revoke, ..Setup::default() };
    let steps = vec![
        Step::Ready { is: true },
        Step::Live { replica: 0, calls: 2 },
        Step::Human(Human::PutToken),
        Step::Live { replica: 0, calls: 8 },
    ];
    let promise = "only what bootstrap made is stripped";
    is_caught_in(&Schedule { setup, steps }, Mutant::StripsWhoeverIsConnected, promise);
}

#[test]
fn a_function_that_drops_the_password_for_another_email_is_caught() {
    is_caught(Mutant::DropsThePasswordForAnotherEmail, "a password in use is in the cluster");
}

#[test]
fn a_function_that_asks_a_server_that_is_down_again_at_once_is_caught() {
    is_caught(Mutant::RetriesAtOnce, "requests to an instance are bounded");
}

#[test]
fn a_function_that_takes_what_is_not_its_own_is_caught() {
    is_caught(Mutant::TakesWhatIsNotItsOwn, LEFT_ALONE);
}

#[test]
fn a_function_whose_work_dies_with_the_call_is_caught() {
    is_caught(Mutant::NoDetaching, ALL_WELL);
}
