//! Measures what a steady call costs: our release binary, the floor and
//! function-auto-ready, in one run, on the same requests.
//!
//! `cargo run --release -p benchmark` does it all and takes some minutes; the
//! options make it less. The servers have one core and the driver another.
//! Rounds are interleaved, so that whatever else the machine does falls on all
//! alike. CPU is what counts; latencies depend on what else runs.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the table is the point")]

use std::{error::Error, fs, path::PathBuf, process::ExitCode};

use bytes::Bytes;
use clap::Parser;
use serde_json::{Value, json};
use tokio::task::LocalSet;

use crate::{
    client::{Client, Tls, frame},
    report::{Bursts, Case, Results, megabytes},
    subject::{Running, Subject},
    world::World,
};

mod certificates;
mod client;
mod extra;
mod load;
mod report;
mod subject;
mod usage;
mod world;

/// Whatever stands in the way: it is printed, and the run is over.
type Failure = Box<dyn Error + Send + Sync>;

/// Measures what a steady call costs.
#[derive(Parser)]
struct Args {
    /// Sizes of the request.
    #[arg(long = "size", value_name = "SIZE", default_values = ["6k", "100k", "1.5m"])]
    sizes: Vec<String>,

    /// Rounds, each of which has a burst of every server.
    #[arg(long, default_value_t = 5)]
    rounds: usize,

    /// Calls under way.
    #[arg(long, default_values_t = [1, 32])]
    under_way: Vec<usize>,

    /// `insecure`, `mtls`, or both.
    #[arg(long, default_values = ["insecure", "mtls"])]
    security: Vec<String>,

    /// Leave function-auto-ready out.
    #[arg(long)]
    no_auto_ready: bool,

    /// Take the binaries of the last run.
    #[arg(long)]
    no_build: bool,

    /// Measure bursts only: no starts, no 10,000 XRs, no calls to Infisical.
    #[arg(long)]
    bursts_only: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ran =
        runtime.map_err(Failure::from).and_then(|runtime| LocalSet::new().block_on(&runtime, run(&args)));
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("benchmark: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Where what is built and written goes.
fn cache() -> Result<PathBuf, Failure> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../.cache/bench");
    fs::create_dir_all(&dir)?;
    Ok(dir.canonicalize()?)
}

async fn run(args: &Args) -> Result<(), Failure> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    if !args.no_build {
        subject::build()?;
    }
    let mut subjects = vec![Subject::Floor, Subject::Ours];
    if !args.no_auto_ready {
        match subject::build_auto_ready() {
            Ok(()) => subjects.push(Subject::AutoReady),
            Err(error) => eprintln!("function-auto-ready is left out: {error}"),
        }
    }
    subject::pin_driver()?;

    let dir = cache()?.join("certificates");
    let client_config = certificates::write(&dir).map_err(|error| error.to_string())?;
    let mut ours = Running::start(Subject::Ours, None)?;
    let world = World::connect(&ours.connect(&None).await?).await?;
    drop(ours);

    let bench = Bench { args, world, subjects, certificates: dir, tls: Some(client_config) };
    let mut results = Results::new();
    let mut idle = serde_json::Map::new();
    for security in ["insecure", "mtls"].into_iter().filter(|it| args.security.iter().any(|arg| arg == it)) {
        bench.bursts(security, &mut results, &mut idle).await?;
    }
    println!("{}", report::table(&results));
    println!("\nresident once it is in steady state: {}", Value::Object(idle.clone()));
    let extra = if args.bursts_only { Value::Null } else { bench.extra().await? };
    let result = json!({"bursts": report::json(&results), "idle_bytes": idle, "extra": extra});
    let file = cache()?.join("result.json");
    fs::write(&file, serde_json::to_string_pretty(&result)?)?;
    println!("\nwritten to {}", file.display());
    Ok(())
}

/// A run.
struct Bench<'a> {
    args: &'a Args,
    world: World,
    subjects: Vec<Subject>,
    certificates: PathBuf,
    tls: Tls,
}

impl Bench<'_> {
    /// Interleaved bursts of every server in every case.
    async fn bursts(
        &self,
        security: &'static str,
        results: &mut Results,
        idle: &mut serde_json::Map<String, Value>,
    ) -> Result<(), Failure> {
        let mut servers = Vec::new();
        for &subject in &self.subjects {
            let (running, client) = self.start(subject, security).await?;
            let resident = usage::memory(running.pid())?.resident;
            idle.insert(format!("{subject}, {security}"), json!(resident));
            servers.push((subject, running, client));
        }
        for round in 0..self.args.rounds {
            for size in &self.args.sizes {
                let frames = world::shuffled(&self.world.request(bytes_of(size)?))?;
                let bytes = frames.first().map_or(0, Bytes::len);
                let frame = |call: usize| frames.get(call % frames.len()).cloned().unwrap_or_default();
                for &under_way in &self.args.under_way {
                    let case = Case { security, bytes, size: size.clone(), under_way };
                    for (subject, running, client) in &servers {
                        eprint!("\rround {} {security} {size} {under_way} {subject:<24}", round + 1);
                        let calls = calls(*subject, bytes);
                        usage::forget_peak(running.pid());
                        let burst = load::burst(client, running.pid(), calls, under_way, frame).await?;
                        let peak = usage::memory(running.pid())?.peak;
                        let of_case: &mut Bursts =
                            results.entry(case.clone()).or_default().entry(*subject).or_default();
                        of_case.add(burst, peak);
                    }
                }
            }
        }
        eprintln!();
        Ok(())
    }

    /// A server that is in steady state.
    async fn start(&self, subject: Subject, security: &str) -> Result<(Running, Client), Failure> {
        let (certificates, tls) = match security {
            "mtls" => (Some(self.certificates.as_path()), &self.tls),
            _ => (None, &None),
        };
        let mut running = Running::start(subject, certificates)?;
        let client = running.connect(tls).await?;
        let request = self.world.request(0);
        match subject {
            Subject::Ours => world::warm(&client, &request).await?,
            Subject::Floor | Subject::AutoReady => drop(client.call(frame(&request)).await?),
        }
        Ok((running, client))
    }

    async fn extra(&self) -> Result<Value, Failure> {
        let request = self.world.request(0);
        let mut extra = serde_json::Map::new();
        for &subject in &self.subjects {
            let times = if subject == Subject::AutoReady { 11 } else { 21 };
            let starts = extra::starts(subject, None, &None, &request, times).await?;
            let size = extra::size(&subject.binary()?)?;
            println!("{subject}: {starts} ms from exec to the first answered call, {size} bytes of binary");
            extra.insert(format!("start_milliseconds, {subject}"), starts.json());
            extra.insert(format!("binary_bytes, {subject}"), json!(size));
        }

        let (running, client) = self.start(Subject::Ours, "insecure").await?;
        let grown =
            extra::many(&client, running.pid(), &self.world, &[1, 10, 100, 1_000, 10_000], self.args.rounds)
                .await?;
        for grown in &grown {
            let (xrs, cpu, resident) = (grown.xrs, grown.cpu, megabytes(grown.resident));
            println!("{xrs} XRs known: {cpu:.1} µs per call, {resident:.1} MB resident");
        }
        let rows = grown.iter().map(
            |it| json!({"xrs": it.xrs, "cpu_microseconds_per_call": it.cpu, "resident_bytes": it.resident}),
        );
        extra.insert("many_xrs".to_owned(), rows.collect());

        let (wall, cpu) = extra::all_at_once(&client, running.pid(), &self.world, 10_000, 100_000).await?;
        let seconds = wall.as_secs_f64();
        println!(
            "10,000 XRs at 100 KB, each once: {seconds:.1} s, of which {:.1} s CPU",
            cpu.as_secs_f64() * 1e4
        );
        extra.insert("ten_thousand_xrs_at_100k_seconds".to_owned(), json!(seconds));

        let asked = extra::calls_to_infisical().await?;
        println!("requests to Infisical per hour and XR: {asked:.2}");
        extra.insert("requests_to_infisical_per_hour_and_xr".to_owned(), json!(asked));
        Ok(Value::Object(extra))
    }
}

/// Calls in a burst: about as long for every size, and fewer for a server that
/// takes a hundred times as long.
fn calls(subject: Subject, bytes: usize) -> usize {
    let calls = match bytes {
        0..30_000 => 4_000,
        30_000..400_000 => 1_000,
        _ => 128,
    };
    if subject == Subject::AutoReady { (calls / 10).max(32) } else { calls }
}

/// `6k`, `100k` or `1.5m` in bytes.
fn bytes_of(size: &str) -> Result<usize, Failure> {
    let (number, unit) = match size.to_lowercase() {
        size if size.ends_with('k') => (size.trim_end_matches('k').parse::<f64>()?, 1e3),
        size if size.ends_with('m') => (size.trim_end_matches('m').parse::<f64>()?, 1e6),
        size => (size.parse::<f64>()?, 1.0),
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a size has no fraction")]
    let bytes = (number * unit) as usize;
    Ok(bytes)
}
