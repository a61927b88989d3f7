//! What was lost is had again: each test starts from a state of the cluster and
//! of the server, and ends with the Secret, the conditions and what the server
//! was asked.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use fake_infisical::{
    FakeInfisical, Options,
    Route::{
        self, AdminIdentities, Bootstrap, Config, IdentityDetails, Login, MintToken, Organizations,
        SelectOrganization,
    },
    Settings, Variant,
};
use serde_json::{Value, json};

use crate::world::{FOUND, KINDS, Kind, VERIFIED, World, variant};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// A login, a token, and the look at whether it works.
const MINTED: [Route; 7] =
    [Config, Login, Organizations, SelectOrganization, AdminIdentities, MintToken, IdentityDetails];

/// The same after the observed token was refused.
pub(crate) const REPLACED: [Route; 8] = [
    IdentityDetails,
    Config,
    Login,
    Organizations,
    SelectOrganization,
    AdminIdentities,
    MintToken,
    IdentityDetails,
];

/// What the process knows of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Process {
    /// It handed the token out a moment ago.
    Remembers,
    /// It did so an hour ago, and has only a fingerprint of it.
    Recognises,
    /// It has just started.
    IsNew,
}

async fn connected(process: Process) -> World {
    let mut world = World::connected(Settings::default(), Kind::Namespaced).await;
    match process {
        Process::Remembers => {}
        Process::Recognises => world.live(HOUR).await,
        Process::IsNew => world.restart(),
    }
    world
}

fn assert_all_is_well(world: &World, what: &str) {
    assert!(world.crossplane.is_ready() && world.token_works(), "{what} {}", world.story());
    let [bootstrapped, token_valid] = world.conditions();
    assert_eq!(bootstrapped, ("True".to_owned(), "Bootstrapped".to_owned()), "{what}");
    assert_eq!(token_valid, ("True".to_owned(), "Accepted".to_owned()), "{what}");
    let data = world.crossplane.secret("infisical-connection").unwrap();
    assert_eq!(data["credentials"], format!(r#"{{"auth":{{"token":"{}"}}}}"#, world.token()), "{what}");
    assert_eq!(data["host"], world.crossplane.input["instance"]["endpoint"]["url"], "{what}");
}

/// What happens to the connection Secret.
type Damage = fn(&mut World);

const DAMAGES: [(&str, Damage); 3] = [
    ("deleted", |world| {
        world.crossplane.composed.remove("infisical-connection");
    }),
    ("emptied", |world| {
        world.crossplane.composed.get_mut("infisical-connection").unwrap()["data"] = json!({});
    }),
    ("filled with what is no base64", |world| {
        world.crossplane.composed.get_mut("infisical-connection").unwrap()["data"] =
            json!({"token": "%%%", "host": 7});
    }),
];

#[tokio::test]
async fn a_connection_secret_that_has_lost_its_token_is_written_again() {
    let table: [(Process, &[Route]); 3] =
        [(Process::Remembers, &[]), (Process::Recognises, &MINTED), (Process::IsNew, &MINTED)];
    for (process, expected) in table {
        for (damage, happens) in DAMAGES {
            let what = format!("{damage}, {process:?}");
            let mut world = connected(process).await;
            let (mark, events, before) = (world.mark(), world.crossplane.events.len(), world.token());
            happens(&mut world);
            world.settle().await;
            assert_all_is_well(&world, &what);
            assert_eq!(world.asked(mark), expected, "{what}");
            assert_eq!(world.token() == before, expected.is_empty(), "{what}");
            assert_eq!(world.events(events), [""; 0], "{what}");
        }
    }
}

#[tokio::test]
async fn a_token_that_was_lost_with_its_secret_is_revoked_after_ten_minutes() {
    let mut world = connected(Process::Recognises).await;
    world.crossplane.composed.remove("infisical-connection");
    world.settle().await;
    let names = |world: &World| {
        let alive = world.fake.tokens_alive(world.fake.now());
        alive.iter().filter(|token| token.name.starts_with("function-infisical/")).count()
    };
    assert_eq!(names(&world), 2);
    world.live(HOUR).await;
    assert_eq!(names(&world), 1);
    assert!(world.token_works());
}

#[tokio::test]
async fn rubbish_in_place_of_the_token_is_asked_about_once_and_replaced() {
    let remembered = [IdentityDetails, IdentityDetails, AdminIdentities];
    let table: [(Process, &[Route]); 3] =
        [(Process::Remembers, &remembered), (Process::Recognises, &REPLACED), (Process::IsNew, &REPLACED)];
    for (process, expected) in table {
        let mut world = connected(process).await;
        let mark = world.mark();
        world.put("token", "rubbish");
        world.put("host", "rubbish");
        world.settle().await;
        assert_all_is_well(&world, &format!("{process:?}"));
        assert_eq!(world.asked(mark), expected, "{process:?}");
    }
}

#[tokio::test]
async fn what_no_header_can_carry_is_not_sent() {
    let mut world = connected(Process::IsNew).await;
    let mark = world.mark();
    world.put("token", "rub\nbish");
    world.settle().await;
    assert_all_is_well(&world, "a line break");
    assert_eq!(world.asked(mark), MINTED);
}

#[tokio::test]
async fn a_token_revoked_in_the_web_interface_is_replaced_at_the_next_verification() {
    for process in [Process::Remembers, Process::Recognises] {
        let mut world = connected(process).await;
        let (mark, before) = (world.mark(), world.token());
        world.fake.revoke_all_tokens();
        world.live(10 * MINUTE).await;
        assert_all_is_well(&world, &format!("{process:?}"));
        assert_ne!(world.token(), before);
        assert_eq!(world.asked(mark)[..8], REPLACED, "{process:?}");
    }
}

#[tokio::test]
async fn a_shorter_verify_interval_finds_a_revoked_token_sooner() {
    let mut world = World::start(Settings::default(), Kind::Namespaced).await;
    world.crossplane.input["token"] = json!({"verifyInterval": "1m"});
    world.connect().await;
    world.fake.revoke_all_tokens();
    world.live(MINUTE).await;
    assert_all_is_well(&world, "after a minute");
}

#[tokio::test]
async fn an_admin_secret_that_is_deleted_while_the_process_lives_is_written_again() {
    for process in [Process::Remembers, Process::Recognises] {
        let mut world = connected(process).await;
        let mark = world.mark();
        let before = world.crossplane.secret("infisical-admin").unwrap();
        world.crossplane.composed.remove("infisical-admin");
        world.settle().await;
        assert_eq!(world.crossplane.secret("infisical-admin").unwrap(), before);
        assert_all_is_well(&world, &format!("{process:?}"));
        assert_eq!(world.asked(mark), []);
    }
}

#[tokio::test]
async fn without_the_admin_secret_a_token_that_works_is_kept_and_the_loss_is_said_once() {
    let mut world = connected(Process::IsNew).await;
    let (mark, events, before) = (world.mark(), world.crossplane.events.len(), world.token());
    world.crossplane.composed.remove("infisical-admin");
    world.settle().await;
    world.live(HOUR).await;
    assert!(world.crossplane.is_ready() && world.token_works());
    assert_eq!(world.token(), before);
    let [bootstrapped, token_valid] = world.conditions();
    assert_eq!(bootstrapped, ("True".to_owned(), "AdminSecretMissing".to_owned()));
    assert_eq!(token_valid, ("True".to_owned(), "Accepted".to_owned()));
    let message = world.message("InfisicalBootstrapped");
    assert!(message.contains("there is no admin Secret vault-admin"), "{message}");
    assert!(message.contains("input.admin.credentials"), "{message}");
    assert_eq!(world.events(events), ["AdminSecretMissing"]);
    assert!(!world.crossplane.composed.contains_key("infisical-admin"), "a new password is of no use");
    assert!(world.asked(mark).iter().all(|route| FOUND.contains(route)), "{:?}", world.asked(mark));

    // A life of the token later it is still renewed.
    world.crossplane.input["token"] = json!({"verifyInterval": "24h"});
    world.live(100 * DAY).await;
    assert!(world.token_works());

    // And when it dies, it is said what is needed, which then helps at once.
    world.fake.revoke_all_tokens();
    world.live(DAY).await;
    assert_eq!(world.conditions()[0], ("False".to_owned(), "AdminSecretMissing".to_owned()));
    assert!(!world.crossplane.is_ready());
    let mark = world.mark();
    world.live(DAY).await;
    assert!(world.asked(mark).len() <= 2 * 36, "{}", world.asked(mark).len());
    world.fake.change_passwords("marker-supplied");
    world.crossplane.input["admin"] = json!({"credentials": "admin"});
    let data = [("email", "platform@example.org"), ("password", "marker-supplied")];
    let data = data.map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec()));
    world.crossplane.credentials.insert("admin".to_owned(), data.into_iter().collect());
    world.settle().await;
    assert_all_is_well(&world, "supplied");
}

#[tokio::test]
async fn a_database_restored_from_a_backup_that_does_not_know_the_token_gets_another() {
    for process in [Process::Remembers, Process::IsNew] {
        let mut world = connected(Process::Recognises).await;
        let backup = world.fake.snapshot();
        // A token that is not in the backup.
        world.crossplane.composed.remove("infisical-connection");
        world.settle().await;
        world.fake.restore(&backup);
        assert!(!world.token_works());
        let (mark, events) = (world.mark(), world.crossplane.events.len());
        if process == Process::IsNew {
            world.restart();
            world.settle().await;
        }
        world.live(10 * MINUTE).await;
        assert_all_is_well(&world, &format!("{process:?}"));
        assert_eq!(world.asked(mark)[..8], REPLACED, "{process:?}");
        assert_eq!(world.events(events), [""; 0]);
        assert_eq!(world.fake.bootstraps().asked, 1);
    }
}

#[tokio::test]
async fn a_database_restored_from_a_backup_that_knows_the_token_changes_nothing() {
    let mut world = connected(Process::Recognises).await;
    let backup = world.fake.snapshot();
    world.live(HOUR).await;
    let before = world.crossplane.composed.clone();
    world.fake.restore(&backup);
    world.live(HOUR).await;
    assert_all_is_well(&world, "restored");
    assert!(world.crossplane.composed == before);
}

#[tokio::test]
async fn an_emptied_database_is_bootstrapped_again_with_the_persisted_password() {
    for settings in [Variant::Strict, Variant::Lenient, Variant::Fixed].map(variant) {
        for process in [Process::Remembers, Process::Recognises, Process::IsNew] {
            let what = format!("{settings:?} {process:?}");
            let mut world = World::connected(settings, Kind::Namespaced).await;
            if process == Process::Recognises {
                world.live(HOUR).await;
            }
            let admin = world.crossplane.secret("infisical-admin").unwrap();
            let (mark, events) = (world.mark(), world.crossplane.events.len());
            world.fake.reset_database();
            if process == Process::IsNew {
                world.restart();
            }
            world.live(10 * MINUTE).await;
            assert_all_is_well(&world, &what);
            assert_eq!(world.crossplane.secret("infisical-admin").unwrap(), admin, "{what}");
            assert_eq!(world.fake.bootstraps().emails, ["platform@example.org"; 2], "{what}");
            assert_eq!(
                world.asked(mark)[..4],
                [IdentityDetails, Config, Bootstrap, IdentityDetails],
                "{what}"
            );
            assert_eq!(world.events(events), ["BootstrappedAgain"], "{what}");
            world.live(HOUR).await;
            assert_eq!(world.events(events).len(), 1, "{what}");
        }
    }
}

#[tokio::test]
async fn an_emptied_database_whose_password_is_gone_gets_a_new_one() {
    let mut world = connected(Process::IsNew).await;
    world.crossplane.composed.remove("infisical-admin");
    world.fake.reset_database();
    world.settle().await;
    world.live(MINUTE).await;
    assert_all_is_well(&world, "a new password");
    assert_eq!(world.fake.bootstraps().successful, 2);
    assert!(world.crossplane.composed.contains_key("infisical-admin"));
}

#[tokio::test]
async fn an_instance_that_moved_keeps_its_token_and_gets_a_new_host() {
    for process in [Process::Remembers, Process::Recognises, Process::IsNew] {
        let mut world = connected(process).await;
        let before = world.token();
        let there = moved(&world).await;
        there.restore(&world.fake.snapshot());
        world.crossplane.input["instance"]["endpoint"]["url"] = json!(there.url());
        let mark = world.mark();
        world.settle().await;
        assert_eq!(world.asked(mark), [], "nothing is asked of the old place");
        world.fake = there;
        assert_all_is_well(&world, &format!("{process:?}"));
        assert_eq!(world.token(), before);
        assert_eq!(world.asked(0), FOUND, "{process:?}: what one server said is no other's");
    }
}

#[tokio::test]
async fn an_instance_that_moved_and_left_its_database_behind_is_bootstrapped() {
    let mut world = connected(Process::Recognises).await;
    let before = world.token();
    let there = moved(&world).await;
    world.crossplane.input["instance"]["endpoint"]["url"] = json!(there.url());
    world.fake = there;
    world.settle().await;
    assert_all_is_well(&world, "an empty place");
    assert_ne!(world.token(), before);
    assert_eq!(world.fake.bootstraps().successful, 1);
}

/// The same server at another place, empty.
async fn moved(world: &World) -> FakeInfisical {
    let time = std::sync::Arc::clone(&world.clock);
    let now = move || daemon::clock::Clock::now(&*time);
    FakeInfisical::start(Options { time: std::sync::Arc::new(now), ..Options::default() }).await.unwrap()
}

#[tokio::test]
async fn an_instance_that_moved_to_a_place_where_nobody_is_keeps_its_secret() {
    let mut world = connected(Process::Recognises).await;
    let before = world.crossplane.composed["infisical-connection"].clone();
    let there = moved(&world).await;
    world.crossplane.input["instance"]["endpoint"]["url"] = json!(there.url());
    drop(there);
    world.settle().await;
    world.live(HOUR).await;
    assert!(world.crossplane.composed["infisical-connection"] == before);
    assert_eq!(world.conditions()[1], ("Unknown".to_owned(), "Unreachable".to_owned()));
    assert!(world.crossplane.is_ready(), "the token was accepted, and nobody has said otherwise");
}

/// Somebody else sets the instance up before the function comes to it.
async fn elsewhere() -> World {
    let mut world = World::start(Settings::default(), Kind::Namespaced).await;
    world.bootstrap_elsewhere("platform@example.org", "marker-theirs");
    world.settle().await;
    world.crossplane.make_available("infisical");
    world.settle().await;
    world
}

#[tokio::test]
async fn an_instance_that_somebody_else_bootstrapped_is_logged_in_to_once_and_then_rarely() {
    let mut world = elsewhere().await;
    assert_eq!(world.conditions()[0], ("False".to_owned(), "BootstrappedElsewhere".to_owned()));
    assert_eq!(world.conditions()[1], ("False".to_owned(), "NoToken".to_owned()));
    assert_eq!(world.asked(0), [Config, Login]);
    let message = world.message("InfisicalBootstrapped");
    for part in ["platform@example.org", "input.admin.credentials", "input.admin.secretRef", "input.adopt"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    world.live(DAY).await;
    // After 10, 20 and 40 minutes, then hourly, all of it up to a fifth earlier.
    let logins = world.fake.count(Login);
    assert!((20..=33).contains(&logins), "{logins}");
    assert_eq!(world.fake.count(Bootstrap), 0);
    assert_eq!(world.asked(0).len(), 2 * logins, "nothing but the look before each login");
    assert_eq!(world.events(0), ["BootstrappedElsewhere"], "{}", world.story());
    assert!(!world.crossplane.is_ready());
}

#[tokio::test]
async fn a_change_of_credentials_is_tried_at_once_and_a_wrong_one_only_once() {
    let mut world = elsewhere().await;
    world.crossplane.input["admin"] = json!({"credentials": "admin"});
    let supply = |world: &mut World, password: &str| {
        let data = [("email", "platform@example.org"), ("password", password)];
        let data = data.map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec()));
        world.crossplane.credentials.insert("admin".to_owned(), data.into_iter().collect());
    };
    supply(&mut world, "marker-wrong");
    for _ in 0..20 {
        world.settle().await;
    }
    assert_eq!(world.conditions()[0].1, "AdminLoginRefused");
    assert_eq!(world.fake.count(Login), 2);
    supply(&mut world, "marker-theirs");
    world.settle().await;
    assert_all_is_well(&world, "the right password");
    assert_eq!(world.fake.count(Login), 3);
    assert!(world.crossplane.composed.contains_key("infisical-admin"), "what was composed stays");
}

#[tokio::test]
async fn an_instance_that_somebody_else_bootstrapped_is_used_when_their_password_is_put_right() {
    let mut world = elsewhere().await;
    let password = world.crossplane.secret("infisical-admin").unwrap()["password"].clone();
    world.fake.change_passwords(&password);
    world.live(HOUR).await;
    assert_all_is_well(&world, "after at most an hour");
}

#[tokio::test]
async fn keys_that_are_renamed_in_the_input_get_the_same_token() {
    let table: [(Process, &[Route]); 3] =
        [(Process::Remembers, &[]), (Process::Recognises, &VERIFIED), (Process::IsNew, &FOUND)];
    for (process, expected) in table {
        let mut world = connected(process).await;
        let (mark, before) = (world.mark(), world.token());
        world.crossplane.input["connectionDetails"] = json!([
            {"name": "INFISICAL_TOKEN", "value": "Token"},
            {"name": "INFISICAL_HOST", "value": "Host"},
        ]);
        world.settle().await;
        let data = world.crossplane.secret("infisical-connection").unwrap();
        assert_eq!(data["INFISICAL_TOKEN"], before, "{process:?}");
        assert_eq!(data["INFISICAL_HOST"], world.fake.url(), "{process:?}");
        assert!(world.crossplane.is_ready(), "{process:?} {}", world.story());
        assert_eq!(world.asked(mark), expected, "{process:?}");
    }
}

#[tokio::test]
async fn a_key_that_is_added_in_the_input_is_filled() {
    let mut world = World::start(Settings::default(), Kind::Namespaced).await;
    world.crossplane.input["connectionDetails"] = json!([{"name": "t", "value": "Token"}]);
    world.connect().await;
    world.live(HOUR).await;
    let before = world.crossplane.secret("infisical-connection").unwrap()["t"].clone();
    let mark = world.mark();
    world.crossplane.input["connectionDetails"] =
        json!([{"name": "t", "value": "Token"}, {"name": "id", "value": "IdentityId"}]);
    world.settle().await;
    let data = world.crossplane.secret("infisical-connection").unwrap();
    assert_eq!(data["t"], before);
    assert!(!data["id"].is_empty());
    assert_eq!(world.asked(mark), VERIFIED);
}

#[tokio::test]
async fn an_xr_that_is_made_again_under_its_name_is_another_one() {
    // With the XR went its composed resources, and with them the password.
    for database_is_gone in [true, false] {
        let mut world = connected(Process::Recognises).await;
        let admin = world.crossplane.secret("infisical-admin").unwrap();
        let mut xr = world.crossplane.xr.clone();
        xr["metadata"]["uid"] = json!("6d2f6c5e-0000-4000-8000-000000000002");
        xr.as_object_mut().unwrap().remove("status");
        world.crossplane.xr = xr;
        world.crossplane.composed.clear();
        if database_is_gone {
            world.fake.reset_database();
        }
        world.settle().await;
        world.crossplane.make_available("infisical");
        world.settle().await;
        assert_ne!(world.crossplane.secret("infisical-admin").unwrap(), admin, "the password is a new one");
        if database_is_gone {
            assert_all_is_well(&world, "all of it is new");
        } else {
            assert_eq!(world.conditions()[0].1, "BootstrappedElsewhere", "the database outlived the XR");
        }
    }
}

#[tokio::test]
async fn a_legacy_xr_whose_secret_is_deleted_gets_another_token_by_logging_in() {
    let mut world = World::connected(Settings::default(), Kind::Legacy).await;
    let before = world.token();
    world.restart();
    world.crossplane.composed.remove("infisical-connection");
    world.settle().await;
    assert_all_is_well(&world, "by the password that is persisted");
    assert_ne!(world.token(), before);
    assert_eq!(world.crossplane.connection_details["token"], world.token().as_bytes());
}

/// What is under keys of the connection Secret, as who may write there has edited it.
fn edit(world: &mut World, edits: &[(&str, &str)]) {
    for (key, value) in edits {
        let value: Value = STANDARD.encode(value).into();
        world.crossplane.composed.get_mut("infisical-connection").unwrap()["data"][key] = value;
    }
}

const EDITS: [(&str, &str); 6] = [
    ("host", "https://elsewhere.example.org"),
    ("credentials", r#"{"auth":{"token":"of-somebody"}}"#),
    ("organizationId", "another"),
    ("identityId", "another"),
    ("expiresAt", "2199-01-01T00:00:00Z"),
    ("organizationSlug", "another"),
];

#[tokio::test]
async fn what_is_edited_beside_a_token_that_was_accepted_is_undone_and_never_handed_on() {
    for kind in KINDS {
        for minutes in [1, 12] {
            let mut world = World::connected(variant(Variant::Strict), kind).await;
            world.crossplane.input["token"] = json!({"verifyInterval": "24h"});
            world.live(MINUTE * minutes).await;
            let before = world.crossplane.secret("infisical-connection").unwrap();
            let details = world.crossplane.connection_details.clone();
            let (mark, events) = (world.mark(), world.crossplane.events.len());
            edit(&mut world, &EDITS);
            world.reconcile().await;
            let after = world.crossplane.secret("infisical-connection").unwrap();
            assert_eq!(after, before, "{kind:?} after {minutes} minutes");
            assert!(world.crossplane.connection_details == details, "{kind:?}: the XR's own");
            world.settle().await;
            assert!(world.crossplane.is_ready() && world.token_works(), "{}", world.story());
            let asked = world.asked(mark);
            assert!(minutes == 1 || asked.is_empty(), "the server has nothing to do with it: {asked:?}");
            assert_eq!(world.crossplane.events.len(), events, "{}", world.story());
        }
    }
}

#[tokio::test]
async fn what_was_edited_before_a_restart_is_undone_by_the_first_verification() {
    for kind in KINDS {
        let mut world = World::connected(variant(Variant::Strict), kind).await;
        let before = world.crossplane.secret("infisical-connection").unwrap();
        let details = world.crossplane.connection_details.clone();
        edit(&mut world, &EDITS);
        world.restart();
        world.settle().await;
        assert_eq!(world.crossplane.secret("infisical-connection").unwrap(), before, "{kind:?}");
        assert!(world.crossplane.connection_details == details, "{kind:?}: the XR's own");
        assert!(world.crossplane.is_ready() && world.token_works(), "{}", world.story());
    }
}

#[tokio::test]
async fn the_status_of_the_xr_does_not_repeat_what_was_edited() {
    let mut world = World::start(variant(Variant::Strict), Kind::Namespaced).await;
    world.crossplane.input["status"] = json!("status.infisical");
    world.connect().await;
    world.crossplane.input["token"] = json!({"verifyInterval": "24h"});
    world.live(12 * MINUTE).await;
    let before = world.crossplane.xr["status"]["infisical"].clone();
    assert_eq!(before["host"], world.fake.url());
    edit(&mut world, &EDITS);
    world.reconcile().await;
    assert_eq!(world.crossplane.xr["status"]["infisical"], before);
}
