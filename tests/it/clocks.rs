//! Clocks that differ and that are set: what a server says by its own is never compared
//! with ours, and nothing is put off or repeated because of either.

use std::{sync::atomic::Ordering, time::Duration};

use fake_infisical::{Route, Settings};

use crate::world::{Kind, World};

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
