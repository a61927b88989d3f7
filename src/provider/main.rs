//! Starts the provider: allocator, TLS provider, arguments, signals, exit code.

use std::{
    error::Error,
    io::Write as _,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use clap::Parser as _;
use daemon::{clock::SystemClock, scrape, signals::signals, telemetry};
use futures::{FutureExt as _, StreamExt as _};
use mimalloc::MiMalloc;
use prometheus_client::registry::Registry;
use provider_infisical::{
    args::Args,
    leader::Leadership,
    managed::reconcile::Poll,
    provider::{Provider, Settings},
};
use zeroizing_alloc::ZeroAlloc;

/// Freed memory is zeroed: the only way to reach what libraries copied.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<MiMalloc> = ZeroAlloc(MiMalloc);

/// `EX_USAGE` of sysexits: starting again without a change will not help.
const BAD_CONFIGURATION: u8 = 64;

/// What is under way at a SIGTERM has this long. Kubernetes gives a Pod 30 seconds.
const GRACE: Duration = Duration::from_secs(10);

/// The crates of which `--debug` logs debug messages.
const DEBUGGED: [&str; 3] = ["provider_infisical", "infisical", "daemon"];

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(BAD_CONFIGURATION) } else { ExitCode::SUCCESS };
        }
    };
    telemetry::init(args.log_format, if args.debug { &DEBUGGED } else { &[] });
    // Fails only where one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match run(args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // Without stderr there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "provider-infisical: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args) -> Result<bool, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(serve(args));
    runtime.shutdown_timeout(Duration::ZERO);
    ended
}

/// Runs until a signal. `false` where it had to be cut off, or does not lead any more.
async fn serve(args: Args) -> Result<bool, Box<dyn Error>> {
    let mut signals = signals()?;
    let (stopped, stop) = tokio::sync::oneshot::channel::<()>();
    let stop = stop.map(drop).boxed().shared();
    let client = kube::Client::try_default().await?;
    let namespace = args.leader_election_namespace.clone();
    let namespace = namespace.unwrap_or_else(|| client.default_namespace().to_owned());
    let settings = Settings {
        poll: Poll { usual: args.poll, shortest: args.min_poll_interval },
        concurrency: args.max_reconcile_rate,
    };
    let mut registry = Registry::default();
    let clock = Arc::new(SystemClock);
    let provider = Provider::new(client.clone(), clock, settings, &mut registry, stop.clone());
    let is_ready = Arc::new(AtomicBool::new(false));
    let metrics = args.metrics_address.bind()?;
    let ready = Arc::clone(&is_ready);
    let scraped =
        scrape::serve_with(metrics, Arc::new(registry), Arc::new(move || ready.load(Ordering::Relaxed)));
    let work = async {
        client.apiserver_version().await?;
        is_ready.store(true, Ordering::Relaxed);
        if !args.leader_election {
            provider.run().await;
            return Ok::<_, Box<dyn Error>>(true);
        }
        let leadership = tokio::select! {
            leadership = Leadership::wait(client.clone(), &namespace) => leadership,
            () = stop => return Ok(true),
        };
        tracing::info!(namespace, "this replica leads");
        Ok(leadership.keep(provider.run()).await)
    };
    let told = async {
        let signal = signals.next().await.unwrap_or_default();
        tracing::info!(signal, "ending");
        let _ = stopped.send(());
        // What is under way is done, or has had its time.
        tokio::select! {
            () = tokio::time::sleep(GRACE) => {}
            _ = signals.next() => {}
        }
    };
    tokio::select! {
        ended = work => ended,
        () = told => Ok(false),
        () = scraped => Ok(false),
    }
}
