//! What only a human can do is said once and precisely, and the server is left
//! alone meanwhile.

use std::time::Duration;

use fake_infisical::{
    Fault, On,
    Route::{self, AdminIdentities, Bootstrap, Config, Login, MintToken, Organizations, SelectOrganization},
    Settings, Times, Transaction,
};
use serde_json::json;

use crate::world::{Kind, VERIFIED, World};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// Something that a human has switched on the server.
pub(crate) struct Row {
    reason: &'static str,
    pub(crate) happens: fn(&World),
    mended: fn(&World),
    /// What is asked in vain, each time.
    asked: &'static [Route],
    /// What the condition's message says.
    says: &'static [&'static str],
}

pub(crate) const TABLE: &[Row] = &[
    Row {
        reason: "MFARequired",
        happens: |world| world.fake.configure(|settings| settings.second_factor = true),
        mended: |world| world.fake.configure(|settings| settings.second_factor = false),
        asked: &[Config, Login, Organizations, SelectOrganization],
        says: &["platform@example.org", "second factor", "Switch MFA off"],
    },
    Row {
        reason: "CaptchaRequired",
        happens: |world| world.fake.configure(|settings| settings.captcha_after = Some(0)),
        mended: |world| world.fake.configure(|settings| settings.captcha_after = None),
        asked: &[Config, Login],
        says: &["platform@example.org", "captcha", "Log in once in its web interface"],
    },
    Row {
        reason: "PasswordLoginDisabled",
        happens: |world| world.fake.configure(|settings| settings.password_login = false),
        mended: |world| world.fake.configure(|settings| settings.password_login = true),
        asked: &[Config, Login],
        says: &["does not allow login by email and password", "input.adopt"],
    },
    Row {
        reason: "AdminLocked",
        happens: |world| world.fake.configure(|settings| settings.users_locked = true),
        mended: |world| world.fake.configure(|settings| settings.users_locked = false),
        asked: &[Config, Login],
        says: &["platform@example.org", "locked", "Unlock it"],
    },
    Row {
        reason: "AdminLoginRefused",
        happens: |world| world.fake.change_passwords("marker-changed-by-hand"),
        mended: |world| {
            let admin = world.crossplane.secret("infisical-admin").unwrap();
            world.fake.change_passwords(&admin["password"]);
        },
        asked: &[Config, Login],
        says: &["platform@example.org", "refuses", "the present password"],
    },
    Row {
        reason: "NoInstanceAdmin",
        happens: |world| world.fake.revoke_instance_admin(),
        mended: |world| world.fake.grant_instance_admin(),
        asked: &[Config, Login, Organizations, SelectOrganization, AdminIdentities],
        says: &["instance admin", "Give one the right"],
    },
];

/// A world whose token is gone, so that another has to be had.
pub(crate) async fn in_need(row: &Row) -> World {
    let mut world = World::connected(Settings::default(), Kind::Namespaced).await;
    (row.happens)(&world);
    world.restart();
    world.crossplane.composed.remove("infisical-connection");
    world
}

#[tokio::test]
async fn what_a_human_has_to_mend_is_said_once_and_the_server_is_left_alone() {
    for row in TABLE {
        let mut world = in_need(row).await;
        let (mark, events) = (world.mark(), world.crossplane.events.len());
        world.settle().await;
        assert_eq!(world.conditions()[0], ("False".to_owned(), row.reason.to_owned()));
        assert_eq!(world.conditions()[1], ("False".to_owned(), "NoToken".to_owned()), "{}", row.reason);
        assert!(!world.crossplane.is_ready(), "{}", row.reason);
        assert_eq!(world.asked(mark), row.asked, "{}", row.reason);
        let message = world.message("InfisicalBootstrapped");
        for part in row.says {
            assert!(message.contains(part), "{}: {part:?} in {message}", row.reason);
        }
        assert!(world.crossplane.ttl.is_some_and(|ttl| ttl <= 60), "a remedy in the cluster is noticed soon");

        world.live(6 * HOUR).await;
        let logins = world.asked(mark).iter().filter(|route| **route == Login).count();
        // After 10, 20 and 40 minutes, then hourly.
        assert!((5..=10).contains(&logins), "{}: {logins} logins", row.reason);
        assert_eq!(world.asked(mark).len(), logins * row.asked.len(), "{}", row.reason);
        assert_eq!(world.events(events), [row.reason]);
        assert_eq!(world.fake.count(MintToken), 1, "the one before");

        (row.mended)(&world);
        world.live(80 * MINUTE).await;
        assert!(world.crossplane.is_ready() && world.token_works(), "{} {}", row.reason, world.story());
    }
}

#[tokio::test]
async fn a_token_put_by_hand_helps_at_once_whatever_the_reason() {
    for row in TABLE.iter().take(5) {
        let mut world = World::connected(Settings::default(), Kind::Namespaced).await;
        let secret = world.crossplane.composed["infisical-connection"].clone();
        (row.happens)(&world);
        world.restart();
        world.crossplane.composed.remove("infisical-connection");
        world.settle().await;
        assert_eq!(world.conditions()[0].1, row.reason);
        let logins = world.fake.count(Login);
        world.crossplane.composed.insert("infisical-connection".to_owned(), secret);
        world.settle().await;
        assert!(world.crossplane.is_ready() && world.token_works(), "{} {}", row.reason, world.story());
        assert_eq!(world.fake.count(Login), logins, "{}", row.reason);
    }
}

#[tokio::test]
async fn a_token_that_works_is_kept_whatever_a_human_has_to_mend() {
    for row in TABLE {
        let mut world = World::connected(Settings::default(), Kind::Namespaced).await;
        let before = world.token();
        world.live(30 * MINUTE).await;
        let (mark, events) = (world.mark(), world.crossplane.events.len());
        (row.happens)(&world);
        world.restart();
        world.live(2 * HOUR).await;
        assert_eq!(world.token(), before);
        assert!(world.crossplane.is_ready() && world.token_works(), "{} {}", row.reason, world.story());
        let logins = world.asked(mark).iter().filter(|route| **route == Login).count();
        assert!(logins <= 1, "{}: to look for siblings, and never again once it was refused", row.reason);
        assert_eq!(world.fake.count(MintToken), 1, "{}", row.reason);
        let said: &[&str] = if row.reason == "NoInstanceAdmin" { &["NotInstanceAdmin"] } else { &[] };
        assert_eq!(world.events(events), said, "{}", row.reason);
    }
}

#[tokio::test]
async fn a_token_that_is_no_instance_admins_any_more_is_kept_and_said_to_be_one() {
    let mut world = World::connected(Settings::default(), Kind::Namespaced).await;
    let (before, events) = (world.token(), world.crossplane.events.len());
    world.live(HOUR).await;
    world.fake.revoke_instance_admin();
    let mark = world.mark();
    world.live(2 * HOUR).await;
    assert!(world.crossplane.is_ready() && world.token_works(), "{}", world.story());
    assert_eq!(world.token(), before);
    assert_eq!(world.conditions()[0], ("True".to_owned(), "Bootstrapped".to_owned()));
    assert_eq!(world.conditions()[1], ("True".to_owned(), "NotInstanceAdmin".to_owned()));
    let message = world.message("InfisicalTokenValid");
    assert!(message.contains("Give it the right in the server admin's settings"), "{message}");
    assert_eq!(world.events(events), ["NotInstanceAdmin"]);
    let verified = world.asked(mark).len();
    assert!((24..=30).contains(&verified), "two requests, every ten minutes: {verified}");
    assert!(world.asked(mark).iter().all(|route| VERIFIED.contains(route)), "{:?}", world.asked(mark));

    // A restart tells nothing new.
    world.restart();
    world.settle().await;
    assert_eq!(world.events(events), ["NotInstanceAdmin"]);

    world.fake.grant_instance_admin();
    world.live(20 * MINUTE).await;
    assert_eq!(world.conditions()[1], ("True".to_owned(), "Accepted".to_owned()));
    assert_eq!(world.events(events), ["NotInstanceAdmin"]);
}

#[tokio::test]
async fn replicas_agree_on_whether_a_token_is_an_instance_admins() {
    let mut world = World::connected(Settings::default(), Kind::Namespaced).await;
    world.live(HOUR).await;
    let events = world.crossplane.events.len();
    for (happens, reason, said) in [
        (
            (|world| world.fake.revoke_instance_admin()) as fn(&World),
            "NotInstanceAdmin",
            &["NotInstanceAdmin"][..],
        ),
        (|world| world.fake.grant_instance_admin(), "Accepted", &["NotInstanceAdmin"]),
    ] {
        happens(&world);
        // The other knows what was before until it sees what this one says.
        let other = world.function.clone();
        world.restart();
        world.live(30 * MINUTE).await;
        assert_eq!(world.conditions()[1].1, reason);
        world.function = other;
        world.settle().await;
        assert_eq!(world.conditions()[1].1, reason);
        assert_eq!(world.events(events), said);
    }
}

#[tokio::test]
async fn an_interrupted_bootstrap_has_two_ways_out() {
    another_email_is_a_way_out().await;
    an_empty_database_is_a_way_out().await;
}

async fn another_email_is_a_way_out() {
    let mut world = World::start(Settings::default(), Kind::Namespaced).await;
    world.settle().await;
    let first = world.crossplane.secret("infisical-admin").unwrap();
    assert_eq!(world.crossplane.composed["infisical-admin"]["immutable"], true);
    let crash = Fault::CrashAfter(Transaction::User);
    world.fake.inject(On::Route(Bootstrap), Times::Next(1), crash);
    world.crossplane.make_available("infisical");
    world.until_reason("InfisicalBootstrapped", "PartiallyBootstrapped").await;
    let message = world.message("InfisicalBootstrapped");
    for part in ["platform@example.org", "Write another address into input.admin.email", "empty database"] {
        assert!(message.contains(part), "{part:?} in {message}");
    }
    let warnings =
        |world: &World| world.events(0).iter().filter(|reason| **reason == "PartiallyBootstrapped").count();
    assert_eq!(warnings(&world), 1, "{}", world.story());
    assert!(world.fake.bootstraps().emails.iter().all(|email| email == "platform@example.org"));
    assert!(!world.fake.is_initialized());

    world.crossplane.input["admin"]["email"] = json!("root@example.org");
    // It is asked again, the immutable Secret goes first, and then there is another.
    for _ in 0..20 {
        world.reconcile().await;
        if !world.crossplane.composed.contains_key("infisical-admin") {
            break;
        }
    }
    assert!(!world.crossplane.composed.contains_key("infisical-admin"), "{}", world.story());
    world.reconcile().await;
    let admin = world.crossplane.secret("infisical-admin").unwrap();
    assert_eq!(admin["email"], "root@example.org");
    assert_ne!(admin["password"], first["password"]);
    world.settle().await;
    assert!(world.crossplane.is_ready() && world.token_works(), "{}", world.story());
    assert_eq!(world.fake.bootstraps().successful, 1);
    assert_eq!(world.fake.bootstraps().emails.last().map(String::as_str), Some("root@example.org"));
    assert_eq!(warnings(&world), 1, "{}", world.story());
}

async fn an_empty_database_is_a_way_out() {
    let world = mended(Transaction::Organization).await;
    assert_eq!(world.fake.super_admins(), ["platform@example.org"]);
}

/// An XR whose bootstrap was interrupted after a transaction.
async fn interrupted(after: Transaction) -> World {
    let mut world = World::start(Settings::default(), Kind::Namespaced).await;
    world.settle().await;
    world.fake.inject(On::Route(Bootstrap), Times::Next(1), Fault::CrashAfter(after));
    world.crossplane.make_available("infisical");
    world.until_reason("InfisicalBootstrapped", "PartiallyBootstrapped").await;
    world
}

/// One that was given an empty database then, and connected.
async fn mended(after: Transaction) -> World {
    let mut world = interrupted(after).await;
    world.fake.reset_database();
    world.live(2 * MINUTE).await;
    assert!(world.crossplane.is_ready() && world.token_works(), "{}", world.story());
    world
}

#[tokio::test]
async fn a_bootstrap_that_may_be_under_way_is_asked_for_three_times_within_five_seconds() {
    let world = interrupted(Transaction::User).await;
    let asked = world.asked(0);
    let second = asked.iter().rposition(|route| *route == Bootstrap).unwrap();
    assert_eq!(asked[second + 1..], [Config; 3], "{}", world.story());
    let pauses = [300, 1000, 3000].map(Duration::from_millis);
    assert!(world.clock.slept().ends_with(&pauses), "{:?}", world.clock.slept());
}

#[tokio::test]
async fn a_password_that_logs_in_is_never_dropped_whatever_the_email_becomes() {
    let mut world = mended(Transaction::User).await;
    let admin = world.crossplane.secret("infisical-admin").unwrap();
    for restarts in [false, true] {
        world.crossplane.input["admin"]["email"] = json!("root@example.org");
        if restarts {
            world.restart();
        }
        world.live(30 * MINUTE).await;
        assert_eq!(world.crossplane.secret("infisical-admin").as_ref(), Some(&admin), "{}", world.story());
        assert!(world.crossplane.is_ready() && world.token_works(), "{}", world.story());
    }
}

#[tokio::test]
async fn a_password_that_was_in_use_is_kept_when_a_later_bootstrap_is_interrupted() {
    let mut world = mended(Transaction::User).await;
    let admin = world.crossplane.secret("infisical-admin").unwrap();
    let backup = world.fake.snapshot();
    world.fake.reset_database();
    let crash = Fault::CrashAfter(Transaction::User);
    world.fake.inject(On::Route(Bootstrap), Times::Next(1), crash);
    world.until_reason("InfisicalBootstrapped", "PartiallyBootstrapped").await;
    let message = world.message("InfisicalBootstrapped");
    assert!(message.contains("has been in use") && !message.contains("another address"), "{message}");
    world.crossplane.input["admin"]["email"] = json!("root@example.org");
    world.live(10 * MINUTE).await;
    assert_eq!(world.crossplane.secret("infisical-admin").as_ref(), Some(&admin), "{}", world.story());
    world.fake.restore(&backup);
    world.live(30 * MINUTE).await;
    assert!(world.crossplane.is_ready() && world.token_works(), "{}", world.story());
}

#[tokio::test]
async fn an_instance_at_another_url_is_not_blamed_for_what_the_first_one_said() {
    let mut world = World::start(Settings::default(), Kind::Namespaced).await;
    world.bootstrap_elsewhere("platform@example.org", "marker-theirs");
    world.settle().await;
    world.crossplane.make_available("infisical");
    world.until_reason("InfisicalBootstrapped", "BootstrappedElsewhere").await;
    let other = world.another_instance().await;
    let from = world.mark();
    world.crossplane.input["instance"]["endpoint"] = json!({"url": other.url()});
    world.settle().await;
    let story = world.story();
    assert_eq!(world.conditions()[0], ("True".to_owned(), "Bootstrapped".to_owned()), "{story}");
    assert!(world.crossplane.is_ready() && other.token_works(&world.token()), "{story}");
    assert!(world.message("InfisicalBootstrapped").contains(&other.url()), "{story}");
    assert_eq!(other.count(Login), 1, "its own token was refused, as of any strict server");
    assert!(!world.events(from).contains(&"BootstrappedAgain"), "{story}");
}

#[tokio::test]
async fn a_connected_xr_that_is_pointed_at_an_empty_instance_is_not_said_to_have_lost_its_database() {
    let mut world = World::connected(Settings::default(), Kind::Namespaced).await;
    let other = world.another_instance().await;
    for restarts in [false, true] {
        let from = world.mark();
        world.crossplane.input["instance"]["endpoint"] = json!({"url": other.url()});
        if restarts {
            world.restart();
        }
        world.settle().await;
        assert!(world.crossplane.is_ready() && other.token_works(&world.token()), "{}", world.story());
        assert!(!world.events(from).contains(&"BootstrappedAgain"), "{}", world.story());
        other.reset_database();
        world.crossplane.input["instance"]["endpoint"] = json!({"url": world.fake.url()});
        world.settle().await;
        assert!(world.crossplane.is_ready() && world.token_works(), "{}", world.story());
    }
}
