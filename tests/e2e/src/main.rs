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
mod figure;
mod functions;
mod package;
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
    world::World,
};

/// Where Crossplane runs.
const NAMESPACE: &str = "crossplane-system";

/// No case takes longer, unless it hangs.
const CASE_LIMIT: Duration = Duration::from_mins(3);

/// Tasks of this repository.
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
            _ = tokio::signal::ctrl_c() => Err("interrupted".to_owned()),
            () = terminated() => Err("terminated".to_owned()),
        }
    });
    match passed {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            println!("{why}");
            ExitCode::FAILURE
        }
    }
}

async fn terminated() {
    let kind = tokio::signal::unix::SignalKind::terminate();
    tokio::signal::unix::signal(kind).expect("a signal can be handled").recv().await;
}

async fn run(task: Task) -> Result<bool, String> {
    let begin = now();
    let missing = tools::missing();
    if !missing.is_empty() {
        return Err(missing.join("\n"));
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new("."));
    let cache = root.join(".cache/e2e");
    let logs = cache.join("logs");
    drop(fs::remove_dir_all(&logs));
    let tools = tools::provide(&cache, &logs).await?;
    let binary = package::build_binary(root, &logs).await?;
    println!("{:>6.1} s  programs are there", begin.elapsed().as_secs_f64());
    let folder = Folder::new(&cache)?;
    let folders = Folders { run: folder.0.clone(), logs };
    let names = match task {
        Task::Render => return render::examples(&tools, &folders, root, &binary).await,
        Task::E2e { names } => names,
    };
    let rendered = !names.is_empty() || render::examples(&tools, &folders, root, &binary).await?;
    let mut world = World::start(&tools, folders, root, &binary).await;
    println!("{:>6.1} s  the control plane runs, the package is installed", begin.elapsed().as_secs_f64());
    let passed = cases(&mut world, &names).await;
    let is_fast = world.figures.print();
    let is_tight = world.print_leaks();
    println!("{:>6.1} s  done", begin.elapsed().as_secs_f64());
    let passed = passed && rendered && is_fast && is_tight;
    if !passed {
        println!("logs are in {}", world.folders.logs.display());
    }
    Ok(passed)
}

async fn cases(world: &mut World, names: &[String]) -> bool {
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
