//! The server, behind a line on which everything can go wrong.
//!
//! The requests are those of the real client, the answers are decoded by it.
//! A request that has arrived is carried out whatever becomes of whoever sent
//! it; a bootstrap is carried out transaction by transaction, with time in
//! between for others.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    future::pending,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use fake_infisical::{Instance, Response as Answer, Settings, Snapshot, Transaction};
use infisical::{
    ErrorKind,
    api::{
        Bootstrap as BootstrapRoute, ClientLogin, RenewToken, RevokeClientSecret, RevokeInstanceAdmin,
        RevokeToken, VerifyToken,
    },
    client::{Exchange, Request, Response},
    error::Transport,
    secret::{Credentials, Email, Password},
};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    clock::SimulatedClock,
    schedule::{Fault, Server as Happening, Setup},
    translate::{from_fake, to_fake},
};

/// For how long the client waits for an answer, as the real one does.
const LIMIT: Duration = Duration::from_secs(10);
/// The same for bootstrap.
const BOOTSTRAP_LIMIT: Duration = Duration::from_mins(1);

/// What rates are counted in.
const MINUTE: Duration = Duration::from_mins(1);

/// One process of the function, from its start to its death.
pub(crate) struct Life {
    /// Which one, of all that there were.
    pub(crate) id: u32,
    dead: AtomicBool,
}

impl Life {
    pub(crate) fn new(id: u32) -> Arc<Self> {
        Arc::new(Self { id, dead: AtomicBool::new(false) })
    }

    pub(crate) fn end(&self) {
        self.dead.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }
}

/// A bootstrap that the function has asked for, and how far it came.
#[derive(Clone)]
pub(crate) struct Bootstrap {
    /// Which of the server's databases it was for.
    pub(crate) database: u32,
    pub(crate) email: String,
    pub(crate) password: String,
    pub(crate) made_user: bool,
    pub(crate) succeeded: bool,
}

/// A server.
pub(crate) struct Server {
    state: Mutex<State>,
    clock: SimulatedClock,
}

/// What there is of it, and what was noted.
pub(crate) struct State {
    pub(crate) instance: Instance,
    /// Counts databases: one that is emptied or restored is another.
    pub(crate) database: u32,
    /// Every bootstrap that was asked for.
    pub(crate) bootstraps: Vec<Bootstrap>,
    /// Every token that was ever accepted.
    pub(crate) accepted: BTreeSet<String>,
    /// Every client secret that was ever let in.
    pub(crate) let_in: BTreeSet<String>,
    /// Ids of the tokens and client secrets that the function has revoked, until
    /// somebody looks.
    pub(crate) revoked: Vec<String>,
    /// How often the function has revoked the instance admin right, until somebody
    /// looks.
    pub(crate) given_up: u32,
    /// Identities that a bootstrap of the function's has made, in any database.
    pub(crate) made_by_bootstrap: BTreeSet<String>,
    /// Identities whose instance admin right the function has revoked, until somebody
    /// looks.
    pub(crate) stripped: Vec<String>,
    /// Requests that each process has sent, and answers that it got.
    pub(crate) traffic: BTreeMap<u32, Traffic>,
    /// Requests in all.
    pub(crate) asked: u32,
    /// The requests that each process has sent in the last minute, and the most that one
    /// has sent in any.
    pub(crate) rate: Rate,
    /// The same of those that have found the server down.
    pub(crate) rate_while_down: Rate,
    /// The most bootstraps that one process had under way at once.
    pub(crate) most_at_once: u32,
    /// Whether a restored backup may have brought tokens back to life.
    pub(crate) restored: bool,
    bootstrapping: BTreeMap<u32, u32>,
    transactions_under_way: u32,
    up: bool,
    starts: u32,
    faults: Vec<(u8, Fault)>,
    cut: Option<Transaction>,
    latency: Duration,
    backup: Option<Snapshot>,
}

/// What passed between a process and a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    pub(crate) sent: u32,
    pub(crate) answered: u32,
}

/// Requests a minute.
#[derive(Default)]
pub(crate) struct Rate {
    sent: BTreeMap<u32, VecDeque<Duration>>,
    /// The most in any minute, and when that was.
    pub(crate) most: (usize, Duration),
}

impl Rate {
    fn count(&mut self, life: u32, now: Duration) {
        let sent = self.sent.entry(life).or_default();
        sent.push_back(now);
        while sent.front().is_some_and(|first| *first + MINUTE <= now) {
            sent.pop_front();
        }
        self.most = self.most.max((sent.len(), now));
    }
}

/// What a request meets.
#[derive(Clone, Copy)]
struct Met {
    fault: Option<Fault>,
    limit: Duration,
    latency: Duration,
}

impl Server {
    pub(crate) fn new(setup: &Setup, seed: u64, clock: SimulatedClock) -> Arc<Self> {
        let settings = Settings {
            variant: setup.variant,
            max_token_ttl: setup.token_life,
            token_auth: setup.token_auth,
            ..Settings::default()
        };
        let state = State {
            instance: Instance::new(settings, seed),
            database: 0,
            bootstraps: Vec::new(),
            accepted: BTreeSet::new(),
            let_in: BTreeSet::new(),
            revoked: Vec::new(),
            given_up: 0,
            made_by_bootstrap: BTreeSet::new(),
            stripped: Vec::new(),
            traffic: BTreeMap::new(),
            asked: 0,
            rate: Rate::default(),
            rate_while_down: Rate::default(),
            most_at_once: 0,
            restored: false,
            bootstrapping: BTreeMap::new(),
            transactions_under_way: 0,
            up: true,
            starts: 0,
            faults: Vec::new(),
            cut: None,
            latency: Duration::from_millis(setup.latency),
            backup: None,
        };
        Arc::new(Self { state: Mutex::new(state), clock })
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn token_works(&self, token: &str) -> bool {
        self.state().instance.token_works(self.clock.now(), token)
    }

    /// Whether the token's identity may use the admin API. Asks a copy.
    pub(crate) fn is_instance_admin(&self, token: &str) -> bool {
        let path = "/api/v1/admin/identity-management/identities?offset=0&limit=100&searchTerm=";
        let request = fake_infisical::Request::new("GET", path).bearer(token);
        self.state().instance.clone().handle(self.clock.now(), &request).status == 200
    }

    /// Tokens of a name that work.
    pub(crate) fn tokens_named(&self, name: &str) -> usize {
        let alive = self.state().instance.tokens_alive(self.clock.now());
        alive.iter().filter(|token| token.name == name).count()
    }

    /// Client secrets of a description that work.
    pub(crate) fn client_secrets_named(&self, name: &str) -> usize {
        self.state().instance.client_secrets_alive(name)
    }

    /// Whether the email and password would be let in. Asks a copy.
    pub(crate) fn admits(&self, email: &str, password: &str) -> bool {
        let body = json!({ "email": email, "password": password });
        let request = fake_infisical::Request::new("POST", "/api/v3/auth/login").json(&body);
        self.state().instance.clone().handle(self.clock.now(), &request).status == 200
    }

    pub(crate) fn happen(&self, happening: Happening) {
        self.state().happen(happening, &self.clock);
    }

    pub(crate) fn fault(&self, nth: u8, fault: Fault) {
        self.state().faults.push((nth, fault));
    }

    pub(crate) fn cut_bootstrap(&self, after: Transaction) {
        self.state().cut = Some(after);
    }

    /// Nothing goes wrong any more.
    pub(crate) fn mend(&self) {
        let mut state = self.state();
        state.up = true;
        state.faults.clear();
        state.cut = None;
    }

    async fn exchange(self: Arc<Self>, life: Arc<Life>, request: Request) -> Result<Response, ErrorKind> {
        let met = self.state().meet(&request);
        if met.fault == Some(Fault::FunctionDiesBefore) {
            life.end();
        }
        sleep(met.latency / 2).await;
        if life.is_over() {
            return pending().await;
        }
        if let Some(answer) = self.before(met).await {
            return answer;
        }
        let answer = self.serve(&request, met).await;
        if let Some(answer) = self.after(met, &life).await {
            return answer;
        }
        sleep(met.latency / 2).await;
        if life.is_over() {
            return pending().await;
        }
        answer.map(from_fake)
    }

    /// What happens to a request instead of being carried out.
    async fn before(&self, met: Met) -> Option<Result<Response, ErrorKind>> {
        if !self.state().up {
            return Some(Err(ErrorKind::Unreachable(Transport::Refused)));
        }
        match met.fault? {
            Fault::CloseBefore => Some(Err(ErrorKind::Unreachable(Transport::Broken))),
            Fault::HangBefore => {
                sleep(met.limit).await;
                Some(Err(ErrorKind::Unreachable(Transport::TimedOut)))
            }
            Fault::FailBefore => Some(Ok(from_fake(Answer::refusal(503, "Unavailable", "")))),
            Fault::RateLimited => Some(Ok(from_fake(Answer::rate_limited(Some(30))))),
            Fault::Page => Some(Ok(from_fake(Answer::page(502)))),
            Fault::ServerDiesBefore => {
                self.state().starts += 1;
                Some(Err(ErrorKind::Unreachable(Transport::Broken)))
            }
            Fault::CloseAfter
            | Fault::HangAfter
            | Fault::FailAfter
            | Fault::FunctionDiesBefore
            | Fault::FunctionDiesAfter
            | Fault::ServerDiesAfter => None,
        }
    }

    /// What happens to an answer instead of arriving.
    async fn after(&self, met: Met, life: &Life) -> Option<Result<Response, ErrorKind>> {
        match met.fault? {
            Fault::CloseAfter => Some(Err(ErrorKind::Unreachable(Transport::Broken))),
            Fault::HangAfter => {
                sleep(met.limit).await;
                Some(Err(ErrorKind::Unreachable(Transport::TimedOut)))
            }
            Fault::FailAfter => Some(Ok(from_fake(Answer::server_error()))),
            Fault::FunctionDiesAfter => {
                life.end();
                pending().await
            }
            Fault::ServerDiesAfter => {
                self.state().starts += 1;
                Some(Err(ErrorKind::Unreachable(Transport::Broken)))
            }
            _ => None,
        }
    }

    async fn serve(&self, request: &Request, met: Met) -> Result<Answer, ErrorKind> {
        let sent = to_fake(request);
        if request.is::<BootstrapRoute>() {
            return self.bootstrap(&sent, met).await;
        }
        let now = self.clock.now();
        let mut state = self.state();
        let answer = state.instance.handle(now, &sent);
        let succeeded = answer.status == 200;
        if request.is::<VerifyToken>() && succeeded {
            let bearer = sent.authorization.as_deref().and_then(|value| value.strip_prefix("Bearer "));
            state.accepted.extend(bearer.map(str::to_owned));
        }
        // Renewing is how one that may be used so many times only is tried.
        if request.is::<RenewToken>() && succeeded {
            let body: Value = serde_json::from_slice(&sent.body).unwrap_or_default();
            state.accepted.extend(body["accessToken"].as_str().map(str::to_owned));
        }
        if request.is::<ClientLogin>() && succeeded {
            let body: Value = serde_json::from_slice(&sent.body).unwrap_or_default();
            state.let_in.extend(body["clientSecret"].as_str().map(str::to_owned));
        }
        if request.is::<RevokeInstanceAdmin>() && succeeded {
            state.given_up += 1;
            state.stripped.extend(request.path.split('/').rev().nth(1).map(str::to_owned));
        }
        let revokes = request.is::<RevokeToken>() || request.is::<RevokeClientSecret>();
        if revokes && succeeded {
            state.revoked.extend(request.path.split('/').rev().nth(1).map(str::to_owned));
        }
        Ok(answer)
    }

    async fn bootstrap(&self, request: &fake_infisical::Request, met: Met) -> Result<Answer, ErrorKind> {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let (nth, starts, mut run) = {
            let mut state = self.state();
            let nth = state.bootstraps.len();
            let database = state.database;
            state.bootstraps.push(Bootstrap {
                database,
                email: body["email"].as_str().unwrap_or_default().to_owned(),
                password: body["password"].as_str().unwrap_or_default().to_owned(),
                made_user: false,
                succeeded: false,
            });
            match state.instance.begin_bootstrap(request) {
                Ok(run) => (nth, state.starts, run),
                Err(refusal) => return Ok(refusal),
            }
        };
        self.state().transactions_under_way += 1;
        let answer = loop {
            sleep(met.latency / 4).await;
            let mut state = self.state();
            if state.starts != starts {
                break Err(ErrorKind::Unreachable(Transport::Broken));
            }
            let transaction = run.next();
            if let Some(answer) = state.instance.step_bootstrap(self.clock.now(), &mut run) {
                state.bootstraps[nth].succeeded = answer.status == 200;
                let made: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
                state.made_by_bootstrap.extend(made["identity"]["id"].as_str().map(str::to_owned));
                break Ok(answer);
            }
            state.bootstraps[nth].made_user |= transaction == Transaction::User;
            if state.cut == Some(transaction) {
                state.cut = None;
                state.starts += 1;
                break Err(ErrorKind::Unreachable(Transport::Broken));
            }
        };
        self.state().transactions_under_way -= 1;
        answer
    }
}

impl State {
    fn count(&mut self, life: u32, now: Duration) {
        self.rate.count(life, now);
        if !self.up {
            self.rate_while_down.count(life, now);
        }
    }

    fn meet(&mut self, request: &Request) -> Met {
        let hit = self.faults.iter().position(|(left, _)| *left == 0);
        let fault = hit.map(|at| self.faults.remove(at).1);
        for (left, _) in &mut self.faults {
            *left = left.saturating_sub(1);
        }
        let limit = if request.takes_long { BOOTSTRAP_LIMIT } else { LIMIT };
        Met { fault, limit, latency: self.latency }
    }

    fn happen(&mut self, happening: Happening, clock: &SimulatedClock) {
        match happening {
            Happening::Down => {
                self.up = false;
                self.starts += 1;
            }
            Happening::Up => self.up = true,
            Happening::Restart => self.starts += 1,
            Happening::Backup => self.backup = Some(self.instance.snapshot()),
            Happening::Restore => {
                if let Some(backup) = self.backup.clone() {
                    self.starts += 1;
                    self.database += 1;
                    self.restored = true;
                    self.instance.restore(&backup);
                }
            }
            Happening::Empty => {
                self.starts += 1;
                self.database += 1;
                self.instance.reset_database();
            }
            Happening::SomebodyElse { same_email } => self.somebody_else(same_email, clock),
            Happening::RevokeTokens => self.instance.revoke_all_tokens(),
            Happening::RevokeClientSecrets => self.instance.revoke_all_client_secrets(),
            Happening::ChangePassword => self.instance.change_passwords("changed-by-hand"),
            Happening::RevokeInstanceAdmin => self.instance.revoke_instance_admin(),
            Happening::GrantInstanceAdmin => self.instance.grant_instance_admin(),
            Happening::SecondFactor { is } => self.instance.settings.second_factor = is,
            Happening::PasswordLogin { is } => self.instance.settings.password_login = is,
            Happening::Upgrade(variant) => {
                self.starts += 1;
                self.instance.settings.variant = variant;
            }
        }
    }

    /// Nobody can keep somebody else from bootstrapping while we do; what then
    /// becomes of the database is not ours to judge.
    fn somebody_else(&mut self, same_email: bool, clock: &SimulatedClock) {
        if self.transactions_under_way > 0 {
            return;
        }
        let email = if same_email { "platform@example.org" } else { "boss@example.org" };
        let body = json!({ "email": email, "password": "somebody-elses", "organization": "theirs" });
        let request = fake_infisical::Request::new("POST", "/api/v1/admin/bootstrap").json(&body);
        self.instance.handle(clock.now(), &request);
    }
}

/// A process's line to a server.
pub(crate) struct Line {
    pub(crate) server: Arc<Server>,
    pub(crate) life: Arc<Life>,
}

#[async_trait]
impl Exchange for Line {
    async fn send(&self, request: Request) -> Result<Response, ErrorKind> {
        let (id, what) = (self.life.id, request.what);
        let is_bootstrap = request.is::<BootstrapRoute>();
        {
            let mut state = self.server.state();
            state.traffic.entry(id).or_default().sent += 1;
            state.asked += 1;
            state.count(id, self.server.clock.passed());
            if is_bootstrap {
                let now = state.bootstrapping.entry(id).or_default();
                *now += 1;
                let now = *now;
                state.most_at_once = state.most_at_once.max(now);
            }
        }
        // A task of its own: the server goes on when nobody listens any more.
        let exchange = Arc::clone(&self.server).exchange(Arc::clone(&self.life), request);
        #[expect(clippy::disallowed_methods, reason = "nobody waits for the server's end")]
        let answer = tokio::spawn(exchange).await.unwrap();
        let mut state = self.server.state();
        state.traffic.entry(id).or_default().answered += 1;
        if std::env::var_os("SIMULATION_TRACE").is_some() {
            let status = answer.as_ref().map(|answer| answer.status);
            println!("{:?}   process {id}: {what}: {status:?}", self.server.clock.passed());
        }
        if is_bootstrap {
            *state.bootstrapping.entry(id).or_default() -= 1;
        }
        answer
    }
}

/// The credentials that a platform team supplies.
pub(crate) fn supplied() -> Credentials {
    Credentials {
        email: Email::parse("platform@example.org").unwrap(),
        password: Password::new("supplied-by-the-platform-team"),
    }
}
