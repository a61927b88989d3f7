//! Medians with their range, as a table and as JSON.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde_json::{Value, json};

use crate::{load::Burst, subject::Subject};

/// Several measurements of one thing.
#[derive(Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Spread {
    pub(crate) fn of(values: &[f64]) -> Self {
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
        let middle = values.len() / 2;
        let median = if values.len().is_multiple_of(2) {
            f64::midpoint(at(middle.saturating_sub(1)), at(middle))
        } else {
            at(middle)
        };
        Self { median, least: at(0), most: at(values.len().saturating_sub(1)) }
    }

    pub(crate) fn json(self) -> Value {
        json!({"median": self.median, "min": self.least, "max": self.most})
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} ({:.1}–{:.1})", self.median, self.least, self.most)
    }
}

/// What is varied: the security of the connection, the request, and how many
/// calls are under way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Case {
    pub(crate) security: &'static str,
    pub(crate) bytes: usize,
    pub(crate) size: String,
    pub(crate) under_way: usize,
}

/// The bursts of one server in one case.
#[derive(Default)]
pub(crate) struct Bursts {
    cpu: Vec<f64>,
    latencies: Vec<Duration>,
    peak: u64,
}

impl Bursts {
    pub(crate) fn add(&mut self, burst: Burst, peak: u64) {
        self.cpu.push(burst.cpu.as_secs_f64() * 1e6);
        self.latencies.extend(burst.latencies);
        self.peak = self.peak.max(peak);
    }

    /// Microseconds of CPU per call.
    fn cpu(&self) -> Spread {
        Spread::of(&self.cpu)
    }

    /// A quantile of the latencies in milliseconds.
    fn latency(&self, quantile: f64) -> f64 {
        let mut sorted = self.latencies.clone();
        sorted.sort();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "the place of a quantile in a list"
        )]
        let at = ((sorted.len() as f64 * quantile) as usize).min(sorted.len().saturating_sub(1));
        sorted.get(at).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e3)
    }
}

/// Everything that the bursts have shown.
pub(crate) type Results = BTreeMap<Case, BTreeMap<Subject, Bursts>>;

/// Bytes as megabytes of 10^6.
pub(crate) fn megabytes(bytes: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a size to be read")]
    let bytes = bytes as f64;
    bytes / 1e6
}

/// The table of bursts.
pub(crate) fn table(results: &Results) -> String {
    let mut lines = vec![
        "| request | under way | server | CPU per call, µs | × floor | p50 ms | p99 ms | peak MB |"
            .to_owned(),
        "| --- | --- | --- | --- | --- | --- | --- | --- |".to_owned(),
    ];
    for (case, subjects) in results {
        let floor = subjects.get(&Subject::Floor).map(|floor| floor.cpu().median);
        for (subject, bursts) in subjects {
            let cpu = bursts.cpu();
            let ratio = floor.map_or_else(String::new, |floor| format!("{:.2}", cpu.median / floor));
            lines.push(format!(
                "| {}, {} | {} | {subject} | {cpu} | {ratio} | {:.2} | {:.2} | {:.1} |",
                case.size,
                case.security,
                case.under_way,
                bursts.latency(0.5),
                bursts.latency(0.99),
                megabytes(bursts.peak),
            ));
        }
    }
    lines.join("\n")
}

/// What our server's figures are beside those of the other two.
pub(crate) fn ratios(results: &Results) -> String {
    let mut lines = vec![
        "| request | under way | CPU × floor | auto-ready's CPU × ours | p99 ÷ auto-ready's p50 at one call | \
         peak MB beyond the floor's |"
            .to_owned(),
        "| --- | --- | --- | --- | --- | --- |".to_owned(),
    ];
    for case in results.keys() {
        let Ratios { floor, auto_ready, latency, memory } = Ratios::of(results, case);
        lines.push(format!(
            "| {}, {} | {} | {floor:.2} | {auto_ready:.0} | {latency:.2} | {memory:.1} |",
            case.size, case.security, case.under_way
        ));
    }
    lines.join("\n")
}

/// NaN where a server was left out.
struct Ratios {
    floor: f64,
    auto_ready: f64,
    latency: f64,
    memory: f64,
}

impl Ratios {
    fn of(results: &Results, case: &Case) -> Self {
        let of = |case: &Case, subject| results.get(case).and_then(|subjects| subjects.get(&subject));
        let cpu = |subject| of(case, subject).map_or(f64::NAN, |bursts| bursts.cpu().median);
        let peak = |subject| of(case, subject).map_or(f64::NAN, |bursts| megabytes(bursts.peak));
        let ours = of(case, Subject::Ours).map_or(f64::NAN, |bursts| bursts.latency(0.99));
        let at_one = Case { under_way: 1, ..case.clone() };
        let theirs = of(&at_one, Subject::AutoReady).map_or(f64::NAN, |bursts| bursts.latency(0.5));
        Self {
            floor: cpu(Subject::Ours) / cpu(Subject::Floor),
            auto_ready: cpu(Subject::AutoReady) / cpu(Subject::Ours),
            latency: ours / theirs,
            memory: peak(Subject::Ours) - peak(Subject::Floor),
        }
    }
}

/// The same for a machine.
pub(crate) fn json(results: &Results) -> Value {
    let rows = results.iter().flat_map(|(case, subjects)| {
        subjects.iter().map(move |(subject, bursts)| {
            json!({
                "request": case.size,
                "request_bytes": case.bytes,
                "security": case.security,
                "calls_under_way": case.under_way,
                "server": subject.to_string(),
                "cpu_microseconds_per_call": bursts.cpu().json(),
                "latency_p50_milliseconds": bursts.latency(0.5),
                "latency_p99_milliseconds": bursts.latency(0.99),
                "peak_bytes": bursts.peak,
            })
        })
    });
    rows.collect()
}
