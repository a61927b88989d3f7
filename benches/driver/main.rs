//! Measures what a steady call costs: our release binary, the floor and
//! function-auto-ready, in one run, on the same requests.
//!
//! `cargo benchmark` does it all and takes a quarter of an hour; `--quick` takes
//! a minute once all is built. The servers have one core and the driver another.
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
mod image;
mod load;
mod report;
mod subject;
mod usage;
mod world;

/// Whatever stands in the way: it is printed, and the run is over.
type Failure = Box<dyn Error + Send + Sync>;

/// Measures what a steady call costs.
#[derive(Parser)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
struct Args {
    /// One round of fewer calls, without TLS, and fewer XRs: enough to see
    /// whether a change makes a difference.
    #[arg(long)]
    quick: bool,

    /// Sizes of the request.
    #[arg(long = "size", value_name = "SIZE", default_values = ["6k", "100k", "1.5m"])]
    sizes: Vec<String>,

    /// Rounds, each of which has a burst of every server [default: 5, quick: 1].
    #[arg(long)]
    rounds: Option<usize>,

    /// Calls under way.
    #[arg(long, default_values_t = [1, 32])]
    under_way: Vec<usize>,

    /// `insecure` or `mtls` [default: both, quick: insecure].
    #[arg(long)]
    security: Vec<String>,

    /// Leave function-auto-ready out.
    #[arg(long)]
    no_auto_ready: bool,

    /// An earlier binary of ours, to be measured in the same run.
    #[arg(long, value_name = "BINARY")]
    before: Option<PathBuf>,

    /// Take the binaries of the last run.
    #[arg(long)]
    no_build: bool,

    /// Read the memory of all XRs once more, eleven minutes later: a process holds a
    /// token until it was seen in the cluster for ten.
    #[arg(long)]
    later: bool,

    /// Measure bursts only: no starts, no image, no 10,000 XRs, no calls to Infisical.
    #[arg(long)]
    bursts_only: bool,
}

impl Args {
    fn rounds(&self) -> usize {
        self.rounds.unwrap_or(if self.quick { 1 } else { 5 })
    }

    /// The kinds of connections, each in its turn.
    fn securities(&self) -> impl Iterator<Item = &'static str> {
        let usual: &[&str] = if self.quick { &["insecure"] } else { &["insecure", "mtls"] };
        let is_asked_for = |it: &&str| match self.security.as_slice() {
            [] => usual.contains(it),
            given => given.iter().any(|given| given == it),
        };
        ["insecure", "mtls"].into_iter().filter(is_asked_for)
    }

    /// How many XRs are known one after the other.
    fn counts(&self) -> &'static [usize] {
        if self.quick { &[1, 100, 1_000] } else { &[1, 10, 100, 1_000, 10_000] }
    }

    /// Calls in a burst: about as long for every size, and fewer for a server
    /// that takes a hundred times as long.
    fn calls(&self, subject: Subject, bytes: usize) -> usize {
        let calls = match bytes {
            0..30_000 => 4_000,
            30_000..400_000 => 1_000,
            _ => 128,
        };
        let calls = if self.quick { calls / 4 } else { calls };
        if subject == Subject::AutoReady { (calls / 10).max(32) } else { calls }
    }
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
    if let Some(before) = &args.before {
        fs::copy(before, Subject::Before.binary()?)?;
        subjects.push(Subject::Before);
    }
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
    for security in args.securities() {
        bench.bursts(security, &mut results, &mut idle).await?;
    }
    println!("{}\n\n{}", report::table(&results), report::ratios(&results));
    for (server, bytes) in &idle {
        let of = |name: &str| megabytes(bytes.get(name).and_then(Value::as_u64).unwrap_or_default());
        let (resident, file) = (of("resident"), of("file"));
        println!(
            "{server}: {resident:.1} MB resident, no call under way; {file:.1} of them are pages of files"
        );
    }
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
            let memory = usage::memory(running.pid())?;
            let bytes = json!({"resident": memory.resident, "file": memory.file});
            idle.insert(format!("{subject}, {security}"), bytes);
            servers.push((subject, running, client));
        }
        for round in 0..self.args.rounds() {
            for size in &self.args.sizes {
                let frames = world::shuffled(&self.world.request(bytes_of(size)?))?;
                let bytes = frames.first().map_or(0, Bytes::len);
                let frame = |call: usize| frames.get(call % frames.len()).cloned().unwrap_or_default();
                for &under_way in &self.args.under_way {
                    let case = Case { security, bytes, size: size.clone(), under_way };
                    for (subject, running, client) in &servers {
                        eprint!("\rround {} {security} {size} {under_way} {subject:<24}", round + 1);
                        let calls = self.args.calls(*subject, bytes);
                        usage::forget_peak(running.pid());
                        let burst = load::burst(client, running.pid(), calls, under_way, frame).await;
                        let burst = burst.map_err(|error| format!("{subject}: {error}"))?;
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
            Subject::Ours | Subject::Before => world::warm(&client, &request).await?,
            Subject::Floor | Subject::AutoReady => drop(client.call(frame(&request)).await?),
        }
        Ok((running, client))
    }

    /// What is not bursts, as JSON; printed on the way.
    async fn extra(&self) -> Result<Value, Failure> {
        let mut extra = serde_json::Map::new();
        self.starts(&mut extra).await?;
        if !self.args.quick {
            self.image(&mut extra)?;
        }
        self.many(&mut extra).await?;
        let asked = extra::calls_to_infisical().await?;
        println!("requests to Infisical per hour and XR: {asked:.2}");
        extra.insert("requests_to_infisical_per_hour_and_xr".to_owned(), json!(asked));
        Ok(Value::Object(extra))
    }

    async fn starts(&self, extra: &mut serde_json::Map<String, Value>) -> Result<(), Failure> {
        let request = self.world.request(0);
        for &subject in &self.subjects {
            let times = if self.args.quick { 5 } else { 21 };
            let starts = extra::starts(subject, None, &None, &request, times).await?;
            let size = extra::size(&subject.binary()?)?;
            let megabytes = megabytes(size);
            println!("{subject}: {starts} ms from exec to the first answered call, binary {megabytes:.1} MB");
            extra.insert(format!("start_milliseconds, {subject}"), starts.json());
            extra.insert(format!("binary_bytes, {subject}"), json!(size));
        }
        Ok(())
    }

    #[expect(clippy::unused_self, reason = "it is one of the measurements")]
    fn image(&self, extra: &mut serde_json::Map<String, Value>) -> Result<(), Failure> {
        let image = image::measure()?;
        let (whole, packed) = (megabytes(image.bytes), megabytes(image.compressed_bytes));
        println!("image: {whole:.1} MB, {packed:.1} MB as it is pulled");
        extra.insert("image_bytes".to_owned(), json!(image.bytes));
        extra.insert("image_compressed_bytes".to_owned(), json!(image.compressed_bytes));
        Ok(())
    }

    async fn many(&self, extra: &mut serde_json::Map<String, Value>) -> Result<(), Failure> {
        let (running, client) = self.start(Subject::Ours, "insecure").await?;
        let (pid, counts) = (running.pid(), self.args.counts());
        let grown = extra::many(&client, pid, &self.world, counts, self.args.rounds()).await?;
        for grown in &grown {
            let (xrs, cpu, resident) = (grown.xrs, grown.cpu, megabytes(grown.resident));
            println!("{xrs} XRs known: {cpu} µs of CPU per call, {resident:.1} MB resident");
        }
        let rows = grown.iter().map(|it| {
            json!({"xrs": it.xrs, "cpu_microseconds_per_call": it.cpu.json(), "resident_bytes": it.resident})
        });
        extra.insert("many_xrs".to_owned(), rows.collect());

        let xrs = counts.last().copied().unwrap_or_default();
        let all = extra::all_at_once(&client, pid, &self.world, xrs, 100_000).await?;
        let (wall, cpu) = (all.wall.as_secs_f64(), all.cpu.as_secs_f64());
        println!("{xrs} XRs of 100 KB, each called once: {wall:.1} s, of which {cpu:.1} s are CPU");
        extra.insert(
            "each_of_many_at_100k".to_owned(),
            json!({"xrs": xrs, "seconds": wall, "cpu_seconds": cpu}),
        );
        if self.args.later {
            let resident = extra::later(&client, pid, &self.world, xrs).await?;
            println!("{xrs} XRs known, eleven minutes later: {:.1} MB resident", megabytes(resident));
            extra.insert("many_xrs_later_resident_bytes".to_owned(), json!(resident));
        }
        Ok(())
    }
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
