//! Calls over one connection, so many of them under way at a time.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::task::JoinSet;

use crate::{Failure, client::Client, usage};

/// What a burst of calls has cost.
pub(crate) struct Burst {
    /// CPU of the server per call.
    pub(crate) cpu: Duration,
    /// From sending a call to the end of its answer, of each.
    pub(crate) latencies: Vec<Duration>,
    /// From the first call to the last answer.
    pub(crate) wall: Duration,
}

/// Makes `calls` calls, `under_way` at a time. `frame` gives each its request.
pub(crate) async fn burst(
    client: &Client,
    pid: u32,
    calls: usize,
    under_way: usize,
    frame: impl Fn(usize) -> Bytes,
) -> Result<Burst, Failure> {
    let mut latencies = Vec::with_capacity(calls);
    let mut running = JoinSet::new();
    let before = usage::cpu(pid)?;
    let start = now();
    for call in 0..calls {
        if running.len() >= under_way
            && let Some(done) = running.join_next().await
        {
            latencies.push(done??);
        }
        running.spawn_local(timed(client.clone(), frame(call)));
    }
    while let Some(done) = running.join_next().await {
        latencies.push(done??);
    }
    let wall = start.elapsed();
    let used = usage::cpu(pid)?.saturating_sub(before);
    let cpu = used.div_f64(f64::from(u32::try_from(calls.max(1))?));
    Ok(Burst { cpu, latencies, wall })
}

async fn timed(client: Client, frame: Bytes) -> Result<Duration, Failure> {
    let start = now();
    if client.measure(frame).await? == 0 {
        return Err("an answer was empty".into());
    }
    Ok(start.elapsed())
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the real clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
