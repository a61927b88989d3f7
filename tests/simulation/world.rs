//! Carries out a schedule, step by step, and holds every promise against what
//! came of it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use daemon::clock::Clock as _;
use fake_crossplane::{
    Crossplane, Reconciled,
    calls::{Calls, Next},
};
use function_infisical::{
    contract::proto::v1::{RunFunctionRequest, RunFunctionResponse},
    function::Function,
};
use infisical::{Client, Connect, Error, claims::Claims, endpoint::Endpoint, secret::AccessToken};
use prost::Message as _;
use rand::{SeedableRng as _, rngs::StdRng};
use tokio::time::{sleep, timeout};

use crate::{
    clock::{SetClock, SimulatedClock},
    crossplane::Place,
    infisical::{Life, Line, Server, State, Traffic},
    invariants::{self, Called, Facts},
    liveness,
    mutants::{Boundary, Leash, Mutant, MutantLine},
    schedule::{Fate, Schedule, Setup, Step, View, Xrs},
};

/// How long it takes until a change brings the next reconcile (measured).
pub(crate) const BOUNCE: Duration = Duration::from_millis(100);

/// After how many changes in a row an XR should have come to rest.
const RESTLESS: usize = 20;

/// And after how long where there are several replicas.
const RESTLESS_FOR: Duration = Duration::from_secs(30);

/// A promise that was not kept.
#[derive(Clone, Debug)]
pub(crate) struct Broken {
    /// Which.
    pub(crate) promise: &'static str,
    /// How.
    pub(crate) how: String,
}

impl Broken {
    pub(crate) fn new(promise: &'static str, how: impl Into<String>) -> Self {
        Self { promise, how: how.into() }
    }
}

/// What a run came to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// Requests to servers.
    pub(crate) requests: u32,
    /// Responses that were applied.
    pub(crate) applies: u32,
    /// Calls of the function.
    pub(crate) calls: u32,
    /// The most requests that one process has sent to one server in a minute.
    pub(crate) most_a_minute: usize,
    /// The same to one that was down.
    pub(crate) most_a_minute_while_down: usize,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.applies += other.applies;
        self.calls += other.calls;
        self.most_a_minute = self.most_a_minute.max(other.most_a_minute);
        self.most_a_minute_while_down = self.most_a_minute_while_down.max(other.most_a_minute_while_down);
    }
}

/// A process of the function.
pub(crate) struct Replica {
    function: Arc<Function>,
    pub(crate) life: Arc<Life>,
    leash: Arc<Leash>,
}

/// Everything there is.
pub(crate) struct World {
    pub(crate) setup: Setup,
    pub(crate) clock: SimulatedClock,
    /// That of the function's processes.
    set_clock: SetClock,
    /// Whether that was set.
    pub(crate) clock_was_set: bool,
    pub(crate) places: Vec<Place>,
    all: Vec<Arc<Server>>,
    pub(crate) replicas: Vec<Replica>,
    pub(crate) facts: Facts,
    pub(crate) mutant: Option<Mutant>,
    /// Whose turn it is: the client of Crossplane goes from replica to replica, call
    /// by call.
    turn: usize,
    about: usize,
    lives: u32,
    calls: u32,
    seed: u64,
    traces: bool,
}

struct Wires {
    servers: Vec<Arc<Server>>,
    life: Arc<Life>,
    leash: Arc<Leash>,
    mutant: Option<Mutant>,
}

impl Connect for Wires {
    fn connect(&self, endpoint: &Endpoint) -> Result<Client, Error> {
        let nth = usize::from(endpoint.origin().as_str().contains("infisical-1"));
        let line = Line { server: Arc::clone(&self.servers[nth]), life: Arc::clone(&self.life) };
        Ok(match self.mutant {
            None => Client::new(line),
            Some(mutant) => Client::new(MutantLine::new(line, mutant, Arc::clone(&self.leash))),
        })
    }
}

/// Runs a schedule in a time of its own, to its end and on until all is well.
pub(crate) fn run(schedule: &Schedule, seed: u64, mutant: Option<Mutant>) -> Result<Counts, Broken> {
    in_paused_time(async {
        let mut world = World::new(&schedule.setup, seed, mutant);
        world.steps(&schedule.steps).await?;
        liveness::ensure(&mut world).await?;
        Ok(world.counts())
    })
}

/// Runs a schedule to its end only.
pub(crate) fn run_steps(schedule: &Schedule, seed: u64, mutant: Option<Mutant>) -> Result<Counts, Broken> {
    in_paused_time(async {
        let mut world = World::new(&schedule.setup, seed, mutant);
        world.steps(&schedule.steps).await?;
        Ok(world.counts())
    })
}

fn in_paused_time<T>(run: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().start_paused(true).build().unwrap().block_on(run)
}

impl World {
    pub(crate) fn new(setup: &Setup, seed: u64, mutant: Option<Mutant>) -> Self {
        let clock = SimulatedClock::start();
        let servers: Vec<_> = (0..2).map(|nth| Server::new(setup, seed * 2 + nth, clock)).collect();
        let place =
            |index: usize, server: usize| Place::new(setup, index, Arc::clone(&servers[server]), server);
        let places = match setup.xrs {
            Xrs::One => vec![place(0, 0)],
            Xrs::Two => vec![place(0, 0), place(1, 1)],
            Xrs::TwoOfOneServer => vec![place(0, 0), place(1, 0)],
        };
        let mut world = Self {
            setup: setup.clone(),
            clock,
            set_clock: SetClock::new(clock, setup.ahead),
            clock_was_set: false,
            places,
            all: servers,
            replicas: Vec::new(),
            facts: Facts::default(),
            mutant,
            turn: 0,
            about: 0,
            lives: 0,
            calls: 0,
            seed,
            traces: std::env::var_os("SIMULATION_TRACE").is_some(),
        };
        for _ in 0..setup.replicas {
            let replica = world.start();
            world.replicas.push(replica);
        }
        world
    }

    pub(crate) fn counts(&self) -> Counts {
        let requests = self.servers().map(|server| server.state().asked).sum();
        let applies = self.places.iter().map(|place| place.applies).sum();
        let most = |rate: fn(&State) -> usize| self.servers().map(|it| rate(&it.state())).max().unwrap_or(0);
        Counts {
            requests,
            applies,
            calls: self.calls,
            most_a_minute: most(|state| state.rate.most.0),
            most_a_minute_while_down: most(|state| state.rate_while_down.most.0),
        }
    }

    /// The servers, each once.
    pub(crate) fn servers(&self) -> impl Iterator<Item = &Arc<Server>> {
        self.all.iter()
    }

    fn start(&mut self) -> Replica {
        self.lives += 1;
        let (life, leash) = (Life::new(self.lives), Arc::new(Leash::default()));
        let function = Arc::new(self.function(&life, &leash, 0));
        Replica { function, life, leash }
    }

    /// A function that remembers nothing.
    fn function(&self, life: &Arc<Life>, leash: &Arc<Leash>, salt: u64) -> Function {
        let servers = self.all.clone();
        let (life, leash, mutant) = (Arc::clone(life), Arc::clone(leash), self.mutant);
        let seed = (self.seed.wrapping_mul(1000) + u64::from(life.id)).wrapping_add(salt << 40);
        let connect = Arc::new(Wires { servers, life, leash, mutant });
        Function::new(connect, Arc::new(self.set_clock.clone()), StdRng::seed_from_u64(seed))
    }

    pub(crate) fn restart(&mut self, replica: usize) {
        self.replicas[replica].life.end();
        self.replicas[replica] = self.start();
    }

    async fn steps(&mut self, steps: &[Step]) -> Result<(), Broken> {
        for step in steps {
            self.step(step).await?;
            invariants::after_a_step(self)?;
        }
        Ok(())
    }

    async fn step(&mut self, step: &Step) -> Result<(), Broken> {
        let (about, now) = (self.about, self.clock.passed());
        let place = &mut self.places[about];
        match step {
            Step::About { xr } => self.about = usize::from(*xr) % self.places.len(),
            Step::Reconcile { replica, view, fate } => {
                self.turn = usize::from(*replica);
                self.reconcile(about, *view, *fate).await?;
            }
            Step::Together { replicas, kept } => self.together(about, *replicas, *kept).await?,
            Step::Live { replica, calls } => {
                self.turn = usize::from(*replica);
                self.live(about, *calls).await?;
            }
            Step::Pass { seconds } => sleep(Duration::from_secs(u64::from(*seconds))).await,
            Step::Clock { by } => {
                self.set_clock.set(*by);
                self.clock_was_set = true;
            }
            Step::Ready { is } => place.set_ready(*is, now),
            Step::Restart { replica } => self.restart(usize::from(*replica) % self.replicas.len()),
            Step::Recreate { database_too } => {
                if *database_too {
                    place.server.happen(crate::schedule::Server::Empty);
                }
                place.recreate();
            }
            Step::Human(human) => place.human(*human, now, self.clock.now()),
            Step::Taken { ours, is_controlled } => place.take(*ours, *is_controlled),
            Step::Freed => place.free(),
            Step::Input(change) => place.change(*change, &self.all, self.clock.now()),
            Step::Server(happening) => place.server.happen(*happening),
            Step::Fault { nth, fault } => place.server.fault(*nth, *fault),
            Step::CutBootstrap { after } => place.server.cut_bootstrap(*after),
        }
        Ok(())
    }

    /// One reconcile.
    pub(crate) async fn reconcile(
        &mut self,
        at: usize,
        view: View,
        fate: Fate,
    ) -> Result<Option<Reconciled>, Broken> {
        let seen = self.places[at].seen(view, self.clock.passed());
        let Some(response) = self.answer(at, &seen, fate).await? else { return Ok(None) };
        Ok(self.apply(at, &response, fate))
    }

    /// What a run that is run alone prints.
    fn trace(&self, at: usize, replica: usize, response: &RunFunctionResponse) {
        if !self.traces {
            return;
        }
        let reasons: Vec<&str> = response.conditions.iter().map(|it| it.reason.as_str()).collect();
        let ready = crate::crossplane::desired(response).composite.map(|composite| composite.ready());
        let ttl = response.meta.as_ref().and_then(|meta| meta.ttl).map(|ttl| ttl.seconds);
        let (now, requests) = (self.clock.passed(), self.counts().requests);
        let id = |token: Option<String>| {
            let claims = Claims::of(&AccessToken::new(token.unwrap_or_default()));
            claims.token_id.map(|id| id[..4].to_owned()).unwrap_or_default()
        };
        let handed = crate::crossplane::secret(&crate::crossplane::desired(response), "infisical-connection");
        let (had, has) = (id(self.places[at].token()), id(handed.and_then(|it| it.get("token").cloned())));
        println!(
            "{now:?} XR {at} replica {replica}: {reasons:?} {ready:?} ttl {ttl:?}, {requests} requests, \
             token {had} to {has}"
        );
    }

    fn apply(&mut self, at: usize, response: &RunFunctionResponse, fate: Fate) -> Option<Reconciled> {
        let now = self.clock.passed();
        let place = &mut self.places[at];
        match fate {
            Fate::Applied | Fate::Cancelled { .. } | Fate::Deadline { .. } | Fate::Killed { .. } => {
                let reconciled = place.apply(response, now);
                place.make_the_project();
                Some(reconciled)
            }
            Fate::Lost => None,
            Fate::Partly { resources, xr } => {
                place.apply_partly(response, resources, xr, now);
                None
            }
        }
    }

    /// What is applied: out of Crossplane's cache, which is in front of all calls of a
    /// reconcile, or what the last of them is answered with.
    async fn answer(
        &mut self,
        at: usize,
        seen: &Crossplane,
        fate: Fate,
    ) -> Result<Option<RunFunctionResponse>, Broken> {
        let calls = Calls::new(seen.request());
        let encoded = calls.request.encode_to_vec();
        if self.setup.cache
            && let Some((until, response)) = self.places[at].cache.get(&encoded)
            && self.clock.passed() < *until
        {
            return Ok(Some(response.clone()));
        }
        let response = self.calls(at, seen, calls, fate).await?;
        if let Some(response) = &response {
            let ttl = response.meta.as_ref().and_then(|meta| meta.ttl).map_or(0, |ttl| ttl.seconds);
            let until = self.clock.passed() + Duration::from_secs(u64::try_from(ttl).unwrap());
            self.places[at].cache.insert(encoded, (until, response.clone()));
        }
        Ok(response)
    }

    /// Calls until what is asked for is there.
    async fn calls(
        &mut self,
        at: usize,
        seen: &Crossplane,
        mut calls: Calls,
        fate: Fate,
    ) -> Result<Option<RunFunctionResponse>, Broken> {
        loop {
            let Some(response) = self.call(at, &calls, fate).await? else { return Ok(None) };
            match calls.take(&response, seen) {
                Next::Again => {}
                Next::Used => {
                    invariants::invariant_a_reconcile_makes_no_call_too_many(
                        self,
                        &self.places[at],
                        seen,
                        calls.made,
                    )?;
                    return Ok(Some(response));
                }
                Next::Unstable => {
                    return Err(Broken::new(
                        "the requirements come to rest",
                        format!("{} calls", calls.made),
                    ));
                }
            }
        }
    }

    /// One call, of the replica whose turn it is.
    async fn call(
        &mut self,
        at: usize,
        calls: &Calls,
        fate: Fate,
    ) -> Result<Option<RunFunctionResponse>, Broken> {
        self.calls += 1;
        let replica = self.turn % self.replicas.len();
        self.turn += 1;
        let encoded = &*calls.request.encode_to_vec();
        let life = Arc::clone(&self.replicas[replica].life);
        let before = self.traffic(life.id);
        let millis = |after: u16| Duration::from_millis(u64::from(after));
        let response = match fate {
            Fate::Applied | Fate::Lost | Fate::Partly { .. } => {
                Some(self.call_on(at, replica, encoded, None).await)
            }
            Fate::Deadline { after } => Some(self.call_on(at, replica, encoded, Some(millis(after))).await),
            Fate::Cancelled { after } | Fate::Killed { after } => {
                timeout(millis(after), self.call_on(at, replica, encoded, None)).await.ok()
            }
        };
        if matches!(fate, Fate::Killed { .. }) {
            life.end();
        }
        let result = match response {
            Some(response) if !life.is_over() => {
                let request = RunFunctionRequest::decode(encoded).unwrap();
                let is_used = calls.uses(&response);
                let called = Called { at, life: life.id, request, response, is_used, before };
                self.trace(at, replica, &called.response);
                invariants::after_a_call(self, &called)?;
                if self.calls.is_multiple_of(2) {
                    self.same_again(at, replica, encoded, &called.response).await?;
                }
                Some(called.response)
            }
            _ => {
                invariants::after_a_call_that_was_cancelled(self, at, life.id, encoded);
                None
            }
        };
        if life.is_over() {
            self.replicas[replica] = self.start();
        }
        Ok(result)
    }

    /// Through the encoding and back, as on the wire.
    async fn call_on(
        &self,
        at: usize,
        replica: usize,
        encoded: &[u8],
        deadline: Option<Duration>,
    ) -> RunFunctionResponse {
        let request = RunFunctionRequest::decode(encoded).unwrap();
        let Replica { function, life, leash } = &self.replicas[replica];
        let response = match self.mutant {
            None => function.call(request, deadline).await,
            Some(mutant) => {
                // A password of its own at every moment.
                let moment = u64::try_from(self.clock.passed().as_millis()).unwrap();
                let fresh = || self.function(life, leash, moment + 1);
                let cluster = &self.places[at].crossplane;
                let boundary = Boundary { function, leash, cluster, now: self.set_clock.now() };
                mutant.call(boundary, fresh, request, deadline).await
            }
        };
        RunFunctionResponse::decode(response.encode_to_vec().as_slice()).unwrap()
    }

    /// Calls once more, with no patience: when nothing happened in between, the
    /// answer is the same to the byte.
    async fn same_again(
        &mut self,
        at: usize,
        replica: usize,
        encoded: &[u8],
        first: &RunFunctionResponse,
    ) -> Result<(), Broken> {
        let state = |world: &Self| (world.clock.passed(), world.all_traffic());
        let before = state(self);
        let mut second = self.call_on(at, replica, encoded, Some(Duration::ZERO)).await;
        if state(self) != before {
            return Ok(());
        }
        let mut first = first.clone();
        // It says how long from now.
        first.meta = None;
        second.meta = None;
        invariants::invariant_the_same_state_gives_the_same_bytes(&first, &second)
    }

    pub(crate) fn traffic(&self, life: u32) -> Traffic {
        let mut all = Traffic::default();
        for server in self.servers() {
            let of = server.state().traffic.get(&life).copied().unwrap_or_default();
            all.sent += of.sent;
            all.answered += of.answered;
        }
        all
    }

    /// Whether a process waits for an answer.
    pub(crate) fn is_busy(&self) -> bool {
        self.replicas.iter().any(|replica| {
            let Traffic { sent, answered } = self.traffic(replica.life.id);
            sent != answered
        })
    }

    fn all_traffic(&self) -> Vec<BTreeMap<u32, Traffic>> {
        self.servers().map(|server| server.state().traffic.clone()).collect()
    }

    /// Several replicas at once, as after a change of leader, or by a load
    /// balancer that tries again.
    async fn together(&mut self, at: usize, replicas: u8, kept: u8) -> Result<(), Broken> {
        let seen: Crossplane = self.places[at].crossplane.clone();
        let mut calls = Calls::new(seen.request());
        // What is required is there, so that all of the calls count.
        let Some(response) = self.call(at, &calls, Fate::Applied).await? else { return Ok(()) };
        calls.take(&response, &seen);
        let encoded = calls.request.encode_to_vec();
        let lives: Vec<_> = self.replicas.iter().map(|replica| Arc::clone(&replica.life)).collect();
        let before: Vec<_> = lives.iter().map(|life| self.traffic(life.id)).collect();
        let count = usize::from(replicas).min(self.replicas.len());
        let this = &*self;
        let together = (0..count).map(|replica| this.call_on(at, replica, &encoded, None));
        let responses = join_all(together).await;
        for (nth, response) in responses.into_iter().enumerate() {
            if lives[nth].is_over() {
                self.replicas[nth] = self.start();
                continue;
            }
            let (request, is_used) = (calls.request.clone(), calls.uses(&response));
            let called = Called { at, life: lives[nth].id, request, response, is_used, before: before[nth] };
            invariants::after_a_call(self, &called)?;
            if nth == usize::from(kept) {
                self.apply(at, &called.response, Fate::Applied);
            }
        }
        Ok(())
    }

    /// Reconciles as Crossplane does: at once after a change, else when `ttl` says.
    async fn live(&mut self, at: usize, calls: u8) -> Result<(), Broken> {
        for _ in 0..calls {
            self.settle(at).await?;
            self.wait(at).await;
        }
        Ok(())
    }

    /// Reconciles until nothing changes.
    pub(crate) async fn settle(&mut self, at: usize) -> Result<(), Broken> {
        let until = self.clock.passed() + RESTLESS_FOR;
        for nth in 0.. {
            let reconciled = self.reconcile(at, View::Fresh, Fate::Applied).await?;
            if reconciled != Some(Reconciled::Applied { changed: true }) {
                return Ok(());
            }
            // Replicas that know different things contradict each other until they
            // ask again.
            let is_too_long = self.replicas.len() == 1 || self.clock.passed() > until;
            if nth >= RESTLESS && is_too_long {
                break;
            }
            sleep(BOUNCE).await;
        }
        let how = format!("{:?}", self.places[at].crossplane.xr["status"]["conditions"]);
        Err(Broken::new("an XR comes to rest", how))
    }

    /// Waits as long as the last response's `ttl` says, and the tenth that
    /// Crossplane may add.
    pub(crate) async fn wait(&self, at: usize) {
        let ttl = self.places[at].crossplane.ttl.unwrap_or(10);
        sleep(Duration::from_secs(u64::try_from(ttl).unwrap()) * 11 / 10).await;
    }
}

/// All of them, side by side.
async fn join_all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = futures.map(|future| (Some(Box::pin(future)), None)).collect();
    std::future::poll_fn(move |context| {
        for (future, output) in &mut running {
            if let Some(running) = future
                && let std::task::Poll::Ready(done) = running.as_mut().poll(context)
            {
                (*future, *output) = (None, Some(done));
            }
        }
        if running.iter().all(|(future, _)| future.is_none()) {
            return std::task::Poll::Ready(
                running.iter_mut().filter_map(|(_, output)| output.take()).collect(),
            );
        }
        std::task::Poll::Pending
    })
    .await
}
