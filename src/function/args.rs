//! The command line, with the flags that every function has.
//!
//! Everything is typed when it is parsed. [`Args::parts`] takes the arguments
//! apart, so that a new flag cannot be forgotten.

use std::{path::PathBuf, str::FromStr, time::Duration};

use clap::{
    Parser,
    builder::{OsStringValueParser, TypedValueParser},
};
use daemon::{
    listen::{AddressError, ListenAddress},
    telemetry::LogFormat,
};

use crate::server::{CERTIFICATE_RELOAD, Security, ServerConfig};

const MEGABYTE: usize = 1 << 20;

/// Bootstraps Infisical and keeps a connection Secret whose token works, as a
/// step of a Crossplane Composition.
#[derive(Clone, Debug, Parser)]
#[command(name = "function-infisical", version)]
pub struct Args {
    /// Serve without TLS and let everybody connect. Wins over --tls-certs-dir.
    #[arg(long)]
    insecure: bool,

    /// Directory with the server's certificate (tls.crt, tls.key) and the
    /// authority of its clients (ca.crt).
    #[arg(long, value_name = "DIR", env = "TLS_SERVER_CERTS_DIR", value_parser = path())]
    tls_certs_dir: Option<PathBuf>,

    /// Log debug messages too.
    #[arg(long, short)]
    debug: bool,

    /// Network to listen on. Go's SDK has this flag; TCP is all there is.
    #[arg(long, default_value = "tcp", value_parser = ["tcp"], hide = true)]
    network: String,

    /// Address to listen on for calls.
    #[arg(long, default_value = ":9443")]
    address: ListenAddress,

    /// Address to serve Prometheus metrics and /healthz on. Empty: nowhere.
    #[arg(long, value_name = "ADDRESS", default_value = ":8080")]
    metrics_address: MetricsAddress,

    /// Maximum size of received messages in MB.
    #[arg(long, value_name = "MB", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=2047))]
    max_recv_message_size: u16,

    /// How log lines look.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = LogFormat::Json)]
    log_format: LogFormat,

    /// Seconds that calls and work under way have after SIGTERM. Kubernetes
    /// gives a Pod 30.
    #[arg(long, value_name = "SECONDS", default_value_t = 25)]
    shutdown_grace: u16,
}

/// What the arguments come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    /// How to serve.
    pub server: ServerConfig,
    /// How log lines look.
    pub log_format: LogFormat,
    /// Whether to log debug messages.
    pub debug: bool,
}

/// Arguments that do not go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArgsError {
    /// Nothing says who may connect.
    #[error("neither --tls-certs-dir (or TLS_SERVER_CERTS_DIR) nor --insecure is given")]
    NoSecurity,
}

impl Args {
    /// What the arguments come to.
    ///
    /// # Errors
    /// When they do not say who may connect.
    pub fn parts(self) -> Result<Parts, ArgsError> {
        let Self {
            insecure,
            tls_certs_dir,
            debug,
            network: _,
            address,
            metrics_address: MetricsAddress(metrics_address),
            max_recv_message_size,
            log_format,
            shutdown_grace,
        } = self;
        // An empty variable is what a manifest leaves behind that unsets it.
        let dir = tls_certs_dir.filter(|dir| !dir.as_os_str().is_empty());
        let security = match (insecure, dir) {
            (true, _) => Security::Insecure,
            (false, Some(dir)) => Security::MutualTls { dir, reload: CERTIFICATE_RELOAD },
            (false, None) => return Err(ArgsError::NoSecurity),
        };
        let server = ServerConfig {
            address,
            metrics_address,
            security,
            max_recv_message_bytes: usize::from(max_recv_message_size) * MEGABYTE,
            shutdown_grace: Duration::from_secs(shutdown_grace.into()),
        };
        Ok(Parts { server, log_format, debug })
    }
}

/// An address, or the empty string for none.
#[derive(Clone, Copy, Debug)]
struct MetricsAddress(Option<ListenAddress>);

impl FromStr for MetricsAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text.is_empty() { Ok(Self(None)) } else { text.parse().map(|address| Self(Some(address))) }
    }
}

/// Takes the empty string too, which clap's own parser of paths refuses.
fn path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(args: &[&str]) -> Result<Parts, ArgsError> {
        Args::try_parse_from(std::iter::once("function-infisical").chain(args.iter().copied()))
            .unwrap()
            .parts()
    }

    #[test]
    fn the_flags_of_every_function_are_taken() {
        let parts = parts(&[
            "--tls-certs-dir=/tls",
            "-d",
            "--network=tcp",
            "--address=0.0.0.0:1",
            "--metrics-address=",
            "--max-recv-message-size=8",
            "--log-format=text",
            "--shutdown-grace=3",
        ]);
        let server = ServerConfig {
            address: "0.0.0.0:1".parse().unwrap(),
            metrics_address: None,
            security: Security::MutualTls { dir: "/tls".into(), reload: CERTIFICATE_RELOAD },
            max_recv_message_bytes: 8 * 1024 * 1024,
            shutdown_grace: Duration::from_secs(3),
        };
        assert_eq!(parts, Ok(Parts { server, log_format: LogFormat::Text, debug: true }));
    }

    #[test]
    fn the_defaults_are_those_of_every_function() {
        let server = ServerConfig {
            address: ":9443".parse().unwrap(),
            metrics_address: Some(":8080".parse().unwrap()),
            security: Security::Insecure,
            max_recv_message_bytes: 4 * 1024 * 1024,
            shutdown_grace: Duration::from_secs(25),
        };
        let expected = Parts { server, log_format: LogFormat::Json, debug: false };
        assert_eq!(parts(&["--insecure"]), Ok(expected));
    }

    #[test]
    fn insecure_wins_over_a_directory_and_nothing_at_all_is_refused() {
        let both = parts(&["--insecure", "--tls-certs-dir", "/tls"]).unwrap();
        assert_eq!(both.server.security, Security::Insecure);
        assert_eq!(parts(&["--tls-certs-dir", ""]), Err(ArgsError::NoSecurity));
    }

    #[test]
    fn the_command_is_well_formed() {
        use clap::CommandFactory as _;
        Args::command().debug_assert();
    }
}
