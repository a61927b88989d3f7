//! One call: observe, plan, act, respond. The one place that knows all four.
//!
//! A call that starts work waits for it for a moment, so that a fast server
//! makes a fast XR; then it answers with what is known. The work goes on without
//! it, and its outcome comes with a later call.
//!
//! Rule 14 is kept here.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use daemon::clock::Clock;
use infisical::Connect;
use prometheus_client::registry::Registry;
use rand::rngs::StdRng;
use tokio::time::Instant;
use tonic::Status;
use tracing::Span;

use self::calls::{CallOutcome, Calls};
use crate::{
    act::{Act, Memory, Tokens, Xrs},
    contract::proto::v1::{RunFunctionRequest, RunFunctionResponse},
    input::Inputs,
    model::{
        remembered::Remembered,
        xr::{Xr, XrKey},
    },
    observe::{Observation, ObserveError, observe},
    plan::{Action, AdminSecret, HandOffAction, Plan, plan},
    respond,
    server::RunFunction,
};

mod calls;

/// For how long a call waits for work that is under way. A bootstrap and all
/// that comes after it take about a second; a reconcile has two minutes.
const PATIENCE: Duration = Duration::from_secs(2);

/// The function that Crossplane calls.
pub struct Function {
    act: Act,
    memory: Arc<Memory>,
    clock: Arc<dyn Clock>,
    rng: Mutex<StdRng>,
    inputs: Inputs,
    calls: Calls,
    tokens: Tokens,
}

impl Function {
    /// A function that remembers nothing yet. `rng` draws passwords.
    #[must_use]
    pub fn new(connect: Arc<dyn Connect>, clock: Arc<dyn Clock>, rng: StdRng) -> Self {
        let memory = Arc::new(Memory::default());
        let (calls, tokens) = (Calls::default(), Tokens::default());
        let act = Act::new(memory.clone(), connect, clock.clone(), tokens.clone());
        Self { act, memory, clock, rng: Mutex::new(rng), inputs: Inputs::default(), calls, tokens }
    }

    /// Adds what it counts to a registry.
    pub fn register_metrics(&self, registry: &mut Registry) {
        self.calls.register(registry);
        self.tokens.register(registry);
        let (memory, clock) = (Arc::clone(&self.memory), Arc::clone(&self.clock));
        registry.register_collector(Box::new(Xrs { memory, clock }));
    }

    /// Answers a call. `deadline` is what the caller has left to wait.
    pub async fn call(&self, request: RunFunctionRequest, deadline: Option<Duration>) -> RunFunctionResponse {
        let started = Instant::now();
        let (response, outcome) = self.counted(request, deadline).await;
        self.calls.observe(outcome, started.elapsed());
        response
    }

    async fn counted(
        &self,
        request: RunFunctionRequest,
        deadline: Option<Duration>,
    ) -> (RunFunctionResponse, CallOutcome) {
        let tag = request.meta.as_ref().map(|meta| meta.tag.as_str()).unwrap_or_default();
        match self.observe(&request) {
            Ok(observation) => {
                let span = span(tag, &observation.xr);
                self.answer(request, &observation, deadline, &span).await
            }
            Err(error) => {
                let error = respond::bounded(error.to_string());
                tracing::warn!(request.tag = tag, error, "the pipeline step cannot run");
                (respond::fatal(request, error), CallOutcome::InvalidInput)
            }
        }
    }

    fn observe(&self, request: &RunFunctionRequest) -> Result<Observation, ObserveError> {
        let mut observation = observe(request, &*self.inputs.parse(request.input.as_deref())?)?;
        let xr = &mut observation.xr;
        self.memory.date(&xr.key, &mut xr.previous, self.clock.now());
        Ok(observation)
    }

    async fn answer(
        &self,
        request: RunFunctionRequest,
        observation: &Observation,
        deadline: Option<Duration>,
        span: &Span,
    ) -> (RunFunctionResponse, CallOutcome) {
        if let Some(admin) = &observation.persisted_admin {
            self.memory.keep_admin(&observation.xr.key, admin);
        }
        let (plan, remembered) = self.decide(observation, patience(deadline), span).await;
        let response = respond::respond(request, observation, &remembered, &plan, self.clock.now());
        // Crossplane throws away what answers a call before that, and with several
        // replicas one may get no other calls.
        if observation.requirements_met {
            let (said, ttl) = (respond::said(&response), respond::ttl_of(&response));
            self.memory.note(&observation.xr.key, said, ttl, self.clock.now());
        }
        let reason =
            response.conditions.first().map(|condition| condition.reason.as_str()).unwrap_or_default();
        let action = plan.action.name();
        // At info only what has changed; a steady XR logs nothing.
        if !response.results.is_empty() {
            span.in_scope(|| tracing::info!(action, reason, "answered"));
        } else if tracing::enabled!(tracing::Level::DEBUG) {
            span.in_scope(|| tracing::debug!(action, reason, "answered"));
        }
        (response, CallOutcome::from(&plan))
    }

    /// Plans, and as long as there is patience waits for the work that the plan
    /// started or found under way, to plan again with its outcome.
    async fn decide(
        &self,
        observation: &Observation,
        patience: Duration,
        span: &Span,
    ) -> (Plan, Arc<Remembered>) {
        let key = &observation.xr.key;
        let until = Instant::now() + patience;
        let (mut started, mut handing_off) = (false, false);
        let mut is_over = false;
        loop {
            let (plan, remembered) = self.plan(observation);
            if let AdminSecret::Generate(email) = &plan.admin {
                let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
                self.memory.generate(key, remembered.revision, email.clone(), &mut *rng);
                continue;
            }
            match &plan.action {
                // One call starts work once. Whatever makes it due again, be it that it
                // has panicked or that it seems to have had no effect, is for the next
                // call to try, and not for the server to bear.
                Action::Start(_) if started => return (plan, remembered),
                Action::Start(work) => {
                    started = true;
                    span.in_scope(|| self.act.start(key, remembered.revision, work.as_ref().clone()));
                }
                // None of Crossplane's workers is to stand in it.
                Action::Await if !started && remembered.waits_for_its_turn() => {
                    return (plan, remembered);
                }
                Action::Await => {}
                Action::Wait(_) | Action::BackOff(_) | Action::HandOut | Action::Keep { .. } => {
                    if !self.hands_off(key, &plan, &remembered, &mut handing_off, span) {
                        return (plan, remembered);
                    }
                }
            }
            if is_over {
                return (plan, remembered);
            }
            // Boxed, so that a call that waits for nothing has no room for it.
            let settled = Box::pin(tokio::time::timeout_at(until, self.act.settled(key))).await;
            // What is answered is planned when it is answered: while it was waited
            // other things may have fallen due.
            is_over = settled.is_err() || Instant::now() >= until;
        }
    }

    /// Starts handing off if that is planned, and says whether it is under way.
    fn hands_off(
        &self,
        key: &XrKey,
        plan: &Plan,
        remembered: &Remembered,
        started: &mut bool,
        span: &Span,
    ) -> bool {
        let Some(plan) = &plan.hand_off else { return false };
        let state = remembered.hand_off.as_ref();
        let revision = state.map_or(0, |state| state.revision);
        match &plan.action {
            HandOffAction::Start(_) if *started => false,
            HandOffAction::Start(work) => {
                *started = true;
                span.in_scope(|| self.act.start_hand_off(key, revision, work.as_ref().clone()));
                true
            }
            HandOffAction::Await => *started || !state.is_some_and(|state| state.waits_for_its_turn()),
            HandOffAction::Wait
            | HandOffAction::BackOff(_)
            | HandOffAction::HandOut
            | HandOffAction::MakeRoom(_)
            | HandOffAction::Keep { .. } => false,
        }
    }

    fn plan(&self, observation: &Observation) -> (Plan, Arc<Remembered>) {
        let now = self.clock.now();
        let Observation { xr, connection, wanted, hand_off, .. } = observation;
        let server = observation.endpoint.as_ref().ok();
        if let Some(hand_off) = hand_off {
            let seen = (hand_off.observed.as_ref(), hand_off.wanted.as_slice());
            self.memory.see_identity(&xr.key, server, seen, now);
        }
        let remembered = self.memory.recall(&xr.key, server, (connection.as_ref(), wanted), now);
        (plan(observation, &remembered, now), remembered)
    }
}

/// What the function makes of a request before it does anything.
pub struct Explanation {
    /// Whether the instance is ready to be asked.
    pub instance_is_ready: bool,
    /// Where the instance is, as far as that is known.
    pub endpoint: Option<String>,
    /// All of it, for a person: no secret is printed.
    pub text: String,
}

/// Explains a request. Asks nobody, and changes nothing.
///
/// # Errors
///
/// What is wrong with the input or the XR.
pub fn explain(request: &RunFunctionRequest) -> Result<Explanation, String> {
    let input = crate::input::parse(request.input.as_deref()).map_err(|error| error.to_string())?;
    let observation = observe(request, &input).map_err(|error| error.to_string())?;
    let endpoint = observation.endpoint.as_ref().ok().map(|endpoint| endpoint.origin().to_string());
    let (instance_is_ready, text) = (observation.instance.is_ready(), format!("{observation:?}"));
    Ok(Explanation { instance_is_ready, endpoint, text })
}

/// Made with all of its fields: JSON that grows by one is written anew.
fn span(tag: &str, xr: &Xr) -> Span {
    tracing::info_span!(
        "call",
        request.tag = tag,
        xr.kind = xr.kind.as_str(),
        xr.namespace = xr.namespace().unwrap_or_default(),
        xr.name = xr.name.as_str(),
        xr.uid = xr.key.as_str(),
    )
}

/// Half of what the caller has left, so that the answer is in time.
fn patience(deadline: Option<Duration>) -> Duration {
    deadline.map_or(PATIENCE, |deadline| PATIENCE.min(deadline / 2))
}

impl RunFunction for Function {
    async fn run_function(
        &self,
        request: RunFunctionRequest,
        deadline: Option<Duration>,
    ) -> Result<RunFunctionResponse, Status> {
        Ok(self.call(request, deadline).await)
    }

    async fn drain(&self) {
        self.act.drain().await;
    }
}
