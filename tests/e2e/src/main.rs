//! Runs the function under a real Crossplane: `cargo xtask e2e`.
//!
//! etcd, an API server, Crossplane with its package manager and the RBAC of its
//! chart, a registry, the real package; no node and no container. The instance
//! is composed by a step of this harness, and behind its URL is the fake
//! Infisical. Each case is a function in [`cases`]; it panics when it fails.
//!
//! Everything listens on loopback, except what Crossplane binds by itself
//! (metrics and probes), and ends with this process.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test program: it stops where something is not as it should be, and prints a report"
)]

mod cases;
mod certs;
mod chart;
mod cluster;
mod control_plane;
mod dns;
mod figure;
mod functions;
mod package;
#[path = "../../shared/mistakes.rs"]
mod page;
mod process;
mod render;
mod tools;
mod world;
mod xrs;

use std::{
    fs,
    panic::AssertUnwindSafe,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::{Parser, Subcommand};
use futures::FutureExt as _;

use crate::{
    cases::{CASES, Case},
    cluster::now,
    control_plane::Folders,
    tools::Tools,
    world::World,
};

/// Where Crossplane runs.
const NAMESPACE: &str = "crossplane-system";

/// No case takes longer, unless it hangs.
const CASE_LIMIT: Duration = Duration::from_mins(3);

/// Tells `.ci/run` that the machine has not what is needed.
const EXIT_MISSING: u8 = 69;

/// Why nothing was proven.
enum Stop {
    /// What the machine has not, and how to get it.
    Missing(Vec<String>),
    /// What else went wrong.
    Failed(String),
}

impl From<String> for Stop {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}

/// What `cargo xtask e2e` and `cargo xtask render` start.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Runs the function under a real Crossplane, then renders the examples.
    E2e {
        /// Parts of the names of the cases to run. Default: all of them.
        names: Vec<String>,
    },
    /// Renders the examples with `crossplane render` and compares them with
    /// their expected.yaml; with UPDATE=1 writes that.
    Render,
}

fn main() -> ExitCode {
    drop(rustls::crypto::ring::default_provider().install_default());
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads can be started");
    let passed = runtime.block_on(async {
        tokio::select! {
            passed = run(Args::parse().task) => passed,
            _ = tokio::signal::ctrl_c() => Err(Stop::Failed("interrupted".to_owned())),
            () = terminated() => Err(Stop::Failed("terminated".to_owned())),
        }
    });
    match passed {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(Stop::Failed(why)) => {
            println!("{why}");
            ExitCode::FAILURE
        }
        Err(Stop::Missing(what)) => {
            println!("{}", what.join("; "));
            ExitCode::from(EXIT_MISSING)
        }
    }
}

async fn terminated() {
    let kind = tokio::signal::unix::SignalKind::terminate();
    tokio::signal::unix::signal(kind).expect("a signal can be handled").recv().await;
}

async fn run(task: Task) -> Result<bool, Stop> {
    let begin = now();
    let names = match &task {
        Task::Render => &Vec::new(),
        Task::E2e { names } => names,
    };
    if let Some(name) = names.iter().find(|name| !CASES.iter().any(|case| case.name.contains(*name))) {
        let known: Vec<_> = CASES.iter().map(|case| case.name).collect();
        return Err(Stop::Failed(format!(
            "no case has {name:?} in its name; there are {}",
            known.join(", ")
        )));
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new("."));
    let cache = root.join(".cache/e2e");
    let logs = cache.join("logs");
    drop(fs::remove_dir_all(&logs));
    let tools = Tools::new(&cache);
    let missing = tools.missing().await;
    if !missing.is_empty() {
        return Err(Stop::Missing(missing));
    }
    let function = async { package::build_binary(root, &logs).await.map_err(Stop::from) };
    let ((), binary) = tokio::try_join!(tools.provide(&logs), function)?;
    println!("{:>6.1} s  programs are there", begin.elapsed().as_secs_f64());
    let folder = Folder::new(&cache)?;
    let folders = Folders { run: folder.0.clone(), logs };
    let rendered = !names.is_empty() || render::examples(&tools, &folders, root, &binary).await?;
    if matches!(task, Task::Render) {
        return Ok(rendered);
    }
    let mut world = World::start(&tools, folders, root, &binary).await;
    println!("{:>6.1} s  the control plane runs, the package is installed", begin.elapsed().as_secs_f64());
    let passed = run_cases(&mut world, names).await;
    let is_fast = world.figures.print();
    let is_tight = world.print_leaks();
    println!("{:>6.1} s  done", begin.elapsed().as_secs_f64());
    let passed = passed && rendered && is_fast && is_tight;
    if !passed {
        println!("logs are in {}", world.folders.logs.display());
    }
    Ok(passed)
}

async fn run_cases(world: &mut World, names: &[String]) -> bool {
    let is_wanted =
        |case: &&Case| names.is_empty() || names.iter().any(|name| case.name.contains(name.as_str()));
    let mut all_passed = true;
    for case in CASES.iter().filter(is_wanted) {
        let begin = now();
        let passed =
            tokio::time::timeout(CASE_LIMIT, AssertUnwindSafe((case.run)(world)).catch_unwind()).await;
        let (passed, why) = match passed {
            Ok(Ok(())) => (true, "passed"),
            Ok(Err(_)) => (false, "FAILED"),
            Err(_) => (false, "HANGS"),
        };
        println!("{:>6.1} s  {why}  {}", begin.elapsed().as_secs_f64(), case.name);
        all_passed &= passed;
        world.clear().await;
        if !passed {
            world.recover().await;
        }
    }
    all_passed
}

/// The folder of a run, which goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new(cache: &Path) -> Result<Self, String> {
        let path = cache.join(format!("run-{}", std::process::id()));
        fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}
