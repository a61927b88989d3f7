//! Logs: to stderr, as JSON unless told otherwise.
//!
//! `RUST_LOG` decides what is logged when it is set, the program when it is not.
//! A panic is logged as the place that it came from and nothing more: its
//! message may hold what must not be printed (Rule 11).

use std::{env, io, panic};

use tracing_subscriber::{EnvFilter, util::SubscriberInitExt as _};

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines; what functions built with the Go SDK write.
    Json,
}

/// Starts logging, with the debug messages of the crates that are named. Only the
/// first call of a process has an effect.
pub fn init(format: LogFormat, debug: &[&str]) {
    let lines = tracing_subscriber::fmt().with_env_filter(filter(debug)).with_writer(io::stderr);
    // The only failure is that somebody else has started it.
    let _ = match format {
        LogFormat::Text => lines.with_ansi(false).finish().try_init(),
        LogFormat::Json => lines.json().flatten_event(true).finish().try_init(),
    };
    panic::set_hook(Box::new(|panicked| {
        let at = panicked.location().map(tracing::field::display);
        tracing::error!(at, "a panic was stopped");
    }));
}

/// All others stay at info: what libraries say below that is about frames and
/// handshakes, and drowns what the program says.
fn filter(debug: &[&str]) -> EnvFilter {
    let default = ["info".to_owned()].into_iter().chain(debug.iter().map(|name| format!("{name}=debug")));
    let default = default.collect::<Vec<_>>().join(",");
    // An empty variable is what a manifest leaves behind that unsets it.
    match env::var(EnvFilter::DEFAULT_ENV) {
        Ok(directives) if !directives.is_empty() => EnvFilter::new(directives),
        _ => EnvFilter::new(default),
    }
}
