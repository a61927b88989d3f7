//! The command line, with the flags and the environment that providers have.
//!
//! Everything is typed when it is parsed. A duration is written as Go does: `1m30s`.
//!
//! Crossplane gives a provider's container no arguments and no probes. It sets
//! `POD_NAMESPACE`, names port 8080 `metrics`, and mounts certificates for webhooks, of
//! which this provider has none (`TLS_SERVER_CERTS_DIR`, `TLS_CLIENT_CERTS_DIR`,
//! `WEBHOOK_TLS_CERT_DIR`); `PROVIDER_NAME`, `REVISION_NAME` and `REVISION_UID` are for
//! those who make objects in the name of their package. The rest comes from a
//! `DeploymentRuntimeConfig`.
//!
//! Two flags of other providers are missing, because they could do nothing. `--sync`
//! reconciles again whatever is in a cache; crossplane-runtime drops all of that, since
//! nothing in it has changed, and `--poll` looks at each resource in any case. State is
//! counted when it is scraped, not every `--poll-state-metric`.

use std::time::Duration;

use clap::Parser;
use daemon::{listen::ListenAddress, telemetry::LogFormat};

use crate::managed::annotations::duration;

/// Keeps projects, identities and secrets of Infisical as managed resources of Crossplane
/// say.
#[derive(Clone, Debug, Parser)]
#[command(name = "provider-infisical", version)]
pub struct Args {
    /// Log debug messages too.
    #[arg(long, short, env = "DEBUG", value_parser = clap::builder::FalseyValueParser::new())]
    pub debug: bool,

    /// Let only one of several replicas work at a time.
    #[arg(
        long,
        short,
        env = "LEADER_ELECTION",
        num_args = 0..=1,
        require_equals = true,
        default_value = "false",
        default_missing_value = "true"
    )]
    pub leader_election: std::primitive::bool,

    /// How often a resource is looked at.
    #[arg(long, value_name = "DURATION", env = "POLL", default_value = "1m", value_parser = go_duration)]
    pub poll: Duration,

    /// How often at most, whatever crossplane.io/poll-interval says.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = go_duration)]
    pub min_poll_interval: Duration,

    /// Resources of a kind that are looked at at the same time.
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..))]
    pub max_reconcile_rate: u16,

    /// Management policies cannot be turned off; this is for other providers' manifests.
    #[arg(
        long,
        env = "ENABLE_MANAGEMENT_POLICIES",
        num_args = 0..=1,
        require_equals = true,
        default_value = "true",
        default_missing_value = "true",
        value_parser = ["true"],
        hide = true
    )]
    pub enable_management_policies: String,

    /// Address to serve Prometheus metrics, /healthz and /readyz on.
    #[arg(long, value_name = "ADDRESS", default_value = ":8080")]
    pub metrics_address: ListenAddress,

    /// How log lines look.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = LogFormat::Json)]
    pub log_format: LogFormat,

    /// Where the Lease is; the namespace of the Pod where this is left out.
    #[arg(long, value_name = "NAMESPACE", env = "POD_NAMESPACE")]
    pub leader_election_namespace: Option<String>,
}

fn go_duration(text: &str) -> Result<Duration, &'static str> {
    let positive = duration(text).filter(|duration| !duration.is_zero());
    positive.ok_or("it is not a duration above zero: write one such as 1m or 1h30m")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(flags: &[&str]) -> Result<Args, String> {
        let all = ["provider-infisical"].iter().chain(flags);
        Args::try_parse_from(all).map_err(|error| error.to_string())
    }

    #[test]
    fn flags_are_those_of_other_providers() {
        let args = parsed(&[]).unwrap();
        assert_eq!((args.debug, args.leader_election), (false, false));
        assert_eq!(args.poll, Duration::from_mins(1));
        let args = parsed(&["-d", "-l", "--poll=10m", "--max-reconcile-rate=5"]).unwrap();
        assert_eq!((args.debug, args.leader_election), (true, true));
        assert_eq!((args.poll, args.max_reconcile_rate), (Duration::from_mins(10), 5));
        assert!(parsed(&["--leader-election=false", "--enable-management-policies"]).is_ok());
    }

    #[test]
    fn it_listens_where_crossplane_looks_for_metrics() {
        assert_eq!(parsed(&[]).unwrap().metrics_address.to_string(), ":8080");
    }

    #[test]
    fn what_cannot_be_is_refused_with_what_to_write() {
        let table = [
            ("--poll=0s", "it is not a duration above zero"),
            ("--poll=soon", "write one such as 1m"),
            ("--enable-management-policies=false", "possible values: true"),
            ("--max-reconcile-rate=0", "0 is not in 1.."),
            ("--sync=1h", "unexpected argument '--sync'"),
        ];
        for (flag, expected) in table {
            let error = parsed(&[flag]).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
