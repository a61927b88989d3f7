//! Starts the function: allocator, TLS provider, arguments, exit code.

use std::{error::Error, io::Write as _, process::ExitCode, sync::Arc, time::Duration};

use clap::Parser as _;
use daemon::{clock::SystemClock, signals::signals, telemetry};
use function_infisical::{
    args::{Args, Parts},
    function::Function,
    server::{Ending, PREFIX, Server},
};
use infisical::client::Connector;
use mimalloc::MiMalloc;
use prometheus_client::registry::Registry;
use rand::{
    SeedableRng as _,
    rngs::{StdRng, SysRng},
};
use zeroizing_alloc::ZeroAlloc;

/// Freed memory is zeroed: the only way to reach what libraries copied. Under it
/// is an allocator that keeps what a call needs for the next one: the system's
/// gives a frame of 100 KB back to the kernel and takes it anew each time.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<MiMalloc> = ZeroAlloc(MiMalloc);

/// `EX_USAGE` of sysexits: starting again without a change will not help.
const BAD_CONFIGURATION: u8 = 64;

/// What requests to Infisical say that they come from.
const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

/// The crates of which `--debug` logs debug messages.
const DEBUGGED: [&str; 3] = ["function_infisical", "infisical", "daemon"];

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) if !error.use_stderr() => {
            // The help or the version, which were asked for.
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
        Err(error) => return refuse(&one_line(&error.to_string())),
    };
    match run(args) {
        Ok(Ending::Drained) => ExitCode::SUCCESS,
        Ok(Ending::GraceExpired | Ending::StoppedTwice) => ExitCode::FAILURE,
        Err(error) => refuse(&chain(&*error)),
    }
}

fn run(args: Args) -> Result<Ending, Box<dyn Error>> {
    let Parts { server, log_format, debug } = args.parts()?;
    telemetry::init(log_format, if debug { &DEBUGGED } else { &[] });
    // Fails only where one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();

    // One thread: answers that are ready at once leave with one write, and what
    // a call costs is far below what would keep a core busy.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(async {
        let stop = signals()?;
        let mut registry = Registry::default();
        let connector = Connector::default().with_user_agent(USER_AGENT);
        connector.register_metrics(registry.sub_registry_with_prefix(PREFIX));
        let rng = StdRng::try_from_rng(&mut SysRng)?;
        let function = Function::new(Arc::new(connector), Arc::new(SystemClock), rng);
        function.register_metrics(&mut registry);
        let server = Server::bind(server, registry).await?;
        Ok(server.serve(Arc::new(function), stop).await?)
    });
    // What is still under way was given its time.
    runtime.shutdown_timeout(Duration::ZERO);
    ended
}

fn refuse(why: &str) -> ExitCode {
    // Without stderr there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "function-infisical: {why}");
    ExitCode::from(BAD_CONFIGURATION)
}

/// An error and what caused it, on one line.
fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// What is wrong and which values there are, without the usage that clap prints below.
fn one_line(text: &str) -> String {
    let mut lines = text.lines();
    let line = lines.next().unwrap_or_default();
    let line = line.strip_prefix("error: ").unwrap_or(line);
    match lines.next().map(str::trim).filter(|line| line.starts_with("[possible values: ")) {
        Some(values) => format!("{line} {values}"),
        None => line.to_owned(),
    }
}
