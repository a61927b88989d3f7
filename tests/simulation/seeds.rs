//! Runs seeds, and makes of one that fails something that can be read and kept.
//!
//! `SIMULATION_SEEDS` says how many are run, `SIMULATION_SEED` runs one alone.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::{
    schedule::Schedule,
    world::{self, Broken, Counts},
};

/// How many `cargo test` runs.
const SEEDS: u64 = 100;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

/// After how many failed seeds it is enough.
const ENOUGH: usize = 5;

/// The seeds that are run.
pub(crate) fn all() -> std::ops::Range<u64> {
    0..number("SIMULATION_SEEDS").unwrap_or(SEEDS)
}

/// Whether more is run than `cargo test` does.
pub(crate) fn is_long() -> bool {
    all().end > SEEDS
}

/// Runs a schedule; a panic is a promise that was not kept either.
pub(crate) fn run(schedule: &Schedule, seed: u64) -> Result<Counts, Broken> {
    catch_unwind(AssertUnwindSafe(|| world::run(schedule, seed, None))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(Broken::new("nothing panics", text.unwrap_or_default()))
    })
}

/// Takes away whatever is not needed for the same promise to be broken.
fn shrink(schedule: &Schedule, seed: u64, promise: &str) -> Schedule {
    let mut shortest = schedule.clone();
    let breaks = |candidate: &Schedule| run(candidate, seed).is_err_and(|broken| broken.promise == promise);
    loop {
        let mut shorter = false;
        for length in [8, 4, 2, 1] {
            let mut at = shortest.steps.len();
            while at >= length {
                at -= 1;
                let mut candidate = shortest.clone();
                let from = (at + 1).saturating_sub(length);
                candidate.steps.drain(from..=at);
                if breaks(&candidate) {
                    shortest = candidate;
                    shorter = true;
                    at = at.min(shortest.steps.len());
                }
            }
        }
        let default = crate::schedule::Setup::default();
        let mut simpler = vec![shortest.clone(); 11];
        simpler[0].setup.kind = default.kind;
        simpler[1].setup.variant = default.variant;
        simpler[2].setup.xrs = default.xrs;
        simpler[3].setup.admin = default.admin;
        simpler[4].setup.cache = default.cache;
        simpler[5].setup.latency = default.latency;
        simpler[6].setup.verify = default.verify;
        simpler[7].setup.token_life = default.token_life;
        simpler[8].setup.hand_off = default.hand_off;
        simpler[9].setup.ahead = default.ahead;
        simpler[10].setup.token_auth = default.token_auth;
        for candidate in simpler {
            if candidate.setup != shortest.setup && breaks(&candidate) {
                shortest = candidate;
                shorter = true;
                break;
            }
        }
        if !shorter {
            return shortest;
        }
    }
}

/// What a failed seed prints.
fn report(seed: u64, schedule: &Schedule, broken: &Broken) -> String {
    let shortest = shrink(schedule, seed, broken.promise);
    let how = run(&shortest, seed).err().map(|broken| broken.how).unwrap_or_default();
    format!("seed {seed} breaks a promise: {}\n{how}\n{shortest}\n", broken.promise)
}

#[test]
fn every_schedule_keeps_every_promise() {
    if let Some(seed) = number("SIMULATION_SEED") {
        let schedule = Schedule::of(seed);
        println!("{schedule}");
        println!("{:?}", run(&schedule, seed).ok());
        if let Err(broken) = run(&schedule, seed) {
            panic!("{}\n{}", broken.how, report(seed, &schedule, &broken));
        }
        return;
    }
    let (next, failed) = (AtomicU64::new(all().start), Mutex::new(Vec::new()));
    let total = Mutex::new(Counts::default());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= all().end || failed.lock().unwrap().len() >= ENOUGH {
                        return;
                    }
                    let schedule = Schedule::of(seed);
                    match run(&schedule, seed) {
                        Ok(counts) => *total.lock().unwrap() += counts,
                        Err(broken) => {
                            let report = report(seed, &schedule, &broken);
                            println!("{report}");
                            failed.lock().unwrap().push(report);
                        }
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    println!("{} seeds: {:?}", all().end, total.into_inner().unwrap());
    assert!(failed.is_empty(), "{} seeds break a promise; see above", failed.len());
}
