//! What is measured of our binary beside bursts: how fast it starts, what many
//! XRs cost, and how often Infisical is asked.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use daemon::clock::Clock;
use fake_crossplane::Crossplane;
use fake_infisical::{FakeInfisical, Options};
use function_infisical::{contract::proto::v1::RunFunctionRequest, function::Function};
use infisical::client::Connector;
use jiff::Timestamp;
use prost::Message as _;
use rand::{SeedableRng as _, rngs::StdRng};

use crate::{
    Failure,
    client::{Client, Tls, frame},
    load::{burst, now},
    report::Spread,
    subject::{Running, Subject},
    usage,
    world::{Many, Recorded, World, is_steady},
};

/// From exec to the first answered call, of new processes.
pub(crate) async fn starts(
    subject: Subject,
    certificates: Option<&Path>,
    tls: &Tls,
    request: &RunFunctionRequest,
    times: usize,
) -> Result<Spread, Failure> {
    let mut took = Vec::new();
    for _ in 0..times {
        let start = now();
        let mut running = Running::start(subject, certificates)?;
        let client = running.connect(tls).await?;
        client.measure(frame(request)).await?;
        took.push(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(Spread::of(&took))
}

/// How large a file is, in bytes.
pub(crate) fn size(path: &Path) -> Result<u64, Failure> {
    Ok(fs::metadata(path)?.len())
}

/// What one process costs as the XRs that it knows grow in number.
#[derive(Clone)]
pub(crate) struct Grown {
    pub(crate) xrs: usize,
    /// Of a call, in microseconds.
    pub(crate) cpu: Spread,
    /// In bytes.
    pub(crate) resident: u64,
}

/// Brings ever more XRs into steady state, and measures calls that go round
/// among them.
pub(crate) async fn many(
    client: &Client,
    pid: u32,
    world: &World,
    counts: &[usize],
    rounds: usize,
) -> Result<Vec<Grown>, Failure> {
    const CALLS: usize = 4_000;
    let many = Many::new(&world.request(0), world.uid());
    let mut grown = Vec::new();
    let mut known = 0;
    for &xrs in counts {
        settle(client, &many, known..xrs).await?;
        known = xrs;
        let mut cpu = Vec::new();
        for _ in 0..rounds {
            // A step that visits all of them, and neighbours in no order.
            let burst = burst(client, pid, CALLS, 32, |call| many.of(call * 7_919 % xrs)).await?;
            cpu.push(burst.cpu.as_secs_f64() * 1e6);
        }
        grown.push(Grown { xrs, cpu: Spread::of(&cpu), resident: usage::memory(pid)?.resident });
    }
    Ok(grown)
}

/// What a process holds for XRs whose connections it need not hold any more.
pub(crate) async fn later(client: &Client, pid: u32, world: &World, xrs: usize) -> Result<u64, Failure> {
    tokio::time::sleep(Duration::from_mins(11)).await;
    let many = Many::new(&world.request(0), world.uid());
    // One verifies the tokens, the other finds that they were seen long enough.
    for _ in 0..2 {
        settle(client, &many, 0..xrs).await?;
    }
    Ok(usage::memory(pid)?.resident)
}

/// Calls for XRs until each is in steady state.
async fn settle(client: &Client, many: &Many, xrs: std::ops::Range<usize>) -> Result<(), Failure> {
    let mut left: Vec<usize> = xrs.collect();
    for _ in 0..50 {
        let mut again = Vec::new();
        for some in left.chunks(32) {
            let mut calls = tokio::task::JoinSet::new();
            for &xr in some {
                let (client, frame) = (client.clone(), many.of(xr));
                calls.spawn_local(async move { Ok::<_, Failure>((xr, client.call(frame).await?)) });
            }
            while let Some(done) = calls.join_next().await {
                let (xr, answer) = done??;
                let response = prost::Message::decode(answer.get(5..).unwrap_or_default())?;
                if !is_steady(&response) {
                    again.push(xr);
                }
            }
        }
        if again.is_empty() {
            return Ok(());
        }
        left = again;
    }
    Err(format!("{} XRs do not come to steady state", left.len()).into())
}

/// What a round of calls took in all.
pub(crate) struct Round {
    pub(crate) wall: Duration,
    pub(crate) cpu: Duration,
}

/// How long one core takes to call for each of the XRs once, at about `size`
/// bytes each.
pub(crate) async fn all_at_once(
    client: &Client,
    pid: u32,
    world: &World,
    xrs: usize,
    size: usize,
) -> Result<Round, Failure> {
    let many = Many::new(&world.request(size), world.uid());
    let burst = burst(client, pid, xrs, 32, |call| many.of(call)).await?;
    Ok(Round { wall: burst.wall, cpu: burst.cpu * u32::try_from(xrs)? })
}

/// Seconds since 1970, moved by hand.
struct MovedClock(AtomicI64);

impl Clock for MovedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::SeqCst)).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

/// How often Infisical is asked per hour and XR in steady state: a week of an
/// XR in simulated time, called whenever its `ttl` says so.
pub(crate) async fn calls_to_infisical() -> Result<f64, Failure> {
    const HOURS: i64 = 24 * 7;
    let clock = Arc::new(MovedClock(AtomicI64::new(1_795_470_829)));
    let time = Arc::clone(&clock);
    let options = Options { time: Arc::new(move || time.now()), ..Options::default() };
    let infisical = FakeInfisical::start(options).await?;
    let function = Function::new(Arc::new(Connector::default()), clock.clone(), StdRng::seed_from_u64(1));
    let mut crossplane = Recorded::read()?.crossplane(&infisical.url());
    // An hour in which it is connected and what that leaves behind is done.
    live(&function, &mut crossplane, &clock, 3600).await?;
    if !crossplane.is_ready() {
        return Err("the XR is not connected".into());
    }
    let before = infisical.log().len();
    live(&function, &mut crossplane, &clock, HOURS * 3600).await?;
    let asked = infisical.log().len() - before;
    Ok(f64::from(u32::try_from(asked)?) / f64::from(i32::try_from(HOURS)?))
}

async fn live(
    function: &Function,
    crossplane: &mut Crossplane,
    clock: &MovedClock,
    seconds: i64,
) -> Result<(), Failure> {
    let end = clock.0.load(Ordering::SeqCst) + seconds;
    while clock.0.load(Ordering::SeqCst) < end {
        let answer = async |request: RunFunctionRequest| {
            let request = RunFunctionRequest::decode(request.encode_to_vec().as_slice())?;
            Ok::<_, Failure>(function.call(request, None).await)
        };
        crossplane.reconcile(answer).await?;
        clock.0.fetch_add(crossplane.ttl.unwrap_or(60).max(1), Ordering::SeqCst);
    }
    Ok(())
}
