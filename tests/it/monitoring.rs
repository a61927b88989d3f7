//! What Prometheus is told, and that the dashboard, the alerts and the page on
//! monitoring ask for what there is.

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use fake_infisical::{Fault, On, Settings, Times};
use function_infisical::reason::Reason;
use prometheus_client::{encoding::text::encode, registry::Registry};
use serde_json::json;

use crate::{
    server::support::{Authority, Running, Volume, mk_config},
    world::{Kind, World},
};

fn scrape(registry: &Registry) -> String {
    let mut text = String::new();
    encode(&mut text, registry).unwrap();
    text
}

/// The value of a series.
fn value(text: &str, series: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
    Some(line.parse().unwrap())
}

fn assert_values(world: &World, expected: &[(&str, Option<f64>)]) {
    let text = scrape(&world.registry);
    for (series, expected) in expected {
        assert_eq!(value(&text, &format!("function_infisical_{series}")), *expected, "{series} in\n{text}");
    }
}

#[tokio::test]
async fn a_connection_is_counted_from_the_bootstrap_to_the_renewal() {
    let mut world = World::start(Settings::default(), Kind::Namespaced).await;
    // It looks at its token once a day, so that the time to the renewal is short.
    world.crossplane.input["token"] = json!({"verifyInterval": "24h"});
    world.connect().await;
    let bootstrapped = r#"xrs{condition="InfisicalBootstrapped",reason="Bootstrapped"}"#;
    let accepted = r#"xrs{condition="InfisicalTokenValid",reason="Accepted"}"#;
    assert_values(
        &world,
        &[
            (bootstrapped, Some(1.0)),
            (accepted, Some(1.0)),
            ("bootstraps_total", Some(1.0)),
            (r#"tokens_total{how="minted"}"#, Some(1.0)),
            (r#"tokens_total{how="renewed"}"#, Some(0.0)),
            (r#"requests_total{method="POST",route="/api/v1/admin/bootstrap",status="200"}"#, Some(1.0)),
            // A strict server's own token is dead from the start.
            (r#"requests_total{method="GET",route="/api/v1/identities/details",status="401"}"#, Some(1.0)),
        ],
    );
    let text = scrape(&world.registry);
    let ends = value(&text, "function_infisical_first_token_expiry_timestamp_seconds").unwrap();
    let expires_at: jiff::Timestamp =
        world.crossplane.secret("infisical-connection").unwrap()["expiresAt"].parse().unwrap();
    let ends = jiff::Timestamp::from_duration(jiff::SignedDuration::from_secs_f64(ends)).unwrap();
    assert_eq!(ends, expires_at);
    let calls = |text: &str, outcome: &str| {
        value(text, &format!("function_infisical_call_seconds_count{{outcome=\"{outcome}\"}}")).unwrap()
    };
    assert!(calls(&text, "steady") > 0.0 && calls(&text, "waiting") > 0.0, "{text}");
    assert!(calls(&text, "invalid_input") < 1.0);

    world.live(Duration::from_hours(24 * 61)).await;
    assert_values(&world, &[(r#"tokens_total{how="renewed"}"#, Some(1.0)), ("bootstraps_total", Some(1.0))]);
}

#[tokio::test]
async fn an_xr_that_is_deleted_is_gone_from_the_metrics_before_its_token_ends() {
    let world = World::connected(Settings::default(), Kind::Namespaced).await;
    let series = r#"xrs{condition="InfisicalBootstrapped",reason="Bootstrapped"}"#;
    assert_values(&world, &[(series, Some(1.0))]);
    world.clock.advance(Duration::from_hours(2));
    assert_values(&world, &[(series, None), ("first_token_expiry_timestamp_seconds", None)]);
}

#[tokio::test]
async fn a_server_that_does_not_answer_and_a_wrong_input_are_counted() {
    let mut world = World::connected(Settings::default(), Kind::Namespaced).await;
    world.fake.inject(On::Any, Times::Always, Fault::CloseBefore);
    world.live(Duration::from_mins(30)).await;
    let unreachable = r#"xrs{condition="InfisicalTokenValid",reason="Unreachable"}"#;
    assert_values(&world, &[(unreachable, Some(1.0))]);
    let none =
        r#"function_infisical_requests_total{method="GET",route="/api/v1/identities/details",status="none"}"#;
    assert!(value(&scrape(&world.registry), none).unwrap() > 0.0);

    let mut request = world.crossplane.request();
    request.input = None;
    world.call(request).await;
    assert_values(&world, &[(r#"call_seconds_count{outcome="invalid_input"}"#, Some(1.0))]);
}

fn read(path: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The names of metrics in a text, without what a type adds to them.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let is_ours = |word: &&str| word.starts_with("function_infisical_") || word.starts_with("grpc_server_");
    let plain = |word: &str| {
        let suffixes = ["_total", "_count", "_bucket", "_sum", "_info"];
        suffixes.iter().find_map(|suffix| word.strip_suffix(suffix)).unwrap_or(word).to_owned()
    };
    words.filter(is_ours).map(plain).collect()
}

/// What the function and the server around it offer.
async fn offered() -> BTreeSet<String> {
    let types = |text: &str| -> BTreeSet<String> {
        let names = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
        names.map(str::to_owned).collect()
    };
    let world = World::connected(Settings::default(), Kind::Namespaced).await;
    let authority = Authority::new("crossplane");
    let volume = Volume::new(&authority.issue(), &authority.pem());
    let server = Running::start(mk_config(volume.security())).await;
    &types(&scrape(&world.registry)) | &types(&server.metrics().await)
}

#[tokio::test]
async fn the_page_names_every_metric_and_the_dashboard_and_the_alerts_ask_for_no_other() {
    let offered = offered().await;
    assert_eq!(names(&read("docs/monitoring.md")), offered);
    for path in ["monitoring/dashboard.json", "monitoring/rules.yaml", "monitoring/rules_test.yaml"] {
        let asked = names(&read(path));
        assert!(!asked.is_empty());
        assert!(asked.is_subset(&offered), "{path}: {:?}", &asked - &offered);
    }
}

#[test]
fn every_alert_is_on_the_page_and_every_reason_in_one_is_a_reason() {
    let (rules, page) = (read("monitoring/rules.yaml"), read("docs/monitoring.md"));
    let alerts = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
    let known: BTreeSet<&str> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
    assert!(alerts.clone().count() > 5);
    for alert in alerts {
        assert!(page.contains(&format!("`{alert}`")), "{alert}");
    }
    let quoted = rules.split("reason").skip(1).filter_map(|rest| {
        let rest = rest.trim_start_matches(['=', '!', '~']);
        rest.strip_prefix('"')?.split('"').next()
    });
    let reasons: Vec<&str> = quoted.flat_map(|quoted| quoted.split('|')).collect();
    assert!(reasons.len() > 5);
    for reason in reasons {
        assert!(known.contains(reason), "{reason}");
    }
}
