//! HTTP around an [`Instance`], on loopback, with faults in between.
//!
//! A request that was taken up is carried out even when whoever sent it goes
//! away, as by the real server. Everything ends when the [`FakeInfisical`] is
//! dropped.

use std::{
    convert::Infallible,
    fmt,
    future::pending,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{oneshot, watch},
    task::JoinSet,
};

use crate::{
    BootstrapRun, Bootstraps, Entry, Fault, Instance, LivingToken, On, Request, Response, Route, Settings,
    Snapshot, Times, Transaction, fault::Faults,
};

/// How long a bootstrap waits for others to start, at most.
const MEETING_LIMIT: Duration = Duration::from_secs(5);

/// Where the fake's time comes from.
pub type Time = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How to start.
#[derive(Clone)]
pub struct Options {
    /// How the instance is set up.
    pub settings: Settings,
    /// What ids and signatures follow from.
    pub seed: u64,
    /// The time, before [`FakeInfisical::advance`]. Default: the machine's.
    pub time: Time,
    /// The port on 127.0.0.1; 0 is any that is free.
    pub port: u16,
    /// How long a bootstrap takes between two transactions.
    pub bootstrap_pause: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            settings: Settings::default(),
            seed: 0,
            time: Arc::new(machine_time),
            port: 0,
            bootstrap_pause: Duration::ZERO,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("settings", &self.settings)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

#[expect(clippy::disallowed_methods, reason = "the default; a test passes its own")]
fn machine_time() -> Timestamp {
    Timestamp::now()
}

/// A running server. It stops when this is dropped.
pub struct FakeInfisical {
    address: SocketAddr,
    shared: Arc<Shared>,
    /// Ends with this value, and the connections with it.
    _listening: JoinSet<()>,
}

impl fmt::Debug for FakeInfisical {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeInfisical").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Drop for FakeInfisical {
    fn drop(&mut self) {
        lock(&self.shared.work).abort_all();
    }
}

impl FakeInfisical {
    /// Starts a server on loopback.
    ///
    /// # Errors
    /// The port is taken.
    pub async fn start(options: Options) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            state: Mutex::new(State::new(Instance::new(options.settings, options.seed))),
            time: options.time,
            bootstrap_pause: options.bootstrap_pause,
            started_bootstraps: watch::Sender::new(0),
            work: Mutex::default(),
        });
        let mut listening = JoinSet::new();
        listening.spawn(listen(listener, Arc::clone(&shared)));
        Ok(Self { address, shared, _listening: listening })
    }

    /// `http://127.0.0.1:<port>`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The time by the fake's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.shared.now()
    }

    /// Moves the fake's clock forward.
    pub fn advance(&self, by: Duration) {
        let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::ZERO);
        self.with(|state| state.offset += by);
    }

    /// Changes the settings.
    pub fn configure(&self, change: impl FnOnce(&mut Settings)) {
        self.with(|state| change(&mut state.instance.settings));
    }

    /// Switches a fault on, after those that are on already.
    pub fn inject(&self, on: On, times: Times, fault: Fault) {
        self.with(|state| state.faults.add(on, times, fault));
    }

    /// Switches all faults off. A request that hangs goes on hanging.
    pub fn clear_faults(&self) {
        self.with(|state| state.faults.clear());
    }

    /// Makes the next bootstraps wait for each other, after their checks and
    /// before they write, until so many have started.
    pub fn meet_bootstraps(&self, count: usize) {
        self.shared.started_bootstraps.send_replace(0);
        self.with(|state| state.meeting = count);
    }

    /// Everything that was asked.
    #[must_use]
    pub fn log(&self) -> Vec<Entry> {
        self.with(|state| state.log.clone())
    }

    /// How often a route was asked.
    #[must_use]
    pub fn count(&self, route: Route) -> usize {
        self.with(|state| state.log.iter().filter(|entry| entry.route == route).count())
    }

    /// How many requests were to change something, log-ins not counted.
    #[must_use]
    pub fn writes(&self) -> usize {
        self.with(|state| state.log.iter().filter(|entry| entry.route.is_write()).count())
    }

    /// What became of the bootstraps.
    #[must_use]
    pub fn bootstraps(&self) -> Bootstraps {
        self.with(|state| state.bootstraps.clone())
    }

    /// Whether the server accepts this machine token now.
    #[must_use]
    pub fn token_works(&self, token: &str) -> bool {
        let now = self.now();
        self.with(|state| state.instance.token_works(now, token))
    }

    /// The machine tokens of which a JWT works at a time.
    #[must_use]
    pub fn tokens_alive(&self, now: Timestamp) -> Vec<LivingToken> {
        self.with(|state| state.instance.tokens_alive(now))
    }

    /// Revokes every machine token.
    pub fn revoke_all_tokens(&self) {
        self.with(|state| state.instance.revoke_all_tokens());
    }

    /// Whether a client ID and secret would be let in, but for a lock.
    #[must_use]
    pub fn client_secret_works(&self, client_id: &str, client_secret: &str) -> bool {
        self.with(|state| state.instance.client_secret_works(client_id, client_secret))
    }

    /// How many client secrets of a description work.
    #[must_use]
    pub fn client_secrets_alive(&self, description: &str) -> usize {
        self.with(|state| state.instance.client_secrets_alive(description))
    }

    /// The identities of a name.
    #[must_use]
    pub fn identities_named(&self, name: &str) -> Vec<String> {
        self.with(|state| state.instance.identities_named(name))
    }

    /// Revokes every client secret.
    pub fn revoke_all_client_secrets(&self) {
        self.with(|state| state.instance.revoke_all_client_secrets());
    }

    /// Whether the identity that bootstrap made is an instance admin.
    #[must_use]
    pub fn bootstrap_identity_is_instance_admin(&self) -> bool {
        self.with(|state| state.instance.bootstrap_identity_is_instance_admin())
    }

    /// Takes the instance admin right from every identity.
    pub fn revoke_instance_admin(&self) {
        self.with(|state| state.instance.revoke_instance_admin());
    }

    /// Gives it to every identity.
    pub fn grant_instance_admin(&self) {
        self.with(|state| state.instance.grant_instance_admin());
    }

    /// A project that is as one that the bootstrap identity has made.
    pub fn add_project(&self, slug: &str) {
        self.with(|state| state.instance.add_project(slug));
    }

    /// Whether an identity has the instance admin right.
    #[must_use]
    pub fn is_instance_admin(&self, identity_id: &str) -> bool {
        self.with(|state| state.instance.is_instance_admin(identity_id))
    }

    /// An instance admin that a human has made, without Token Auth.
    pub fn add_instance_admin(&self, now: Timestamp, name: &str) {
        self.with(|state| state.instance.add_instance_admin(now, name));
    }

    /// An instance admin that a human has made, and the token that the human has of it.
    #[must_use]
    pub fn add_token_of_another(&self, now: Timestamp, name: &str) -> Option<String> {
        self.with(|state| state.instance.add_token_of_another(now, name))
    }

    /// Writes a secret into an environment of a project.
    pub fn put_secret(&self, project: &str, environment: &str, secret: (&str, &str)) {
        self.with(|state| state.instance.put_secret(project, environment, secret));
    }

    /// Takes all but its admins out of a project.
    pub fn remove_from_project(&self, slug: &str) {
        self.with(|state| state.instance.remove_from_project(slug));
    }

    /// The role of an identity in a project.
    #[must_use]
    pub fn role_in_project(&self, slug: &str, identity_id: &str) -> Option<String> {
        self.with(|state| state.instance.role_in_project(slug, identity_id).map(str::to_owned))
    }

    /// Gives every user this password.
    pub fn change_passwords(&self, password: &str) {
        self.with(|state| state.instance.change_passwords(password));
    }

    /// Empties the database.
    pub fn reset_database(&self) {
        self.with(|state| state.instance.reset_database());
    }

    /// What the database holds.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.with(|state| state.instance.snapshot())
    }

    /// Puts the database back.
    pub fn restore(&self, snapshot: &Snapshot) {
        self.with(|state| state.instance.restore(snapshot));
    }

    /// Whether somebody set the instance up.
    #[must_use]
    pub fn is_initialized(&self) -> bool {
        self.with(|state| state.instance.is_initialized())
    }

    /// The emails of the server admins.
    #[must_use]
    pub fn super_admins(&self) -> Vec<String> {
        self.with(|state| state.instance.super_admins())
    }

    /// The names of the organizations.
    #[must_use]
    pub fn organization_names(&self) -> Vec<String> {
        self.with(|state| state.instance.organization_names())
    }

    /// Puts a request to the instance past HTTP, faults and log: what somebody
    /// else does to it, such as another installer.
    #[must_use]
    pub fn ask(&self, request: &Request) -> Response {
        let now = self.now();
        self.with(|state| state.instance.handle(now, request))
    }

    fn with<T>(&self, use_it: impl FnOnce(&mut State) -> T) -> T {
        use_it(&mut lock(&self.shared.state))
    }
}

struct State {
    instance: Instance,
    offset: SignedDuration,
    faults: Faults,
    log: Vec<Entry>,
    bootstraps: Bootstraps,
    meeting: usize,
}

impl State {
    fn new(instance: Instance) -> Self {
        Self {
            instance,
            offset: SignedDuration::ZERO,
            faults: Faults::default(),
            log: Vec::new(),
            bootstraps: Bootstraps::default(),
            meeting: 0,
        }
    }
}

struct Shared {
    state: Mutex<State>,
    time: Time,
    bootstrap_pause: Duration,
    /// How many bootstraps passed their checks since the last meeting was set.
    started_bootstraps: watch::Sender<usize>,
    /// Requests that were taken up.
    work: Mutex<JoinSet<()>>,
}

/// What ends a connection without an answer.
#[derive(Debug)]
struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("closed on purpose")
    }
}

impl std::error::Error for Closed {}

/// A panic in a test that holds the lock must not hide behind a second one.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn listen(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        connections.spawn(serve(stream, Arc::clone(&shared)));
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let service = service_fn(move |request| respond(Arc::clone(&shared), request));
    // The error is a client that went away, or a fault that closes.
    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
}

async fn respond(
    shared: Arc<Shared>,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Full<Bytes>>, Closed> {
    let request = received(request).await?;
    let (sender, answer) = oneshot::channel();
    let work = Arc::clone(&shared);
    {
        let mut tasks = lock(&shared.work);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move {
            // The other end is gone when the client is.
            drop(sender.send(work.perform(request).await));
        });
    }
    to_http(answer.await.map_err(|_| Closed)??)
}

async fn received(request: hyper::Request<Incoming>) -> Result<Request, Closed> {
    let (head, body) = request.into_parts();
    let header = |name: http::HeaderName| {
        head.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
    };
    Ok(Request {
        method: head.method.to_string(),
        path: head.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        user_agent: header(http::header::USER_AGENT),
        content_type: header(http::header::CONTENT_TYPE),
        authorization: header(http::header::AUTHORIZATION),
        if_none_match: header(http::header::IF_NONE_MATCH),
        body: body.collect().await.map_err(|_| Closed)?.to_bytes().to_vec(),
    })
}

fn to_http(response: Response) -> Result<hyper::Response<Full<Bytes>>, Closed> {
    let mut builder = hyper::Response::builder()
        .status(response.status)
        .header(http::header::CONTENT_TYPE, response.content_type);
    for (name, value) in response.headers {
        builder = builder.header(name, value);
    }
    builder.body(Full::new(Bytes::from(response.body))).map_err(|_| Closed)
}

impl Shared {
    fn now(&self) -> Timestamp {
        let now = (self.time)();
        let offset = lock(&self.state).offset;
        now.saturating_add(offset).unwrap_or(now)
    }

    /// Takes a request up, with whatever fault is due.
    async fn perform(self: Arc<Self>, request: Request) -> Result<Response, Closed> {
        let (route, _) = Route::of(&request.method, &request.path);
        let index = self.note(route, &request);
        let fault = lock(&self.state).faults.take(route);
        let answer = self.suffer(fault, route, &request).await;
        let status = answer.as_ref().ok().map(|response| response.status);
        if let Some(entry) = lock(&self.state).log.get_mut(index) {
            entry.status = status;
        }
        answer
    }

    fn note(&self, route: Route, request: &Request) -> usize {
        let at = self.now();
        let asks_for_email = matches!(route, Route::Bootstrap | Route::Login);
        let email = asks_for_email.then(|| email_of(request)).flatten();
        let mut state = lock(&self.state);
        if route == Route::Bootstrap {
            state.bootstraps.asked += 1;
            state.bootstraps.emails.extend(email.clone());
        }
        state.log.push(Entry {
            route,
            at,
            status: None,
            email,
            authorized: request.authorization.is_some(),
            user_agent: request.user_agent.clone(),
            content_type: request.content_type.clone(),
        });
        state.log.len() - 1
    }

    async fn suffer(
        &self,
        fault: Option<Fault>,
        route: Route,
        request: &Request,
    ) -> Result<Response, Closed> {
        match fault {
            None => self.carry_out(route, request, None).await,
            Some(Fault::Hang) => Ok(never().await),
            Some(Fault::HangAfter) => {
                self.carry_out(route, request, None).await?;
                Ok(never().await)
            }
            Some(Fault::Delay(by)) => {
                tokio::time::sleep(by).await;
                self.carry_out(route, request, None).await
            }
            Some(Fault::CloseBefore) => Err(Closed),
            Some(Fault::CloseAfter) => {
                self.carry_out(route, request, None).await?;
                Err(Closed)
            }
            Some(Fault::FailBefore(status)) => Ok(failure(status)),
            Some(Fault::FailAfter(status)) => {
                self.carry_out(route, request, None).await?;
                Ok(failure(status))
            }
            Some(Fault::LostRace) => {
                self.carry_out(route, request, None).await?;
                Ok(Response::failed("Create"))
            }
            Some(Fault::CrashAfter(last)) => self.carry_out(route, request, Some(last)).await,
            Some(Fault::RateLimit(retry_after)) => Ok(Response::rate_limited(retry_after)),
            Some(Fault::Page(status)) => Ok(Response::page(status)),
            Some(Fault::Gateway(status)) => Ok(Response::gateway(status)),
            Some(Fault::Redirect(to)) => Ok(Response::redirect(&to)),
            Some(Fault::Oversized(bytes)) => Ok(Response::oversized(bytes)),
        }
    }

    async fn carry_out(
        &self,
        route: Route,
        request: &Request,
        crash_after: Option<Transaction>,
    ) -> Result<Response, Closed> {
        if route == Route::Bootstrap {
            return self.bootstrap(request, crash_after).await;
        }
        let now = self.now();
        Ok(lock(&self.state).instance.handle(now, request))
    }

    /// A bootstrap with time in between its transactions for others to come.
    async fn bootstrap(
        &self,
        request: &Request,
        crash_after: Option<Transaction>,
    ) -> Result<Response, Closed> {
        let _under_way = UnderWay::new(self);
        let begun = lock(&self.state).instance.begin_bootstrap(request);
        let mut run = match begun {
            Ok(run) => run,
            Err(refusal) => return Ok(refusal),
        };
        self.meet().await;
        loop {
            let done = run.next();
            if let Some(response) = self.step(&mut run) {
                return Ok(response);
            }
            if crash_after == Some(done) {
                return Err(Closed);
            }
            self.pause().await;
        }
    }

    fn step(&self, run: &mut BootstrapRun) -> Option<Response> {
        let now = self.now();
        let mut state = lock(&self.state);
        let response = state.instance.step_bootstrap(now, run)?;
        if response.status == 200 {
            state.bootstraps.successful += 1;
        }
        Some(response)
    }

    async fn meet(&self) {
        let expected = lock(&self.state).meeting;
        let mut started = self.started_bootstraps.subscribe();
        self.started_bootstraps.send_modify(|count| *count += 1);
        // A meeting that not all come to must not hang the test.
        drop(tokio::time::timeout(MEETING_LIMIT, started.wait_for(|count| *count >= expected)).await);
    }

    async fn pause(&self) {
        if self.bootstrap_pause.is_zero() {
            tokio::task::yield_now().await;
        } else {
            tokio::time::sleep(self.bootstrap_pause).await;
        }
    }
}

/// Counts a bootstrap for as long as it is under way.
struct UnderWay<'a>(&'a Shared);

impl<'a> UnderWay<'a> {
    fn new(shared: &'a Shared) -> Self {
        let mut state = lock(&shared.state);
        state.bootstraps.under_way += 1;
        state.bootstraps.max_concurrent = state.bootstraps.max_concurrent.max(state.bootstraps.under_way);
        Self(shared)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        lock(&self.0.state).bootstraps.under_way -= 1;
    }
}

fn failure(status: u16) -> Response {
    Response { status, ..Response::server_error() }
}

fn email_of(request: &Request) -> Option<String> {
    let body: Value = serde_json::from_slice(&request.body).ok()?;
    body.get("email")?.as_str().map(str::to_owned)
}

async fn never() -> Response {
    match pending::<Infallible>().await {}
}
