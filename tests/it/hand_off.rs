//! Handing off: an identity with fewer rights in a Secret of its own, made anew
//! where it is lost, and the instance admin right given up last.

use std::time::Duration;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use daemon::clock::Clock as _;
use fake_crossplane::Reconciled;
use fake_infisical::{
    Fault, On, Request,
    Route::{
        self, AttachUniversalAuth, CreateClientSecret, CreateIdentity, IdentityDetails, ListIdentities,
        RevokeOwnToken,
    },
    Settings, Times,
};
use serde_json::{Value, json};

use crate::world::{Kind, VARIANTS, World, variant};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// How a client secret is made, from the token on.
const MADE: [Route; 10] = [
    IdentityDetails,
    ListIdentities,
    CreateIdentity,
    ListIdentities,
    Route::UniversalAuth,
    AttachUniversalAuth,
    CreateClientSecret,
    Route::UniversalAuthLogin,
    IdentityDetails,
    RevokeOwnToken,
];

async fn asking(hand_off: Value, settings: Settings, kind: Kind) -> World {
    let mut world = World::start(settings, kind).await;
    world.crossplane.input["handOff"] = hand_off;
    world
}

/// A world in which all is handed off.
pub(crate) async fn handed_off(hand_off: Value) -> World {
    let mut world = asking(hand_off, Settings::default(), Kind::Namespaced).await;
    world.connect().await;
    world
}

fn said(world: &World) -> (String, String) {
    let (status, reason, _) = world.crossplane.condition("InfisicalHandedOff").unwrap();
    (status.to_owned(), reason.to_owned())
}

/// What the Secret has to log in with.
fn login(world: &World) -> (String, String) {
    let secret = world.crossplane.secret("infisical-identity").unwrap_or_default();
    let of = |key: &str| secret.get(key).cloned().unwrap_or_default();
    (of("clientId"), of("clientSecret"))
}

fn works(world: &World) -> bool {
    let (client_id, client_secret) = login(world);
    world.fake.client_secret_works(&client_id, &client_secret)
}

fn assert_all_is_well(world: &World, what: &str) {
    let story = world.story();
    assert!(world.crossplane.is_ready() && world.token_works() && works(world), "{what} {story}");
    assert_eq!(said(world), ("True".to_owned(), "HandedOff".to_owned()), "{what} {story}");
    assert_eq!(world.fake.identities_named(&name(world)).len(), 1, "{what} {story}");
}

fn name(world: &World) -> String {
    format!("function-infisical/{}", world.crossplane.xr["metadata"]["uid"].as_str().unwrap())
}

#[tokio::test]
async fn every_variant_and_kind_of_xr_hands_off() {
    let table = [
        (Kind::Namespaced, "vault-identity", "team-a"),
        (Kind::Cluster, "vault-identity", "team-b"),
        (Kind::Legacy, "vault-x7k2p-identity", "team-c"),
    ];
    for settings in VARIANTS.map(variant) {
        for (kind, name, namespace) in table {
            for instance_admin in ["Keep", "Revoke"] {
                let what = format!("{settings:?} {kind:?} {instance_admin}");
                let mut world = asking(json!({"instanceAdmin": instance_admin}), settings, kind).await;
                world.connect().await;
                assert_all_is_well(&world, &what);
                let keeps = world.fake.bootstrap_identity_is_instance_admin();
                assert_eq!(keeps, instance_admin == "Keep", "{what}");
                assert_eq!(world.conditions()[1].1, "Accepted", "{what}: what was asked for is no complaint");
                let secret = &world.crossplane.composed["infisical-identity"];
                assert_eq!(secret["metadata"]["name"], name, "{what}");
                assert_eq!(secret["metadata"]["namespace"], namespace, "{what}");
                assert_eq!(secret["type"], "connection.crossplane.io/v1alpha1", "{what}");
            }
        }
    }
}

#[tokio::test]
async fn the_secret_has_what_provider_infisical_reads() {
    let world = handed_off(json!({})).await;
    let (client_id, client_secret) = login(&world);
    let data = world.crossplane.secret("infisical-identity").unwrap();
    let json: Value = serde_json::from_str(&data["credentials"]).unwrap();
    let expected = json!({"universal": {"client_id": client_id, "client_secret": client_secret}});
    assert_eq!(json["auth"], expected);
    assert_eq!(data["host"], world.fake.url());
    let connection = world.crossplane.secret("infisical-connection").unwrap();
    for same in ["organizationId", "organizationSlug"] {
        assert_eq!(data[same], connection[same]);
    }
    assert_eq!([data["identityId"].clone()], *world.fake.identities_named(&name(&world)));
    assert_ne!(data["identityId"], connection["identityId"]);
    assert_eq!(data.len(), 7);
}

#[tokio::test]
async fn of_a_legacy_xr_the_connection_details_stay_those_of_the_connection() {
    let mut world = asking(json!({}), Settings::default(), Kind::Legacy).await;
    world.connect().await;
    assert!(!world.crossplane.connection_details.contains_key("clientSecret"));
}

#[tokio::test]
async fn without_being_asked_for_nothing_is_handed_off() {
    let world = World::connected(Settings::default(), Kind::Namespaced).await;
    assert!(world.crossplane.condition("InfisicalHandedOff").is_none());
    assert!(!world.crossplane.composed.contains_key("infisical-identity"));
    assert!(world.asked(0).iter().all(|route| !MADE[1..8].contains(route)));
}

#[tokio::test]
async fn the_right_is_given_up_last() {
    let world = handed_off(json!({"instanceAdmin": "Revoke"})).await;
    let asked = world.asked(0);
    let first = |route| asked.iter().position(|asked| *asked == route).unwrap();
    let made = first(ListIdentities) - 1;
    assert_eq!(asked[made..made + MADE.len()], MADE);
    let revoked = first(Route::RevokeInstanceAdmin);
    // It is let in again in the run in which the right is given up.
    let let_in = [Route::UniversalAuthLogin, IdentityDetails, RevokeOwnToken];
    assert!(revoked >= made + MADE.len() + let_in.len(), "{asked:?}");
    assert_eq!(asked[revoked - let_in.len()..revoked], let_in, "{asked:?}");
    assert_eq!(world.events(0), ["Bootstrapped", "HandedOff"]);
}

#[tokio::test]
async fn what_stands_is_tried_with_one_login_at_each_verification() {
    let mut world = handed_off(json!({"instanceAdmin": "Revoke"})).await;
    world.live(HOUR).await;
    let (mark, events, before) =
        (world.mark(), world.crossplane.events.len(), world.crossplane.composed.clone());
    world.live(HOUR).await;
    assert_all_is_well(&world, "an hour later");
    assert!(world.crossplane.composed == before);
    let asked = world.asked(mark);
    let logins = asked.iter().filter(|route| **route == Route::UniversalAuthLogin).count();
    assert!((6..=8).contains(&logins), "{asked:?}");
    let others = [Route::UniversalAuthLogin, IdentityDetails, RevokeOwnToken, Route::AdminIdentities];
    assert!(asked.iter().all(|route| others.contains(route)), "{asked:?}");
    let identity = &world.crossplane.secret("infisical-identity").unwrap()["identityId"];
    let left = world.fake.tokens_alive(world.clock.now());
    assert!(left.iter().all(|token| token.identity_id != *identity), "a login leaves nothing behind");
    assert_eq!(world.events(events), [""; 0]);
}

#[tokio::test]
async fn the_xr_is_not_ready_before_all_is_handed_off_and_the_connection_is_there() {
    for route in [CreateIdentity, AttachUniversalAuth, CreateClientSecret, Route::RevokeInstanceAdmin] {
        let mut world =
            asking(json!({"instanceAdmin": "Revoke"}), Settings::default(), Kind::Namespaced).await;
        world.fake.inject(On::Route(route), Times::Always, Fault::FailBefore(500));
        world.settle().await;
        world.crossplane.make_available("infisical");
        world.live(MINUTE).await;
        assert!(!world.crossplane.is_ready() && world.token_works(), "{route:?} {}", world.story());
        assert_eq!(said(&world), ("False".to_owned(), "ServerError".to_owned()), "{route:?}");
        assert_eq!(world.conditions()[0].1, "Bootstrapped", "{route:?}");
        world.fake.clear_faults();
        world.live(MINUTE).await;
        assert_all_is_well(&world, &format!("{route:?}"));
    }
}

#[tokio::test]
async fn whatever_goes_wrong_with_a_request_all_is_handed_off_once() {
    let routes = [
        ListIdentities,
        CreateIdentity,
        Route::UniversalAuth,
        AttachUniversalAuth,
        CreateClientSecret,
        Route::UniversalAuthLogin,
        RevokeOwnToken,
        Route::RevokeInstanceAdmin,
    ];
    let faults = [
        Fault::FailBefore(503),
        Fault::FailAfter(500),
        Fault::CloseAfter,
        Fault::Page(200),
        Fault::RateLimit(Some(1)),
    ];
    for route in routes {
        for fault in &faults {
            let mut world =
                asking(json!({"instanceAdmin": "Revoke"}), Settings::default(), Kind::Namespaced).await;
            world.fake.inject(On::Route(route), Times::Next(1), fault.clone());
            world.settle().await;
            world.crossplane.make_available("infisical");
            world.settle().await;
            world.live(MINUTE).await;
            assert_all_is_well(&world, &format!("{route:?} {fault:?}"));
            assert!(!world.fake.bootstrap_identity_is_instance_admin(), "{route:?} {fault:?}");
            world.live(HOUR).await;
            assert_eq!(world.fake.client_secrets_alive(&name(&world)), 1, "{route:?} {fault:?}");
        }
    }
}

/// What happens to the client secret.
type Damage = fn(&mut World);

const DAMAGES: [(&str, Damage); 4] = [
    ("deleted", |world| {
        world.crossplane.composed.remove("infisical-identity");
    }),
    ("emptied", |world| {
        world.crossplane.composed.get_mut("infisical-identity").unwrap()["data"] = json!({});
    }),
    ("edited", |world| {
        let rubbish = json!({"data": {"clientSecret": "cnViYmlzaA=="}});
        world.crossplane.update("infisical-identity", &rubbish);
    }),
    ("revoked", |world| world.fake.revoke_all_client_secrets()),
];

#[tokio::test]
async fn a_client_secret_that_is_lost_is_made_anew_and_what_was_left_is_revoked() {
    for (damage, happens) in DAMAGES {
        for is_new in [false, true] {
            let what = format!("{damage}, {}", if is_new { "a new process" } else { "the same process" });
            let mut world = handed_off(json!({"instanceAdmin": "Revoke"})).await;
            world.live(HOUR).await;
            let before = login(&world);
            if is_new {
                world.restart();
            }
            happens(&mut world);
            world.settle().await;
            world.live(11 * MINUTE).await;
            assert_all_is_well(&world, &what);
            assert_ne!(login(&world).1, before.1, "{what}");
            assert_eq!(login(&world).0, before.0, "{what}: it is the same identity");
            world.live(HOUR).await;
            assert_all_is_well(&world, &what);
            assert_eq!(world.fake.client_secrets_alive(&name(&world)), 1, "{what}");
        }
    }
}

#[tokio::test]
async fn whoever_writes_the_secret_does_not_choose_whose_client_secret_is_made() {
    for is_new in [false, true] {
        let mut world = handed_off(json!({"role": "no-access"})).await;
        world.live(HOUR).await;
        let (before, own) = (login(&world), world.crossplane.secret("infisical-identity").unwrap());
        let admin = world.crossplane.secret("infisical-connection").unwrap()["identityId"].clone();
        if is_new {
            world.restart();
        }
        let rubbish = json!({"data": {
            "clientSecret": STANDARD.encode("rubbish"), "identityId": STANDARD.encode(admin),
        }});
        world.crossplane.update("infisical-identity", &rubbish);
        world.settle().await;
        world.live(11 * MINUTE).await;
        assert_all_is_well(&world, "written by somebody");
        let now = world.crossplane.secret("infisical-identity").unwrap();
        assert_eq!((&login(&world).0, &now["identityId"]), (&before.0, &own["identityId"]));
        assert_eq!((world.fake.count(AttachUniversalAuth), world.fake.count(CreateIdentity)), (1, 1));
    }
}

#[tokio::test]
async fn what_is_edited_beside_an_accepted_client_secret_is_undone() {
    for minutes in [1, 12] {
        let mut world = handed_off(json!({"role": "no-access"})).await;
        world.crossplane.input["token"] = json!({"verifyInterval": "24h"});
        world.live(MINUTE * minutes).await;
        let before = world.crossplane.secret("infisical-identity").unwrap();
        let (mark, events) = (world.mark(), world.crossplane.events.len());
        for key in ["host", "credentials", "identityId", "organizationId", "organizationSlug"] {
            assert!(before.contains_key(key), "{key}");
            let edit = json!({"data": {key: STANDARD.encode("https://elsewhere.example.org")}});
            world.crossplane.update("infisical-identity", &edit);
        }
        world.reconcile().await;
        assert_eq!(world.crossplane.secret("infisical-identity").unwrap(), before, "after {minutes} minutes");
        world.settle().await;
        assert_all_is_well(&world, "edited");
        let asked = world.asked(mark);
        assert!(minutes == 1 || asked.is_empty(), "the server has nothing to do with it: {asked:?}");
        assert_eq!(world.crossplane.events.len(), events, "{}", world.story());
    }
}

#[tokio::test]
async fn whoever_writes_the_connection_does_not_choose_whose_token_is_minted() {
    let mut world = handed_off(json!({"instanceAdmin": "Revoke"})).await;
    let own = world.crossplane.secret("infisical-connection").unwrap()["identityId"].clone();
    world.fake.add_instance_admin(world.clock.now(), "CI");
    let other = world.fake.identities_named("CI").remove(0);
    let claims = URL_SAFE_NO_PAD.encode(json!({"identityId": other, "exp": 4_102_444_800_i64}).to_string());
    world.put("token", &format!("e30.{claims}.c2ln"));
    world.put("identityId", &other);
    world.restart();
    world.live(11 * MINUTE).await;
    assert_all_is_well(&world, "written by somebody");
    assert_eq!(world.crossplane.secret("infisical-connection").unwrap()["identityId"], own);
    assert!(world.fake.is_instance_admin(&other), "nobody else's right is given up");
}

#[tokio::test]
async fn a_secret_that_is_deleted_right_away_is_written_again() {
    let mut world = handed_off(json!({})).await;
    let (mark, before) = (world.mark(), login(&world));
    world.crossplane.composed.remove("infisical-identity");
    world.settle().await;
    assert_eq!(login(&world), before);
    assert_eq!(world.asked(mark), []);
}

#[tokio::test]
async fn an_identity_that_is_locked_is_left_alone_and_its_secret_stays() {
    let mut world = handed_off(json!({})).await;
    let (before, made) = (login(&world), world.fake.count(CreateClientSecret));
    world.live(8 * MINUTE).await;
    // Somebody else has an earlier client secret, and does not give up.
    let wrong = json!({"clientId": before.0, "clientSecret": "marker-earlier"});
    let request = Request::new("POST", "/api/v1/auth/universal-auth/login").json(&wrong);
    let fail = |world: &World| (0..3).for_each(|_| drop(world.fake.ask(&request)));
    for _ in 0..4 {
        fail(&world);
        world.live(MINUTE).await;
    }
    assert_eq!(said(&world), ("Unknown".to_owned(), "IdentityLocked".to_owned()), "{}", world.story());
    assert!(world.crossplane.is_ready());
    world.live(20 * MINUTE).await;
    assert_all_is_well(&world, "when the lock has ended");
    assert_eq!((login(&world), world.fake.count(CreateClientSecret)), (before, made));
}

#[tokio::test]
async fn a_role_that_is_not_there_is_said_and_another_is_tried_at_once() {
    let mut world = asking(json!({"role": "nobody"}), Settings::default(), Kind::Namespaced).await;
    world.settle().await;
    world.crossplane.make_available("infisical");
    world.settle().await;
    assert_eq!(said(&world), ("False".to_owned(), "IdentityRefused".to_owned()));
    assert!(!world.crossplane.is_ready());
    let message = world.message("InfisicalHandedOff");
    assert!(message.contains("role nobody") && message.contains("input.handOff.role"), "{message}");
    world.crossplane.input["handOff"]["role"] = json!("no-access");
    world.settle().await;
    assert_all_is_well(&world, "another role");
}

fn role_in(world: &World, project: &str) -> Option<String> {
    let secret = world.crossplane.secret("infisical-identity").unwrap();
    world.fake.role_in_project(project, &secret["identityId"])
}

#[tokio::test]
async fn a_project_that_comes_later_is_joined_before_the_right_is_given_up() {
    let projects = json!([{"slug": "payments", "role": "viewer"}, {"slug": "search"}]);
    let hand_off = json!({"instanceAdmin": "Revoke", "projects": projects});
    let mut world = asking(hand_off, Settings::default(), Kind::Namespaced).await;
    world.settle().await;
    world.crossplane.make_available("infisical");
    world.settle().await;
    // What would make the projects has all that it needs by now.
    assert!(works(&world) && world.token_works(), "{}", world.story());
    assert_eq!(said(&world), ("False".to_owned(), "ProjectMissing".to_owned()));
    let message = world.message("InfisicalHandedOff");
    assert!(message.contains("slug payments") && message.contains("input.handOff.projects"), "{message}");
    let logins = world.fake.count(Route::UniversalAuthLogin);
    world.live(5 * MINUTE).await;
    assert!(!world.crossplane.is_ready() && world.fake.bootstrap_identity_is_instance_admin());
    assert!(world.fake.count(Route::Project) >= 5, "{}", world.story());
    assert_eq!(world.fake.count(Route::UniversalAuthLogin), logins, "waiting is no login each time");

    for project in ["payments", "search"] {
        world.fake.add_project(project);
    }
    world.live(2 * MINUTE).await;
    assert_all_is_well(&world, "the projects are there");
    assert!(!world.fake.bootstrap_identity_is_instance_admin());
    let roles = ["payments", "search"].map(|project| role_in(&world, project).unwrap());
    assert_eq!(roles, ["viewer", "member"]);
    assert_eq!((world.fake.count(CreateIdentity), world.fake.count(CreateClientSecret)), (1, 1));

    // A restart asks, and joins nothing again.
    world.restart();
    world.live(11 * MINUTE).await;
    assert_all_is_well(&world, "after a restart");
    assert_eq!(world.fake.count(Route::AddToProject), 2);
}

#[tokio::test]
async fn a_project_that_is_written_down_later_is_joined_and_one_that_is_lost_again() {
    let mut world = handed_off(json!({})).await;
    world.fake.add_project("payments");
    world.crossplane.input["handOff"]["projects"] = json!([{"slug": "payments"}]);
    world.settle().await;
    assert_all_is_well(&world, "written down later");
    assert_eq!(role_in(&world, "payments").as_deref(), Some("member"));

    world.fake.remove_from_project("payments");
    world.live(11 * MINUTE).await;
    assert_all_is_well(&world, "lost");
    assert_eq!(role_in(&world, "payments").as_deref(), Some("member"));

    // What is left out is left alone: other things may rest on it.
    world.crossplane.input["handOff"] = json!({});
    world.live(11 * MINUTE).await;
    assert_eq!(role_in(&world, "payments").as_deref(), Some("member"));
}

#[tokio::test]
async fn a_project_that_the_xr_names_later_is_joined_at_once() {
    let projects = json!([{"slugFromCompositeFieldPath": "spec.projectSlug", "role": "viewer"}]);
    let mut world = handed_off(json!({})).await;
    world.fake.add_project("payments");
    world.crossplane.input["handOff"]["projects"] = projects;
    world.settle().await;
    assert_eq!(said(&world), ("False".to_owned(), "ProjectMissing".to_owned()));
    let message = world.message("InfisicalHandedOff");
    assert!(message.starts_with("spec.projectSlug of the composite resource has no value yet"), "{message}");
    assert!(works(&world) && world.token_works() && !world.crossplane.is_ready());
    world.crossplane.xr["spec"]["projectSlug"] = json!("payments");
    world.settle().await;
    assert_all_is_well(&world, "named");
    assert_eq!(role_in(&world, "payments").as_deref(), Some("viewer"));

    world.crossplane.xr["spec"]["projectSlug"] = json!("No slug");
    let Reconciled::Fatal(message) = world.reconcile().await else { panic!("{}", world.story()) };
    assert!(
        message.contains(
            "input.handOff.projects[0].slugFromCompositeFieldPath: spec.projectSlug of the composite"
        ),
        "{message}"
    );
    assert!(works(&world) && world.token_works());
}

#[tokio::test]
async fn a_project_that_the_server_does_not_let_it_join_is_said_with_its_role() {
    let mut world = handed_off(json!({})).await;
    world.fake.add_project("payments");
    world.crossplane.input["handOff"]["projects"] = json!([{"slug": "payments", "role": "nobody"}]);
    world.settle().await;
    assert_eq!(said(&world), ("False".to_owned(), "ProjectRefused".to_owned()));
    let message = world.message("InfisicalHandedOff");
    assert!(message.contains("project payments with the role nobody"), "{message}");
    assert!(works(&world) && world.token_works() && !world.crossplane.is_ready());
    world.crossplane.input["handOff"]["projects"][0]["role"] = json!("viewer");
    world.settle().await;
    assert_all_is_well(&world, "another role");
}

#[tokio::test]
async fn after_the_right_was_given_up_another_token_is_had_with_the_admins_login() {
    let lost: [(&str, Damage); 3] = [
        ("the token is revoked", |world| world.fake.revoke_all_tokens()),
        ("the connection is deleted", |world| {
            world.crossplane.composed.remove("infisical-connection");
        }),
        ("both Secrets are deleted", |world| {
            world.crossplane.composed.remove("infisical-connection");
            world.crossplane.composed.remove("infisical-identity");
        }),
    ];
    for (what, happens) in lost {
        for is_new in [false, true] {
            let mut world = handed_off(json!({"instanceAdmin": "Revoke"})).await;
            let identity = world.crossplane.secret("infisical-connection").unwrap()["identityId"].clone();
            world.live(HOUR).await;
            if is_new {
                world.restart();
            }
            happens(&mut world);
            world.settle().await;
            world.live(11 * MINUTE).await;
            assert_all_is_well(&world, what);
            let connection = world.crossplane.secret("infisical-connection").unwrap();
            assert_eq!(connection["identityId"], identity, "{what}");
            assert!(!world.fake.bootstrap_identity_is_instance_admin(), "{what}");
        }
    }
}

#[tokio::test]
async fn asking_for_the_right_again_does_not_give_it_back_and_is_said() {
    let mut world = handed_off(json!({"instanceAdmin": "Revoke"})).await;
    world.crossplane.input["handOff"]["instanceAdmin"] = json!("Keep");
    world.live(11 * MINUTE).await;
    assert_all_is_well(&world, "Keep");
    assert_eq!(world.conditions()[1], ("True".to_owned(), "NotInstanceAdmin".to_owned()));
    let message = world.message("InfisicalTokenValid");
    assert!(message.contains("Give it the right in the server admin's settings"), "{message}");
    world.fake.grant_instance_admin();
    world.live(11 * MINUTE).await;
    assert_eq!(world.conditions()[1].1, "Accepted");

    // And one that is asked to be without it does not keep it.
    world.crossplane.input["handOff"]["instanceAdmin"] = json!("Revoke");
    world.live(11 * MINUTE).await;
    assert!(!world.fake.bootstrap_identity_is_instance_admin());
}

#[tokio::test]
async fn a_database_that_was_lost_is_handed_off_from_anew() {
    let mut world = handed_off(json!({"instanceAdmin": "Revoke"})).await;
    let before = login(&world);
    world.fake.reset_database();
    world.live(11 * MINUTE).await;
    assert_all_is_well(&world, "emptied");
    assert_ne!(login(&world), before);
    assert!(!world.fake.bootstrap_identity_is_instance_admin());
}

#[tokio::test]
async fn handing_off_that_is_taken_away_deletes_the_secret_and_is_said() {
    let mut world = handed_off(json!({})).await;
    world.crossplane.input.as_object_mut().unwrap().remove("handOff");
    world.settle().await;
    assert!(!world.crossplane.composed.contains_key("infisical-identity"));
    assert_eq!(said(&world), ("False".to_owned(), "NotAskedFor".to_owned()));
    assert!(world.crossplane.is_ready() && world.token_works());
    assert_eq!(world.fake.identities_named(&name(&world)).len(), 1);
}

#[tokio::test]
async fn keys_that_are_renamed_are_written_anew_with_the_same_client_secret() {
    let mut world = handed_off(json!({})).await;
    world.live(HOUR).await;
    let before = login(&world);
    world.crossplane.input["handOff"]["connectionDetails"] =
        json!([{"name": "ID", "value": "ClientId"}, {"name": "SECRET", "value": "ClientSecret"}]);
    world.settle().await;
    let data = world.crossplane.secret("infisical-identity").unwrap();
    assert_eq!((data["ID"].clone(), data["SECRET"].clone()), before);
    assert!(world.crossplane.is_ready(), "{}", world.story());
}

#[tokio::test]
async fn a_name_that_is_taken_or_a_namespace_that_is_not_its_own_is_refused() {
    let table = [
        (json!({"name": "vault-connection"}), "input.handOff.writeConnectionSecretToRef.name: Secret"),
        (json!({"name": "vault-admin"}), "input.handOff.writeConnectionSecretToRef.name: Secret"),
        (json!({"namespace": "team-b"}), "input.handOff.writeConnectionSecretToRef.namespace: is \"team-b\""),
    ];
    for (reference, expected) in table {
        let hand_off = json!({"writeConnectionSecretToRef": reference});
        let world = asking(hand_off, Settings::default(), Kind::Namespaced).await;
        let response = world.call(world.request()).await;
        let message = &response.results[0].message;
        assert!(message.starts_with(expected), "{message}");
    }
}

/// Makes a second identity of the same name, as another replica does that starts
/// in the same moment. Its id.
fn make_another(world: &World) -> String {
    let connection = world.crossplane.secret("infisical-connection").unwrap();
    let body = json!({"name": name(world), "organizationId": connection["organizationId"], "role": "member"});
    let request = Request::new("POST", "/api/v1/identities").json(&body).bearer(&world.token());
    let answer: Value = serde_json::from_slice(&world.fake.ask(&request).body).unwrap();
    answer["identity"]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_identity_that_another_replica_made_and_nobody_has_is_deleted() {
    let mut world = handed_off(json!({})).await;
    let surplus = make_another(&world);
    let before = login(&world);
    world.live(HOUR).await;
    assert_all_is_well(&world, "an hour later");
    assert!(!world.fake.identities_named(&name(&world)).contains(&surplus));
    assert_eq!(login(&world), before);
}

#[tokio::test]
async fn of_two_identities_the_one_that_is_persisted_gets_the_next_client_secret() {
    let mut world = handed_off(json!({})).await;
    make_another(&world);
    let before = login(&world);
    world.restart();
    world.fake.revoke_all_client_secrets();
    world.settle().await;
    assert!(works(&world));
    assert_eq!(login(&world).0, before.0);
}

#[tokio::test]
async fn a_token_that_may_not_manage_identities_is_said_to_be_one() {
    let mut world = handed_off(json!({"role": "no-access"})).await;
    let (client_id, client_secret) = login(&world);
    let body = json!({"clientId": client_id, "clientSecret": client_secret});
    let request = Request::new("POST", "/api/v1/auth/universal-auth/login").json(&body);
    let answer: Value = serde_json::from_slice(&world.fake.ask(&request).body).unwrap();
    world.put("token", answer["accessToken"].as_str().unwrap());
    world.fake.revoke_all_client_secrets();
    world.restart();
    world.settle().await;
    assert!(world.token_works(), "{}", world.story());
    assert_eq!(said(&world), ("False".to_owned(), "MayNotHandOff".to_owned()), "{}", world.story());
    assert!(!world.crossplane.is_ready());
}

fn assert_the_right_is_kept(world: &World, says: &str) {
    let (status, reason, message) = world.crossplane.condition("InfisicalHandedOff").unwrap();
    let story = world.story();
    assert_eq!((status, reason), ("False", "RightKept"), "{story}");
    assert!(message.contains(says) && message.contains("write Keep"), "{message}");
    assert!(!world.crossplane.is_ready() && world.token_works() && works(world), "{story}");
    assert_eq!(world.conditions()[0].1, "Bootstrapped", "{story}");
}

#[tokio::test]
async fn the_right_is_never_taken_from_an_identity_that_bootstrap_did_not_make() {
    for restarts in [false, true] {
        let mut world = handed_off(json!({"instanceAdmin": "Keep"})).await;
        let token = world.fake.add_token_of_another(world.clock.now(), "A person's own").unwrap();
        let own = world.fake.identities_named("A person's own").remove(0);
        world.put("token", &token);
        world.crossplane.input["handOff"]["instanceAdmin"] = json!("Revoke");
        if restarts {
            world.restart();
        }
        world.live(11 * MINUTE).await;
        assert_the_right_is_kept(&world, "not of the identity that bootstrap made");
        assert!(world.fake.is_instance_admin(&own), "{}", world.story());
        assert!(world.fake.bootstrap_identity_is_instance_admin(), "nor from one that is not connected");
        assert_eq!(world.fake.count(Route::RevokeInstanceAdmin), 0);
        // Whoever takes it away by hand has done what was asked for.
        world.fake.revoke_instance_admin();
        world.live(HOUR).await;
        assert_all_is_well(&world, "by hand");
    }
}

#[tokio::test]
async fn the_right_of_an_instance_that_is_adopted_is_never_revoked() {
    let mut world = asking(json!({"instanceAdmin": "Revoke"}), Settings::default(), Kind::Namespaced).await;
    world.bootstrap_elsewhere("root@example.org", "marker-theirs");
    let token = world.fake.add_token_of_another(world.clock.now(), "Theirs").unwrap();
    let theirs = world.fake.identities_named("Theirs").remove(0);
    world.crossplane.input["adopt"] = json!({"secretRef": {"name": "theirs", "key": "token"}});
    world.crossplane.others.push(json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "theirs", "namespace": "team-a"},
        "data": {"token": STANDARD.encode(token)},
    }));
    for restarts in [false, true] {
        if restarts {
            world.restart();
        }
        world.settle().await;
        world.crossplane.make_available("infisical");
        world.settle().await;
        world.live(11 * MINUTE).await;
        assert_the_right_is_kept(&world, "input.adopt names the token");
        assert!(world.fake.is_instance_admin(&theirs) && world.fake.bootstrap_identity_is_instance_admin());
    }
}

#[tokio::test]
async fn after_a_restart_the_admins_login_tells_whether_bootstrap_made_the_identity() {
    let mut world = handed_off(json!({"instanceAdmin": "Keep"})).await;
    world.live(20 * MINUTE).await;
    world.restart();
    world.fake.change_passwords("marker-changed");
    world.crossplane.input["handOff"]["instanceAdmin"] = json!("Revoke");
    let logins = world.fake.count(Route::Login);
    world.live(11 * MINUTE).await;
    assert_the_right_is_kept(&world, "without the admin's login");
    assert!(world.fake.count(Route::Login) - logins <= 2, "a login that is refused is not repeated soon");
    let data = [("email", "platform@example.org"), ("password", "marker-changed")];
    let data = data.map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec()));
    world.crossplane.credentials.insert("admin".to_owned(), data.into_iter().collect());
    world.crossplane.input["admin"] = json!({"credentials": "admin"});
    world.live(2 * MINUTE).await;
    assert_all_is_well(&world, "told");
    assert!(!world.fake.bootstrap_identity_is_instance_admin());
}
