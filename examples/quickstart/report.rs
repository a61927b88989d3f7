//! What is printed: a timeline while it happens, then what is in the cluster.
//! The values of Secrets are masked.

use std::{
    collections::BTreeMap,
    error::Error,
    io::{self, Write as _},
};

use fake_crossplane::Crossplane;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::play::Outcome;

const CONDITIONS: [&str; 3] = ["InfisicalBootstrapped", "InfisicalTokenValid", "Ready"];

/// Keys of the Secrets that are shown: they are no secrets.
const SHOWN: [&str; 5] = ["email", "expiresAt", "host", "organizationSlug", "organizationId"];

/// What happened when.
pub(crate) struct Timeline {
    start: Instant,
    lines: Vec<(u128, String)>,
    aloud: bool,
}

impl Timeline {
    /// Starts now. `aloud` prints each line as it comes.
    pub(crate) fn new(aloud: bool) -> Self {
        Self { start: Instant::now(), lines: Vec::new(), aloud }
    }

    /// Adds a line.
    pub(crate) fn tell(&mut self, line: &str) {
        let at = self.start.elapsed().as_millis();
        if self.aloud {
            // Where nobody reads, nobody has to be told.
            let _ = writeln!(io::stdout(), "{at:>6} ms  {line}");
        }
        self.lines.push((at, line.to_owned()));
    }

    /// Adds a line for each thing that a reconcile changed.
    pub(crate) fn compare(&mut self, before: &Crossplane, after: &Crossplane) {
        for (name, object) in &after.composed {
            let (kind, metadata) = (&object["kind"], &object["metadata"]["name"]);
            match before.composed.get(name) {
                None => self.tell(&format!("{} {} is created ({name})", text(kind), text(metadata))),
                Some(old) if old != object => {
                    self.tell(&format!("{} {} is changed ({name})", text(kind), text(metadata)));
                }
                Some(_) => {}
            }
        }
        for condition in CONDITIONS {
            let now = after.condition(condition);
            if now.map(|it| (it.0, it.1)) != before.condition(condition).map(|it| (it.0, it.1))
                && let Some((status, reason, _)) = now
            {
                self.tell(&format!("{condition} is {status} ({reason})"));
            }
        }
        for event in after.events.iter().skip(before.events.len()) {
            self.tell(&format!("event {} {}: {}", event.severity, event.reason, event.message));
        }
    }
}

/// Prints how it ended.
pub(crate) fn print(as_json: bool, timeline: &Timeline, outcome: &Outcome) -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    if as_json {
        writeln!(out, "{:#}", in_json(timeline, outcome))?;
        return Ok(());
    }
    for (name, data) in &outcome.secrets {
        let object = &outcome.crossplane.composed[name];
        let metadata = &object["metadata"];
        writeln!(out, "\nSecret {}/{} ({name})", text(&metadata["namespace"]), text(&metadata["name"]))?;
        for (key, value) in masked(data) {
            writeln!(out, "  {key}: {value}")?;
        }
    }
    writeln!(out, "\nConditions of the XR")?;
    for condition in CONDITIONS {
        if let Some((status, reason, message)) = outcome.crossplane.condition(condition) {
            writeln!(out, "  {condition}: {status} ({reason}) {message}")?;
        }
    }
    if let Some((asked, successful)) = outcome.bootstraps {
        writeln!(
            out,
            "\nThe server was asked {asked} time(s) to bootstrap, and did so {successful} time(s)."
        )?;
    }
    match &outcome.token {
        Ok(organization) => {
            writeln!(out, "The server accepts the token in the Secret: organization \"{organization}\".")?;
        }
        Err(refusal) => writeln!(out, "There is no token that the server accepts: {refusal}.")?,
    }
    Ok(())
}

/// Prints why it could not be played.
pub(crate) fn failed(error: &dyn Error) {
    let _ = writeln!(io::stderr(), "quickstart: {error}");
}

fn in_json(timeline: &Timeline, outcome: &Outcome) -> Value {
    let lines = timeline.lines.iter().map(|(at, line)| json!({"atMilliseconds": at, "event": line}));
    let secrets = outcome.secrets.iter().map(|(name, data)| (name.clone(), json!(masked(data))));
    json!({
        "timeline": lines.collect::<Vec<_>>(),
        "secrets": secrets.collect::<serde_json::Map<_, _>>(),
        "connectionDetails": outcome.crossplane.connection_details.keys().collect::<Vec<_>>(),
        "conditions": outcome.crossplane.xr["status"]["conditions"],
        "ready": outcome.crossplane.is_ready(),
        "bootstraps": outcome.bootstraps.map(|(asked, successful)| json!({"asked": asked, "successful": successful})),
        "tokenAccepted": outcome.token.is_ok(),
        "refusal": outcome.token.as_ref().err(),
    })
}

fn masked(data: &BTreeMap<String, String>) -> BTreeMap<&str, String> {
    let mask = |(key, value): (&'_ String, &String)| -> String {
        if SHOWN.contains(&key.as_str()) {
            value.clone()
        } else {
            format!("({} characters)", value.chars().count())
        }
    };
    data.iter().map(|entry| (entry.0.as_str(), mask(entry))).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
