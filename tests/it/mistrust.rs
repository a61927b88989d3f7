//! The function against a server whose answers are mangled on the way: it keeps
//! its promises, and when the answers are honest again all becomes well.

use std::{
    cell::Cell,
    collections::{BTreeSet, VecDeque},
    convert::Infallible,
    sync::{
        Arc, Mutex, Once,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use fake_crossplane::{Crossplane, Reconciled};
use fake_infisical::{Instance, Settings, Variant};
use function_infisical::{contract::proto::v1::RunFunctionResponse, function::Function};
use infisical::{
    Connect, Error, ErrorKind,
    api::VerifyToken,
    client::{Client, Exchange, Request, Response},
    endpoint::Endpoint,
};
use proptest::{
    prelude::{Just, Strategy, prop},
    prop_assert, prop_assert_eq, prop_oneof,
    test_runner::{TestCaseError, TestRunner},
};
use rand::{SeedableRng as _, rngs::StdRng};
use serde_json::Value;
use tokio::time::sleep;

use crate::{
    clock::SimulatedClock,
    mangle::{MARKER, Twist, config, repeats, texts, twist},
    robustness::is_an_answer,
    translate::{from_fake, to_fake},
    world::{KINDS, Kind, VARIANTS, crossplane},
};

/// After so many calls the answers are honest, mangled as they were until then.
const CALLS_IN_MISTRUST: usize = 120;

/// In so many more all is well. A login that was refused is tried again after an
/// hour at most, and a call comes every ten minutes.
const CALLS_UNTIL_WELL: usize = 60;

/// How long until a change brings the next call.
const BOUNCE: Duration = Duration::from_millis(100);

/// How long until a call comes when nothing is under way. Crossplane may be late.
const LATE: Duration = Duration::from_mins(10);

/// One XR with its server.
#[derive(Clone, Debug)]
struct Case {
    kind: Kind,
    variant: Variant,
    max_token_ttl: i64,
    /// After how many calls the process is another, again and again.
    lives: usize,
    /// What becomes of each answer, from the first on.
    twists: Vec<Option<Twist>>,
}

fn case() -> impl Strategy<Value = Case> {
    let twist = prop_oneof![1 => Just(None), 1 => twist().prop_map(Some)];
    let setup = (
        prop::sample::select(KINDS.to_vec()),
        prop::sample::select(VARIANTS.to_vec()),
        prop::sample::select(vec![2 * 60 * 60, 90 * 24 * 60 * 60]),
        prop_oneof![Just(usize::MAX), 1..20_usize],
    );
    (setup, prop::collection::vec(twist, 1..40)).prop_map(
        |((kind, variant, max_token_ttl, lives), twists)| Case {
            kind,
            variant,
            max_token_ttl,
            lives,
            twists,
        },
    )
}

/// The way to the server, and what passed on it.
struct Line {
    clock: SimulatedClock,
    passed: Mutex<Passed>,
}

struct Passed {
    instance: Instance,
    twists: VecDeque<Option<Twist>>,
    /// Tokens of which an answer said that they work.
    accepted: BTreeSet<String>,
    /// What stood in the answers.
    stood: BTreeSet<String>,
}

#[async_trait]
impl Exchange for Line {
    async fn send(&self, request: Request) -> Result<Response, ErrorKind> {
        let mut passed = self.passed.lock().unwrap();
        let request = (request.is::<VerifyToken>(), to_fake(&request));
        let answer = from_fake(passed.instance.handle(self.clock.now(), &request.1));
        let answer = match passed.twists.pop_front().flatten() {
            Some(twist) => twist.apply(answer)?,
            None => answer,
        };
        passed.stood.extend(texts(&answer.body));
        if request.0 && (200..300).contains(&answer.status) {
            let authorization = request.1.authorization.unwrap_or_default();
            passed.accepted.extend(authorization.strip_prefix("Bearer ").map(str::to_owned));
        }
        Ok(answer)
    }
}

struct Wires(Arc<Line>);

impl Connect for Wires {
    fn connect(&self, _: &Endpoint) -> Result<Client, Error> {
        Ok(Client::new(Arc::clone(&self.0)))
    }
}

impl Line {
    fn new(case: &Case) -> Arc<Self> {
        let Case { variant, max_token_ttl, .. } = *case;
        let settings = Settings { variant, max_token_ttl, ..Settings::default() };
        let passed = Passed {
            instance: Instance::new(settings, 7),
            twists: case.twists.iter().cloned().collect(),
            accepted: BTreeSet::new(),
            stood: BTreeSet::new(),
        };
        Arc::new(Self { clock: SimulatedClock::start(), passed: Mutex::new(passed) })
    }

    fn function(self: &Arc<Self>, seed: u64) -> Function {
        let connect = Arc::new(Wires(Arc::clone(self)));
        Function::new(connect, Arc::new(self.clock), StdRng::seed_from_u64(seed))
    }

    /// The slug and id of the organization whose token this is, if it works.
    fn organization(&self, token: &str) -> Option<[String; 2]> {
        let request = fake_infisical::Request::new("GET", "/api/v1/identities/details").bearer(token);
        let answer = self.passed.lock().unwrap().instance.clone().handle(self.clock.now(), &request);
        let answer: Value = serde_json::from_slice(&answer.body).unwrap();
        let organization = answer["identityDetails"]["organization"].as_object()?;
        Some(["slug", "id"].map(|name| organization[name].as_str().unwrap().to_owned()))
    }
}

/// Secrets are in Secrets only, and the function answers.
fn check_response(response: &RunFunctionResponse, line: &Line, password: &str) -> Result<(), TestCaseError> {
    let said = format!("{:?} {:?}", response.conditions, response.results);
    prop_assert!(is_an_answer(response) && response.conditions.len() == 2, "{said}");
    let passed = line.passed.lock().unwrap();
    let stood = passed.stood.iter().filter(|text| *text != "platform@example.org");
    prop_assert!(!said.contains(MARKER) && repeats(&said, stood).is_none(), "{said}");
    prop_assert!(password.is_empty() || !said.contains(password), "{said}");
    Ok(())
}

/// A token is handed out only after the server accepted it (Rule 6).
fn check_token(crossplane: &Crossplane, line: &Line) -> Result<(), TestCaseError> {
    let accepted = &line.passed.lock().unwrap().accepted;
    let token = in_secret(crossplane, "infisical-connection", "token");
    prop_assert!(token.is_empty() || accepted.contains(&token), "nobody has accepted the token");
    let detail = crossplane.connection_details.get("token").cloned().unwrap_or_default();
    let detail = String::from_utf8(detail).unwrap();
    prop_assert!(
        detail.is_empty() || accepted.contains(&detail),
        "nobody has accepted the legacy XR's token"
    );
    Ok(())
}

fn in_secret(crossplane: &Crossplane, secret: &str, key: &str) -> String {
    crossplane.secret(secret).and_then(|mut data| data.remove(key)).unwrap_or_default()
}

/// Whether the XR has a token that works, and all that is said of it is true.
fn is_well(crossplane: &Crossplane, line: &Line) -> bool {
    let says = |condition_type, reason| {
        crossplane.condition(condition_type).is_some_and(|it| it.0 == "True" && it.1 == reason)
    };
    let [token, slug, id] = ["token", "organizationSlug", "organizationId"]
        .map(|key| in_secret(crossplane, "infisical-connection", key));
    crossplane.is_ready()
        && says("InfisicalBootstrapped", "Bootstrapped")
        && says("InfisicalTokenValid", "Accepted")
        && line.organization(&token) == Some([slug, id])
}

thread_local! {
    static PANICS: Cell<usize> = const { Cell::new(0) };
}

/// Counts the panics of a thread: one in a task of the function ends just that.
fn count_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            PANICS.with(|count| count.set(count.get() + 1));
            before(panic);
        }));
    });
}

async fn play(case: &Case) -> Result<(), TestCaseError> {
    let line = Line::new(case);
    let mut function = line.function(0);
    let mut crossplane = crossplane(case.kind, "http://infisical.test");
    let mut calls_until_well = CALLS_UNTIL_WELL;
    for call in 0.. {
        if call == CALLS_IN_MISTRUST {
            line.passed.lock().unwrap().twists.clear();
        }
        let is_honest = line.passed.lock().unwrap().twists.is_empty();
        if !is_honest && call % case.lives == case.lives - 1 {
            function = line.function(u64::try_from(call).unwrap());
        }
        let mut responses = Vec::new();
        let reconciled = crossplane.reconcile(async |request| {
            responses.push(function.call(request, None).await);
            Ok::<_, Infallible>(responses.last().cloned().unwrap())
        });
        let reconciled = reconciled.await.unwrap();
        let password = in_secret(&crossplane, "infisical-admin", "password");
        responses.iter().try_for_each(|response| check_response(response, &line, &password))?;
        check_token(&crossplane, &line)?;
        prop_assert_eq!(PANICS.get(), 0, "a panic");
        crossplane.make_available("infisical");
        let is_at_rest = reconciled == Reconciled::Applied { changed: false };
        if is_honest {
            if is_at_rest && is_well(&crossplane, &line) {
                return Ok(());
            }
            calls_until_well -= 1;
            prop_assert!(calls_until_well > 0, "it does not become well: {:#}", crossplane.xr["status"]);
        }
        let ttl = Duration::from_secs(u64::try_from(crossplane.ttl.unwrap()).unwrap());
        let is_late = ttl >= Duration::from_mins(1);
        sleep(if !is_at_rest {
            BOUNCE
        } else if is_late {
            ttl.max(LATE)
        } else {
            ttl
        })
        .await;
    }
    Ok(())
}

#[test]
fn whatever_a_server_answers_no_promise_is_broken_and_all_becomes_well_after_it() {
    count_panics();
    let outcome = TestRunner::new(config(256)).run(&case(), |case| {
        PANICS.set(0);
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_time().start_paused(true).build().unwrap().block_on(play(&case))
    });
    outcome.unwrap();
}

/// A line on which every request is answered with a panic.
#[derive(Default)]
struct Mine(AtomicUsize);

#[async_trait]
impl Exchange for Mine {
    async fn send(&self, _: Request) -> Result<Response, ErrorKind> {
        self.0.fetch_add(1, Ordering::SeqCst);
        panic!("a bug that nobody has found yet");
    }
}

struct ToMine(Arc<Mine>);

impl Connect for ToMine {
    fn connect(&self, _: &Endpoint) -> Result<Client, Error> {
        Ok(Client::new(Arc::clone(&self.0)))
    }
}

#[tokio::test(start_paused = true)]
async fn work_that_panics_is_tried_once_in_a_call() {
    let mine = Arc::new(Mine::default());
    let connect = Arc::new(ToMine(Arc::clone(&mine)));
    let function = Function::new(connect, Arc::new(SimulatedClock::start()), StdRng::seed_from_u64(1));
    let mut crossplane = crossplane(Kind::Namespaced, "http://infisical.test");
    let asked = || mine.0.load(Ordering::SeqCst);
    for _ in 0..8 {
        let before = asked();
        let answer = async |request| Ok::<_, Infallible>(function.call(request, None).await);
        crossplane.reconcile(answer).await.unwrap();
        crossplane.make_available("infisical");
        assert!(asked() <= before + 1, "{} requests in a call", asked() - before);
        let ttl = u64::try_from(crossplane.ttl.unwrap()).unwrap();
        sleep(Duration::from_secs(ttl)).await;
    }
    assert!(asked() >= 4, "and tried again by the next one");
}
