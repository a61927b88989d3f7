//! The main job, on embedded defaults and with nothing installed but Rust.
//!
//! A fake Infisical and the real function server run on loopback, and this
//! program plays Crossplane's part over gRPC: it makes the requests, applies
//! what comes back, and tells what happens as a timeline. It ends with status 0
//! only if the server accepts the token that is in the connection Secret.

#![expect(clippy::indexing_slicing, reason = "what is missing in a JSON value is null")]

use std::{error::Error, process::ExitCode};

use clap::Parser;
use fake_infisical::Variant;

mod play;
mod report;
mod stage;

/// Plays the life of an XR up to a connection Secret whose token works.
#[derive(Parser)]
struct Args {
    /// Which kind of Infisical server the fake is.
    #[arg(long, value_enum, default_value = "strict", conflicts_with = "infisical_url")]
    variant: VariantArg,

    /// A real Infisical server with an empty database, instead of the fake.
    #[arg(long, value_name = "URL")]
    infisical_url: Option<String>,

    /// A legacy XR with a claim behind it, instead of a namespaced v2 XR.
    #[arg(long)]
    legacy: bool,

    /// Seconds by which the fake's answers are late.
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0, conflicts_with = "infisical_url")]
    delay: f64,

    /// One JSON object in place of the text.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum VariantArg {
    /// Refuses the token that bootstrap returns (the default since August 2026).
    Strict,
    /// Accepts it; it has no end (before v0.159.23).
    Lenient,
    /// Accepts it; it ends after 90 days.
    Fixed,
}

impl From<VariantArg> for Variant {
    fn from(variant: VariantArg) -> Self {
        match variant {
            VariantArg::Strict => Self::Strict,
            VariantArg::Lenient => Self::Lenient,
            VariantArg::Fixed => Self::Fixed,
        }
    }
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            report::failed(&*error);
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(args: &Args) -> Result<bool, Box<dyn Error>> {
    let stage = stage::Stage::set(args).await?;
    let mut timeline = report::Timeline::new(!args.json);
    let outcome = play::play(&stage, args.legacy, &mut timeline).await;
    stage.clear().await?;
    let outcome = outcome?;
    report::print(args.json, &timeline, &outcome)?;
    Ok(outcome.token.is_ok())
}
