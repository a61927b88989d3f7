//! Tokens over months: renewed with nobody touching the XR, replaced where they
//! cannot be, and never more of them alive than are needed.

use std::{sync::Arc, time::Duration};

use daemon::clock::Clock as _;
use fake_infisical::{Fault, On, Request, Route, Settings, Times, Variant};
use jiff::Timestamp;
use serde_json::json;

use crate::world::{Kind, VARIANTS, World, variant};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
const YEAR: u32 = 365;

/// A connected world that looks at its token once a day, so that a year is short.
async fn with_a_slow_look(settings: Settings) -> World {
    let mut world = World::start(settings, Kind::Namespaced).await;
    world.crossplane.input["token"] = json!({"verifyInterval": "24h"});
    world.connect().await;
    world
}

/// Lives for so many days. At every call, before and after it, the Secret's
/// token works, and no more tokens are alive than `most`.
async fn live_well(world: &mut World, days: u32, most: usize) {
    let end = world.clock.now().checked_add(jiff::SignedDuration::from_hours(24 * i64::from(days))).unwrap();
    while world.clock.now() < end {
        let ttl = u64::try_from(world.crossplane.ttl.unwrap()).unwrap();
        world.clock.advance(Duration::from_secs(ttl));
        assert!(world.token_works(), "before the call: {} {}", world.clock.now(), world.story());
        world.settle().await;
        assert!(world.token_works(), "after the call: {} {}", world.clock.now(), world.story());
        assert!(world.crossplane.is_ready(), "{}", world.story());
        let alive = ours(world);
        assert!(alive <= most, "{alive} tokens are alive at {}", world.clock.now());
    }
}

/// How many tokens that the function minted are alive.
fn ours(world: &World) -> usize {
    let alive = world.fake.tokens_alive(world.clock.now());
    alive.iter().filter(|token| token.name.starts_with("function-infisical/")).count()
}

#[tokio::test]
async fn a_year_passes_with_nobody_touching_the_xr() {
    // A third of ninety days is left after sixty.
    let table = [(Variant::Strict, YEAR, 6), (Variant::Lenient, 130, 2), (Variant::Fixed, 130, 2)];
    for (of, days, renewals) in table {
        let settings = variant(of);
        let mut world = with_a_slow_look(settings).await;
        let (logins, events) = (world.fake.count(Route::Login), world.crossplane.events.len());
        live_well(&mut world, days, 1).await;
        assert_eq!(world.fake.count(Route::RenewToken), renewals, "{settings:?}");
        // One login more, to look for siblings.
        assert!(world.fake.count(Route::Login) <= logins + 1, "{settings:?}");
        assert_eq!(world.events(events), [""; 0], "{settings:?}: all is well, and no event tells of it");
    }
}

#[tokio::test]
async fn a_token_is_renewed_at_the_fraction_that_the_input_sets() {
    for (renew_at, first) in [(0.5, 45), (0.1, 81)] {
        let mut world = World::start(variant(Variant::Fixed), Kind::Namespaced).await;
        world.crossplane.input["token"] = json!({"verifyInterval": "24h", "renewAt": renew_at});
        world.connect().await;
        let start = world.clock.now();
        world.live(90 * DAY).await;
        let log = world.fake.log();
        let renewed = log.iter().find(|entry| entry.route == Route::RenewToken).unwrap();
        let days = renewed.at.duration_since(start).as_hours() / 24;
        assert_eq!(days, first, "{renew_at}");
    }
}

#[tokio::test]
async fn a_token_of_which_nobody_says_when_it_ends_is_renewed_as_well() {
    let settings =
        Settings { variant: Variant::Lenient, publishes_max_token_ttl: false, ..Settings::default() };
    let mut world = with_a_slow_look(settings).await;
    let data = world.crossplane.secret("infisical-connection").unwrap();
    assert_eq!(data["expiresAt"], "", "it is not known");
    live_well(&mut world, 100, 1).await;
    let data = world.crossplane.secret("infisical-connection").unwrap();
    assert_ne!(data["expiresAt"], "", "what was renewed says it");
}

#[tokio::test]
async fn a_token_that_cannot_be_renewed_is_replaced_before_it_ends() {
    // Refused for good, and failing for ever.
    for fault in [Fault::Page(400), Fault::FailBefore(503)] {
        let mut world = with_a_slow_look(variant(Variant::Strict)).await;
        world.fake.inject(On::Route(Route::RenewToken), Times::Always, fault.clone());
        let minted = world.fake.count(Route::MintToken);
        live_well(&mut world, 200, 2).await;
        let minted = world.fake.count(Route::MintToken) - minted;
        assert!((2..=3).contains(&minted), "{fault:?}: {minted}");
    }
}

#[tokio::test]
async fn without_a_password_a_renewal_that_fails_is_tried_again_and_said() {
    let mut world = with_a_slow_look(variant(Variant::Fixed)).await;
    world.crossplane.composed.remove("infisical-admin");
    world.restart();
    world.fake.inject(On::Route(Route::RenewToken), Times::Always, Fault::Page(400));
    world.live(62 * DAY).await;
    assert!(world.token_works() && world.crossplane.is_ready());
    assert_eq!(world.conditions()[1].1, "NotInfisical", "{}", world.story());
    world.fake.clear_faults();
    world.live(HOUR).await;
    assert_eq!(world.conditions()[1], ("True".to_owned(), "Accepted".to_owned()));
    live_well(&mut world, 100, 1).await;
}

#[tokio::test]
async fn a_login_that_is_refused_does_not_stop_a_token_from_being_kept_to_its_end() {
    let mut world = with_a_slow_look(variant(Variant::Strict)).await;
    world.live(DAY).await;
    world.fake.change_passwords("marker-changed-by-hand");
    world.fake.inject(On::Route(Route::RenewToken), Times::Always, Fault::Page(400));
    let events = world.crossplane.events.len();
    live_well(&mut world, 61, 2).await;
    assert_eq!(world.conditions()[1], ("True".to_owned(), "NotRenewed".to_owned()));
    let message = world.message("InfisicalTokenValid");
    assert!(message.contains("refuses the email platform@example.org"), "{message}");
    assert_eq!(world.events(events), ["NotRenewed"]);
    // Two weeks before its end, renewing works again.
    live_well(&mut world, 14, 2).await;
    world.fake.clear_faults();
    live_well(&mut world, 90, 2).await;
    assert_eq!(world.conditions()[1], ("True".to_owned(), "Accepted".to_owned()));
}

/// Lives second by second for ten minutes, with calls going to the replicas in
/// turn, and looks at nothing but the Secret.
async fn every_second(mut world: World, replicas: usize) {
    let mut functions = vec![Arc::clone(&world.function)];
    functions.resize_with(replicas, || Arc::new(world.another_function()));
    let due = |world: &World| world.clock.now().as_second() + world.crossplane.ttl.unwrap();
    let mut next = due(&world);
    let mut calls = 0;
    for second in 0..600 {
        world.clock.advance(SECOND);
        if world.clock.now().as_second() >= next {
            calls += 1;
            world.function = Arc::clone(&functions[calls % replicas]);
            world.settle().await;
            next = due(&world);
        }
        assert!(world.token_works(), "second {second}, {replicas} replicas: {}", world.story());
    }
    assert!(world.crossplane.is_ready());
    assert!(calls > 10, "{calls}");
    assert!(ours(&world) <= 2, "{}", ours(&world));
}

#[tokio::test]
async fn tokens_that_live_a_minute_work_at_every_second() {
    for settings in VARIANTS.map(variant) {
        for replicas in [1, 2, 3] {
            let settings = Settings { max_token_ttl: 60, ..settings };
            let world = World::connected(settings, Kind::Namespaced).await;
            every_second(world, replicas).await;
        }
    }
}

#[tokio::test]
async fn a_sibling_is_revoked_ten_minutes_after_and_never_the_token_that_is_in_use() {
    let mut world = World::connected(variant(Variant::Strict), Kind::Namespaced).await;
    world.live(HOUR).await;
    let foreign = by_hand(&world);
    // The Secret is lost, and with it the only copy of the token.
    world.crossplane.composed.remove("infisical-connection");
    world.settle().await;
    let seen_at = world.clock.now();
    assert_eq!(ours(&world), 2);
    let revoked = |world: &World| -> Vec<Timestamp> {
        let log = world.fake.log();
        log.iter().filter(|entry| entry.route == Route::RevokeToken).map(|entry| entry.at).collect()
    };
    for _ in 0..60 {
        world.clock.advance(MINUTE);
        world.settle().await;
        assert!(world.token_works(), "{}", world.story());
    }
    assert_eq!(ours(&world), 1);
    let revoked = revoked(&world);
    assert_eq!(revoked.len(), 1);
    let after = revoked[0].duration_since(seen_at).as_secs();
    assert!((600..=900).contains(&after), "{after} s");
    assert!(world.fake.token_works(&foreign), "what somebody else minted is not ours to revoke");
}

#[tokio::test]
async fn however_often_the_secret_is_lost_the_tokens_alive_are_bounded() {
    let mut world = World::connected(variant(Variant::Strict), Kind::Namespaced).await;
    for _ in 0..12 {
        world.restart();
        world.crossplane.composed.remove("infisical-connection");
        world.settle().await;
        world.live(30 * MINUTE).await;
        assert!(ours(&world) <= 2, "{}", ours(&world));
        assert!(world.token_works());
    }
}

/// A token of the same identity that somebody minted under another name.
fn by_hand(world: &World) -> String {
    let token = world.token();
    let identity = world.crossplane.secret("infisical-connection").unwrap()["identityId"].clone();
    let path = format!("/api/v1/auth/token-auth/identities/{identity}/tokens");
    let request = Request::new("POST", &path).bearer(&token).json(&json!({"name": "by hand"}));
    let response = world.fake.ask(&request);
    assert_eq!(response.status, 200);
    let answer: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
    answer["accessToken"].as_str().unwrap().to_owned()
}
