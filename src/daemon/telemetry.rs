//! Logs: to stderr, as JSON unless told otherwise.
//!
//! `RUST_LOG` decides what is logged when it is set, the program when it is not.
//! A panic is logged as the place that it came from and nothing more: its
//! message may hold what must not be printed (Rule 11).

use std::{env, io, panic};

use tracing_subscriber::{
    filter::{LevelFilter, ParseError, Targets},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

/// Names the crates and modules that are logged, and from which level on.
const VARIABLE: &str = "RUST_LOG";

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
    // An empty variable is what a manifest leaves behind that unsets it.
    let directives = env::var(VARIABLE).ok().filter(|directives| !directives.is_empty());
    let read = directives.map(|directives| targets(&directives)).transpose();
    let (targets, unreadable) = match read {
        Ok(targets) => (targets.unwrap_or_else(|| usual(debug)), None),
        Err(error) => (usual(debug), Some(error)),
    };
    let lines =
        tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_ansi(false).with_writer(io::stderr);
    // The only failure is that somebody else has started it.
    let _ = match format {
        LogFormat::Text => lines.finish().with(targets).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).finish().with(targets).try_init(),
    };
    panic::set_hook(Box::new(|panicked| {
        let at = panicked.location().map(tracing::field::display);
        tracing::error!(at, "a panic was stopped");
    }));
    if let Some(error) = unreadable {
        tracing::warn!(
            error = %error,
            "{VARIABLE} cannot be read and is ignored: write levels such as \"info,function_infisical=debug\""
        );
    }
}

/// All others stay at info: what libraries say below that is about frames and
/// handshakes, and drowns what the program says.
fn usual(debug: &[&str]) -> Targets {
    let debug = debug.iter().map(|name| (*name, LevelFilter::DEBUG));
    Targets::new().with_default(LevelFilter::INFO).with_targets(debug)
}

/// Levels and `target=level`, with commas between them.
fn targets(directives: &str) -> Result<Targets, ParseError> {
    // An empty one would be a target that all names begin with.
    let directives: Vec<_> = directives.split(',').map(str::trim).filter(|it| !it.is_empty()).collect();
    if directives.is_empty() { Ok(Targets::new()) } else { directives.join(",").parse() }
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn only_the_named_crates_log_debug_messages() {
        let usual = usual(&["daemon"]);
        for (target, level, is_logged) in [
            ("daemon::tls", Level::DEBUG, true),
            ("daemon::tls", Level::TRACE, false),
            ("h2", Level::INFO, true),
            ("h2", Level::DEBUG, false),
        ] {
            assert_eq!(usual.would_enable(target, &level), is_logged, "{target} {level}");
        }
    }

    #[test]
    fn what_is_logged_is_read_from_levels_and_targets() {
        let table = [
            ("trace", "h2", Level::TRACE, true),
            ("warn", "daemon", Level::INFO, false),
            ("info, daemon=debug,", "daemon::tls", Level::DEBUG, true),
            ("info,daemon=debug,", "h2", Level::DEBUG, false),
            ("info,h2=off", "h2", Level::ERROR, false),
            ("daemon", "daemon", Level::TRACE, true),
            (",", "daemon", Level::ERROR, false),
        ];
        for (directives, target, level, is_logged) in table {
            let targets = targets(directives).unwrap();
            assert_eq!(targets.would_enable(target, &level), is_logged, "{directives:?}: {target} {level}");
        }
        for directives in ["daemon=loud", "a=b=c"] {
            assert!(targets(directives).is_err(), "{directives}");
        }
    }
}
