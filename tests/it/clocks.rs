//! Clocks that differ and that are set: what a server says by its own is never compared
//! with ours, and nothing is put off or repeated because of either.

use std::{sync::atomic::Ordering, time::Duration};

use daemon::clock::Clock as _;
use fake_infisical::{Fault, On, Route, Settings, Times, TokenAuth, Variant};
use serde_json::json;

use crate::world::{Kind, World};

const HOUR: Duration = Duration::from_hours(1);
const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

/// Seconds that the server's clock is ahead of ours.
const SKEWS: [i64; 6] = [-30 * 86_400, -3600, -360, 360, 3600, 30 * 86_400];

async fn connected(ahead: i64, settings: Settings) -> World {
    let mut world = World::start(settings, Kind::Namespaced).await;
    world.server_ahead.store(ahead, Ordering::SeqCst);
    world.connect().await;
    world
}

#[tokio::test]
async fn a_clock_that_differs_from_the_servers_causes_no_renewal() {
    for ahead in SKEWS {
        let mut world = connected(ahead, Settings::default()).await;
        for _ in 0..6 {
            world.clock.advance(MINUTE * 10);
            world.settle().await;
        }
        assert_eq!(world.fake.count(Route::RenewToken), 0, "{ahead}");
    }
}

#[tokio::test]
async fn a_token_is_renewed_once_whatever_the_clocks_show() {
    for ahead in SKEWS {
        let mut world = connected(ahead, Settings::default()).await;
        world.clock.advance(DAY * 61);
        for _ in 0..6 {
            world.settle().await;
            world.clock.advance(MINUTE);
        }
        assert_eq!(world.fake.count(Route::RenewToken), 1, "{ahead}");
    }
}

#[tokio::test]
async fn a_restart_asks_the_server_how_old_a_token_is() {
    for ahead in SKEWS {
        let mut world = connected(ahead, Settings::default()).await;
        world.clock.advance(DAY * 40);
        world.restart();
        for _ in 0..6 {
            world.settle().await;
            world.clock.advance(MINUTE);
        }
        assert_eq!(world.fake.count(Route::RenewToken), 0, "{ahead}: 50 of 90 days are left");
        world.clock.advance(DAY * 21);
        world.settle().await;
        assert_eq!(world.fake.count(Route::RenewToken), 1, "{ahead}: 29 of 90 days are left");
    }
}

#[tokio::test]
async fn a_clock_that_is_set_back_stops_no_verification() {
    for back in [MINUTE, DAY, DAY * 30, DAY * 400] {
        let mut world = connected(0, Settings::default()).await;
        let seconds = i64::try_from(back.as_secs()).unwrap();
        world.clock.advance(MINUTE * 5);
        world.settle().await;
        world.clock.set_back(back);
        world.server_ahead.store(seconds, Ordering::SeqCst);
        for quarter in 1..=4 {
            let before = world.fake.count(Route::IdentityDetails);
            world.clock.advance(MINUTE * 15);
            world.settle().await;
            let asked = world.fake.count(Route::IdentityDetails) - before;
            assert!((1..=2).contains(&asked), "{back:?}, quarter {quarter}: {asked}");
            assert!(
                world.crossplane.ttl.is_some_and(|ttl| (1..=600).contains(&ttl)),
                "{:?}",
                world.crossplane.ttl
            );
        }
        assert_eq!(world.fake.count(Route::RenewToken), 0, "{back:?}");
    }
}

fn token_auth(token_auth: TokenAuth) -> Settings {
    Settings { token_auth, ..Settings::default() }
}

/// Lives for a while in which the token works before and after every call.
async fn live_well(world: &mut World, span: Duration) {
    let start = world.clock.now();
    while world.clock.now().duration_since(start) < jiff::SignedDuration::try_from(span).unwrap() {
        let ttl = u64::try_from(world.crossplane.ttl.unwrap()).unwrap();
        world.clock.advance(Duration::from_secs(ttl));
        assert!(world.token_works(), "before the call: {}", world.story());
        world.settle().await;
        assert!(world.token_works(), "after the call: {}", world.story());
    }
}

#[tokio::test]
async fn a_token_that_is_not_renewed_beyond_its_maximum_age_is_replaced_before_its_end() {
    let limits = [(3600, 7200), (3600, 3600), (0, 7200), (3600, 3700)];
    for (ttl, max_ttl) in limits {
        let mut world = connected(0, token_auth(TokenAuth { ttl, max_ttl, uses: 0 })).await;
        let minted = world.fake.count(Route::MintToken);
        live_well(&mut world, HOUR * 12).await;
        let minted = world.fake.count(Route::MintToken) - minted;
        assert!((6..=20).contains(&minted), "{ttl} {max_ttl}: {minted}");
        let renewed = world.fake.count(Route::RenewToken);
        // Twice with effect, and once to learn that there is no more to gain.
        assert!(renewed <= 3 * minted + 3, "{ttl} {max_ttl}: {renewed} renewals");
    }
}

#[tokio::test]
async fn a_renewal_without_effect_is_said_and_the_end_is_the_end() {
    let mut world = connected(0, token_auth(TokenAuth { ttl: 3600, max_ttl: 7200, uses: 0 })).await;
    world.crossplane.composed.remove("infisical-admin");
    world.restart();
    live_well(&mut world, MINUTE * 110).await;
    assert_eq!(world.conditions()[1], ("True".to_owned(), "NotRenewed".to_owned()), "{}", world.story());
    let message = world.message("InfisicalTokenValid");
    assert!(message.contains("accessTokenMaxTTL"), "{message}");
    assert!(world.fake.count(Route::RenewToken) < 40, "{}", world.fake.count(Route::RenewToken));
    world.live(MINUTE * 15).await;
    assert_eq!(world.conditions()[1].0, "False", "{}", world.story());
    assert!(!world.crossplane.is_ready());
}

#[tokio::test]
async fn a_token_with_few_uses_is_not_used_up_by_verification() {
    let mut world = connected(0, token_auth(TokenAuth { ttl: 0, max_ttl: 0, uses: 3 })).await;
    let asked = world.fake.count(Route::IdentityDetails) + world.fake.count(Route::AdminIdentities);
    live_well(&mut world, HOUR * 24).await;
    let now = world.fake.count(Route::IdentityDetails) + world.fake.count(Route::AdminIdentities);
    assert!(now <= asked + 1, "{} more", now - asked);
    assert!(world.fake.count(Route::RenewToken) >= 100, "it was verified all the same");
    world.fake.revoke_all_tokens();
    world.live(MINUTE * 11).await;
    assert!(world.token_works() && world.crossplane.is_ready(), "{}", world.story());
}

/// A rollout hangs: older Pods go on serving.
fn hang(world: &mut World) {
    let unready = json!({"status": {"readyReplicas": 0, "availableReplicas": 0, "conditions": [
        {"type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable"},
    ]}});
    world.crossplane.update("infisical", &unready);
}

#[tokio::test]
async fn a_connection_is_looked_after_while_a_rollout_hangs() {
    for restarts in [false, true] {
        let settings = Settings { max_token_ttl: 3 * 3600, ..Settings::default() };
        let mut world = connected(0, settings).await;
        hang(&mut world);
        if restarts {
            world.restart();
        }
        live_well(&mut world, HOUR * 12).await;
        assert!(world.fake.count(Route::RenewToken) >= 4, "{restarts}");
        assert_eq!(world.conditions()[1].1, "Accepted", "{}", world.story());
    }
}

#[tokio::test]
async fn an_instance_that_is_not_ready_is_not_bootstrapped_even_if_it_was_connected() {
    let mut world = connected(0, Settings::default()).await;
    hang(&mut world);
    world.fake.reset_database();
    let bootstraps = world.fake.count(Route::Bootstrap);
    world.live(HOUR).await;
    assert_eq!(world.fake.count(Route::Bootstrap), bootstraps);
    assert_eq!(world.conditions()[0].1, "WaitingForInstance", "{}", world.story());
    world.crossplane.make_available("infisical");
    world.live(MINUTE * 3).await;
    assert!(world.token_works() && world.crossplane.is_ready(), "{}", world.story());
}

#[tokio::test]
async fn nothing_is_ready_with_a_token_whose_end_has_passed() {
    for restarts in [false, true] {
        let settings = Settings { variant: Variant::Fixed, max_token_ttl: 3 * 3600, ..Settings::default() };
        let mut world = connected(0, settings).await;
        // Where it is, is not known any more, and nothing may be sent to where it was.
        let endpoint = json!({"fromComposedResource": {"resource": "infisical", "fieldPath": "status.url"}});
        world.crossplane.input["instance"]["endpoint"] = endpoint;
        world.settle().await;
        assert_eq!(world.conditions()[1].1, "Accepted", "{}", world.story());
        let asked = world.mark();
        world.live(HOUR).await;
        assert_eq!(world.conditions()[1], ("Unknown".to_owned(), "WaitingForEndpoint".to_owned()));
        if restarts {
            world.restart();
        }
        let start = world.clock.now();
        while world.clock.now().duration_since(start) < jiff::SignedDuration::from_hours(4) {
            world.live(Duration::from_secs(1)).await;
            assert!(world.token_works() || !world.crossplane.is_ready(), "{restarts}: {}", world.story());
        }
        // After a restart nothing has told what the server's clock shows.
        let [bootstrapped, token_valid] = if restarts {
            [("True", "Bootstrapped"), ("Unknown", "TokenEnded")]
        } else {
            [("False", "WaitingForEndpoint"), ("False", "TokenEnded")]
        };
        let said = world.conditions();
        assert_eq!((said[0].0.as_str(), said[0].1.as_str()), bootstrapped, "{}", world.story());
        assert_eq!((said[1].0.as_str(), said[1].1.as_str()), token_valid, "{}", world.story());
        assert_eq!(world.asked(asked), [], "{restarts}");
    }
}

#[tokio::test]
async fn a_server_that_is_away_past_the_end_of_the_token_leaves_nothing_ready() {
    let settings = Settings { max_token_ttl: 3600, ..Settings::default() };
    let mut world = connected(0, settings).await;
    world.fake.inject(On::Any, Times::Always, Fault::Page(503));
    world.live(MINUTE * 50).await;
    assert!(world.crossplane.is_ready(), "as long as it may work: {}", world.story());
    world.live(MINUTE * 15).await;
    assert!(!world.crossplane.is_ready(), "{}", world.story());
    assert_eq!(world.conditions()[1], ("False".to_owned(), "TokenEnded".to_owned()), "{}", world.story());
    world.fake.clear_faults();
    world.live(MINUTE * 3).await;
    assert!(world.token_works() && world.crossplane.is_ready(), "{}", world.story());
}
