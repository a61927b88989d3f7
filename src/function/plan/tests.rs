//! The plan as a table: each row is a state of the world, why it matters, and
//! what is done.

use std::collections::BTreeSet;

use infisical::{
    api::Organization,
    endpoint::{Endpoint, Origin, Tls},
    secret::{AccessToken, Credentials, Email, Password},
};

use super::*;
use crate::{
    contract::{
        composed_secret::{SecretData, SecretName},
        proto::v1::Requirements,
    },
    input::{ConnectionDetail, DetailValue, TokenPolicy},
    model::{
        condition::ConditionType,
        connection::{Connection, ObservedConnection},
        due::Due,
        life::Life,
        problem::{Problem, ProblemKind},
        remembered::{Accepted, Failure, LoginRefused, Owner},
        work::Login,
        xr::{PreviousConditions, Scope, Xr, XrKey},
    },
    observe::{AdminSource, Place, SchemaKnown, Waiting},
    readiness::Readiness,
};

const NOW: i64 = 1_800_000_000;
const DAY: i64 = 24 * 60 * 60;

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(NOW + seconds).unwrap()
}

pub(crate) fn origin() -> Origin {
    Origin::parse("http://infisical:8080").unwrap()
}

pub(crate) fn mk_admin() -> Credentials {
    Credentials { email: mk_email(), password: Password::new("marker-password") }
}

fn mk_email() -> Email {
    Email::parse("platform@example.org").unwrap()
}

fn mk_other_email() -> Email {
    Email::parse("b@example.org").unwrap()
}

fn used_up() -> ProblemKind {
    ProblemKind::PartiallyBootstrapped { email: mk_email(), was_in_use: false }
}

/// An interrupted bootstrap that was found, with another email in the input, to be one
/// still.
fn used_up_still(observation: &mut Observation, remembered: &mut Remembered) {
    persisted(observation);
    observation.admin = AdminSource::Generated { email: Ok(mk_other_email()) };
    remembered.failure = Some(Box::new(mk_failure(observation, used_up(), 60)));
}

fn waiting() -> Waiting {
    Waiting::Admin("it is not there".to_owned())
}

pub(crate) fn taken() -> Place {
    Place::Taken(Waiting::SecretTaken("Secret vault-admin is there already".to_owned()))
}

fn leaving() -> Waiting {
    Waiting::SecretLeaving("it is being deleted".to_owned())
}

fn wanted() -> Vec<ConnectionDetail> {
    vec![ConnectionDetail { name: "token".to_owned(), value: DetailValue::Token }]
}

/// An instance that is ready, an admin Secret that is not there yet.
pub(crate) fn mk_observation() -> Observation {
    let name = |name: &str| SecretName { name: name.to_owned(), namespace: None };
    Observation {
        xr: Xr {
            key: XrKey::test("uid"),
            api_version: "example.org/v1".to_owned(),
            kind: "Vault".to_owned(),
            name: "vault".to_owned(),
            scope: Scope::Namespaced("team-a".to_owned()),
            previous: PreviousConditions::default(),
        },
        instance: Readiness::Ready,
        endpoint: Ok(Endpoint::new(origin(), Tls::default())),
        organization: Ok("vault".to_owned()),
        admin: AdminSource::Generated { email: Ok(mk_email()) },
        adopted: None,
        persisted_admin: None,
        connection: None,
        located: Ok(()),
        admin_place: Place::Free,
        connection_place: Place::Free,
        admin_secret: name("vault-admin"),
        connection_secret: name("vault-connection"),
        wanted: wanted().into(),
        token_policy: TokenPolicy::default(),
        status: None,
        schema: SchemaKnown::NotAsked,
        hand_off: None,
        requirements: Requirements::default(),
        requirements_met: true,
    }
}

fn mk_connection(token: &str, expires: i64) -> Connection {
    let organization = Organization { id: "o".to_owned(), name: "vault".to_owned(), slug: "v".to_owned() };
    let mut connection = Connection::new(AccessToken::new(token), origin(), organization, None);
    connection.life = Life::issued(Some(at(expires - 90 * DAY)), Some(at(expires)), at(0));
    connection.expires_at = Some(at(expires));
    connection
}

pub(crate) fn mk_observed(token: &str) -> ObservedConnection {
    let mut data = SecretData::default();
    data.insert("token", token);
    ObservedConnection::read(data, &wanted())
}

pub(crate) fn mk_accepted(token: &str) -> Accepted {
    let connection = mk_connection(token, 90 * DAY);
    Accepted {
        token: connection.token.fingerprint(),
        origin: origin(),
        verified_at: at(0),
        life: connection.life,
        expires_at: connection.expires_at,
        end_is_open: false,
        is_instance_admin: None,
        owner: Box::new(Owner::of(&connection)),
        connection: Some(connection.into()),
        seen_at: None,
        last_seen_at: None,
    }
}

fn mk_failure(observation: &Observation, kind: ProblemKind, retry_in: i64) -> Failure {
    let nothing = Remembered::default();
    let facts = Facts::new(observation, &nothing, at(0));
    let work = work::work(&facts, observation.endpoint.as_ref().unwrap());
    Failure {
        problem: Problem::new(&origin(), kind),
        attempt: work.unwrap().attempt(),
        attempts: 1,
        retry_at: Due::test(at(retry_in)),
    }
}

/// One row: what is changed in the world, and what is expected of the plan.
struct Row {
    why: &'static str,
    world: fn(&mut Observation, &mut Remembered),
    admin: &'static str,
    connection: ConnectionSecret,
    action: &'static str,
}

fn persisted(observation: &mut Observation) {
    observation.persisted_admin = Some(mk_admin());
}

pub(crate) fn connected(observation: &mut Observation, remembered: &mut Remembered) {
    persisted(observation);
    observation.connection = Some(mk_observed("a"));
    remembered.accepted = Some(Accepted { seen_at: Some(at(0)), ..mk_accepted("a") });
}

const TABLE: &[Row] = &[
    Row {
        why: "the password is drawn before anything is asked",
        world: |_, _| {},
        admin: "Generate",
        connection: ConnectionSecret::None,
        action: "Wait PersistingAdmin",
    },
    Row {
        why: "a password that was drawn is emitted until it is seen, and not used before",
        world: |_, remembered| remembered.admin = Some(mk_admin()),
        admin: "Remembered",
        connection: ConnectionSecret::None,
        action: "Wait PersistingAdmin",
    },
    Row {
        why: "a password that is gone, and an emptied connection: the server knows if a new one is of use",
        world: |observation, _| {
            observation.connection = Some(ObservedConnection::read(SecretData::default(), &wanted()));
        },
        admin: "None",
        connection: ConnectionSecret::Observed,
        action: "Start login=true token=false renew=false",
    },
    Row {
        why: "nothing is composed before it is known in which namespace",
        world: |observation, remembered| {
            remembered.admin = Some(mk_admin());
            observation.located = Err(Waiting::Claim("whose it is".to_owned()));
        },
        admin: "None",
        connection: ConnectionSecret::None,
        action: "Wait Claim",
    },
    Row {
        why: "no password is drawn before it is known what is in its place",
        world: |observation, _| {
            observation.admin_place = Place::NotAsked;
            observation.requirements_met = false;
        },
        admin: "None",
        connection: ConnectionSecret::None,
        action: "Wait Requirements",
    },
    Row {
        why: "no password is drawn that has no place, nor one that was drawn emitted",
        world: |observation, remembered| {
            remembered.admin = Some(mk_admin());
            observation.admin_place = taken();
        },
        admin: "None",
        connection: ConnectionSecret::None,
        action: "Wait SecretTaken",
    },
    Row {
        why: "a Secret that goes away is waited for",
        world: |observation, _| observation.admin_place = Place::Taken(leaving()),
        admin: "None",
        connection: ConnectionSecret::None,
        action: "Wait SecretLeaving",
    },
    Row {
        why: "a token that has no place is not asked for, whoever supplies the admin",
        world: |observation, _| {
            observation.admin = AdminSource::Supplied(Ok(mk_admin()));
            observation.connection_place = taken();
        },
        admin: "None",
        connection: ConnectionSecret::None,
        action: "Wait SecretTaken",
    },
    Row {
        why: "a password that was persisted is kept while the token has no place",
        world: |observation, _| {
            persisted(observation);
            observation.connection_place = taken();
        },
        admin: "Observed",
        connection: ConnectionSecret::None,
        action: "Wait SecretTaken",
    },
    Row {
        why: "a token in memory is not written over somebody else's Secret",
        world: |observation, remembered| {
            connected(observation, remembered);
            observation.connection = None;
            observation.connection_place = taken();
        },
        admin: "Observed",
        connection: ConnectionSecret::None,
        action: "Wait SecretTaken",
    },
    Row {
        why: "a connection that stands needs no room for an admin's password",
        world: |observation, remembered| {
            connected(observation, remembered);
            observation.persisted_admin = None;
            observation.admin_place = taken();
        },
        admin: "None",
        connection: ConnectionSecret::Remembered,
        action: "Keep",
    },
    Row {
        why: "nor does an adopted token",
        world: |observation, _| {
            observation.adopted = Some(Ok(AccessToken::new("adopted")));
            observation.admin_place = taken();
        },
        admin: "None",
        connection: ConnectionSecret::None,
        action: "Start login=true token=true renew=false",
    },
    Row {
        why: "an emptied instance gets no new password that has no place",
        world: |observation, remembered| {
            observation.connection = Some(mk_observed("dead"));
            let kind = ProblemKind::AdminSecretMissing { initialized: false };
            remembered.failure = Some(Box::new(mk_failure(observation, kind, 60)));
            observation.admin_place = taken();
        },
        admin: "None",
        connection: ConnectionSecret::Observed,
        action: "BackOff AdminSecretMissing",
    },
    Row {
        why: "nothing is done while a requirement is open",
        world: |observation, _| {
            persisted(observation);
            observation.requirements_met = false;
        },
        admin: "Observed",
        connection: ConnectionSecret::None,
        action: "Wait Requirements",
    },
    Row {
        why: "an instance that is not ready is not asked",
        world: |observation, _| {
            persisted(observation);
            observation.instance = Readiness::NotReady("it is not".to_owned());
        },
        admin: "Observed",
        connection: ConnectionSecret::None,
        action: "Wait Instance",
    },
    Row {
        why: "an address that is not known yet is waited for",
        world: |observation, _| {
            persisted(observation);
            observation.endpoint = Err(Waiting::Endpoint("no".to_owned()));
        },
        admin: "Observed",
        connection: ConnectionSecret::None,
        action: "Wait Endpoint",
    },
    Row {
        why: "an organization cannot be renamed, so its name is waited for",
        world: |observation, _| {
            persisted(observation);
            observation.organization = Err(Waiting::Organization("no".to_owned()));
        },
        admin: "Observed",
        connection: ConnectionSecret::None,
        action: "Wait Organization",
    },
    Row {
        why: "an email that is not known yet is waited for",
        world: |observation, _| observation.admin = AdminSource::Generated { email: Err(waiting()) },
        admin: "None",
        connection: ConnectionSecret::None,
        action: "Wait Admin",
    },
    Row {
        why: "credentials that are not supplied yet are waited for",
        world: |observation, _| observation.admin = AdminSource::Supplied(Err(waiting())),
        admin: "None",
        connection: ConnectionSecret::None,
        action: "Wait Admin",
    },
    Row {
        why: "a persisted password that was seen is used",
        world: |observation, _| persisted(observation),
        admin: "Observed",
        connection: ConnectionSecret::None,
        action: "Start login=true token=false renew=false",
    },
    Row {
        why: "supplied credentials are in the cluster already",
        world: |observation, _| observation.admin = AdminSource::Supplied(Ok(mk_admin())),
        admin: "None",
        connection: ConnectionSecret::None,
        action: "Start login=true token=false renew=false",
    },
    Row {
        why: "a password composed before others were supplied may be the only one that works",
        world: |observation, _| {
            persisted(observation);
            observation.admin = AdminSource::Supplied(Ok(mk_admin()));
        },
        admin: "Observed",
        connection: ConnectionSecret::None,
        action: "Start login=true token=false renew=false",
    },
    Row {
        why: "one task at a time",
        world: |observation, remembered| {
            persisted(observation);
            remembered.working = true;
        },
        admin: "Observed",
        connection: ConnectionSecret::None,
        action: "Await",
    },
    Row {
        why: "an accepted token is handed out until it is seen",
        world: |observation, remembered| {
            persisted(observation);
            remembered.accepted = Some(mk_accepted("a"));
        },
        admin: "Observed",
        connection: ConnectionSecret::Remembered,
        action: "HandOut",
    },
    Row {
        why: "a token that was accepted long ago may have been revoked since, and is asked about again",
        world: |observation, remembered| {
            connected(observation, remembered);
            observation.connection = None;
            remembered.accepted.as_mut().unwrap().verified_at = at(-10);
        },
        admin: "Observed",
        connection: ConnectionSecret::Remembered,
        action: "Start login=true token=true renew=false",
    },
    Row {
        why: "all is well",
        world: connected,
        admin: "Observed",
        connection: ConnectionSecret::Remembered,
        action: "Keep",
    },
    Row {
        why: "another replica was told that the token is refused: it is asked about again",
        world: |observation, remembered| {
            connected(observation, remembered);
            observation.xr.previous =
                PreviousConditions::test(ConditionType::TokenValid, "False", "TokenRefused");
            remembered.accepted.as_mut().unwrap().verified_at = at(-11);
        },
        admin: "Observed",
        connection: ConnectionSecret::Remembered,
        action: "Start login=true token=true renew=false",
    },
    Row {
        why: "another replica was told that it is no instance admin's: it is asked about again",
        world: |observation, remembered| {
            connected(observation, remembered);
            observation.xr.previous =
                PreviousConditions::test(ConditionType::TokenValid, "True", "NotInstanceAdmin");
            remembered.accepted.as_mut().unwrap().verified_at = at(-11);
        },
        admin: "Observed",
        connection: ConnectionSecret::Remembered,
        action: "Start login=true token=true renew=false",
    },
    Row {
        why: "another replica was told that it is one's again: it is asked about again",
        world: |observation, remembered| {
            connected(observation, remembered);
            observation.xr.previous = PreviousConditions::test(ConditionType::TokenValid, "True", "Accepted");
            let accepted = remembered.accepted.as_mut().unwrap();
            (accepted.verified_at, accepted.is_instance_admin) = (at(-11), Some(false));
        },
        admin: "Observed",
        connection: ConnectionSecret::Remembered,
        action: "Start login=true token=true renew=false",
    },
    Row {
        why: "but not at every call",
        world: |observation, remembered| {
            connected(observation, remembered);
            observation.xr.previous =
                PreviousConditions::test(ConditionType::TokenValid, "False", "TokenRefused");
            remembered.accepted.as_mut().unwrap().verified_at = at(-9);
        },
        admin: "Observed",
        connection: ConnectionSecret::Remembered,
        action: "Keep",
    },
    Row {
        why: "all is well, and the token is no longer in memory",
        world: |observation, remembered| {
            connected(observation, remembered);
            remembered.accepted.as_mut().unwrap().connection = None;
        },
        admin: "Observed",
        connection: ConnectionSecret::Observed,
        action: "Keep",
    },
    Row {
        why: "a stale read of a predecessor does not bring it back",
        world: |observation, remembered| {
            connected(observation, remembered);
            observation.connection = Some(mk_observed("before"));
            remembered.known = [AccessToken::new("before").fingerprint()].into();
        },
        admin: "Observed",
        connection: ConnectionSecret::Remembered,
        action: "HandOut",
    },
    Row {
        why: "a token that is there is right until the server says otherwise, wherever it came from",
        world: |observation, remembered| {
            connected(observation, remembered);
            observation.connection = Some(mk_observed("unknown"));
        },
        admin: "Observed",
        connection: ConnectionSecret::Observed,
        action: "Start login=true token=true renew=false",
    },
    Row {
        why: "a new process asks about the token that it finds",
        world: |observation, _| {
            persisted(observation);
            observation.connection = Some(mk_observed("a"));
        },
        admin: "Observed",
        connection: ConnectionSecret::Observed,
        action: "Start login=true token=true renew=false",
    },
    Row {
        why: "a token that works needs no password, and a new one would be of no use",
        world: |observation, _| observation.connection = Some(mk_observed("a")),
        admin: "None",
        connection: ConnectionSecret::Observed,
        action: "Start login=true token=true renew=false",
    },
    Row {
        why: "the time to verify has come",
        world: |observation, remembered| {
            connected(observation, remembered);
            remembered.accepted.as_mut().unwrap().verified_at = at(-601);
        },
        admin: "Observed",
        connection: ConnectionSecret::Remembered,
        action: "Start login=true token=true renew=false",
    },
    Row {
        why: "a third of its life is left",
        world: |observation, remembered| {
            connected(observation, remembered);
            let accepted = remembered.accepted.as_mut().unwrap();
            accepted.verified_at = at(-60);
            accepted.life = Life::found(Some(at(-60 * DAY)), Some(at(30 * DAY)), Some(at(0)), at(0));
        },
        admin: "Observed",
        connection: ConnectionSecret::Remembered,
        action: "Start login=true token=true renew=true",
    },
    Row {
        why: "the instance has moved, and the token may have moved along",
        world: |observation, remembered| {
            connected(observation, remembered);
            remembered.accepted.as_mut().unwrap().origin = Origin::parse("http://before").unwrap();
        },
        admin: "Observed",
        connection: ConnectionSecret::Remembered,
        action: "Start login=true token=true renew=false",
    },
    Row {
        why: "a failure is not tried again too early",
        world: |observation, remembered| {
            persisted(observation);
            remembered.failure = Some(Box::new(mk_failure(observation, ProblemKind::NoInstanceAdmin, 60)));
        },
        admin: "Observed",
        connection: ConnectionSecret::None,
        action: "BackOff NoInstanceAdmin",
    },
    Row {
        why: "its time has come",
        world: |observation, remembered| {
            persisted(observation);
            remembered.failure = Some(Box::new(mk_failure(observation, ProblemKind::NoInstanceAdmin, 0)));
        },
        admin: "Observed",
        connection: ConnectionSecret::None,
        action: "Start login=true token=false renew=false",
    },
    Row {
        why: "other credentials are tried at once",
        world: |observation, remembered| {
            persisted(observation);
            remembered.failure = Some(Box::new(mk_failure(observation, ProblemKind::NoInstanceAdmin, 60)));
            let password = Password::new("marker-other");
            observation.persisted_admin = Some(Credentials { password, ..mk_admin() });
        },
        admin: "Observed",
        connection: ConnectionSecret::None,
        action: "Start login=true token=false renew=false",
    },
    Row {
        why: "a token put there by hand is tried, but a refused login is not repeated for it",
        world: |observation, remembered| {
            persisted(observation);
            let problem =
                Problem::new(&origin(), ProblemKind::BootstrappedElsewhere { email: mk_email(), of: None });
            remembered.login_refused = Some(Box::new(LoginRefused {
                credentials: mk_admin().fingerprint(),
                problem,
                attempts: 1,
                retry_at: Due::test(at(60)),
            }));
            observation.connection = Some(mk_observed("unknown"));
        },
        admin: "Observed",
        connection: ConnectionSecret::Observed,
        action: "Start login=false token=true renew=false",
    },
    Row {
        why: "an interrupted bootstrap has used the email up, and the input has another: that is asked again",
        world: |observation, remembered| {
            persisted(observation);
            remembered.failure = Some(Box::new(mk_failure(observation, used_up(), 60)));
            observation.admin = AdminSource::Generated { email: Ok(mk_other_email()) };
        },
        admin: "Observed",
        connection: ConnectionSecret::None,
        action: "Start login=true token=false renew=false",
    },
    Row {
        why: "and if it is so still, the Secret goes first",
        world: used_up_still,
        admin: "None",
        connection: ConnectionSecret::None,
        action: "Wait PersistingAdmin",
    },
    Row {
        why: "but not when a server has let the password in",
        world: |observation, remembered| {
            used_up_still(observation, remembered);
            remembered.logged_in = Some(Box::new(mk_admin().fingerprint()));
        },
        admin: "Observed",
        connection: ConnectionSecret::None,
        action: "BackOff PartiallyBootstrapped",
    },
    Row {
        why: "nor when there was a connection, which a process that was restarted knows by its Secret",
        world: |observation, remembered| {
            used_up_still(observation, remembered);
            observation.connection = Some(mk_observed("a"));
        },
        admin: "Observed",
        connection: ConnectionSecret::Observed,
        action: "Start login=true token=true renew=false",
    },
    Row {
        why: "nor when the server has said something else since",
        world: |observation, remembered| {
            used_up_still(observation, remembered);
            remembered.failure.as_mut().unwrap().problem.kind = ProblemKind::NoInstanceAdmin;
        },
        admin: "Observed",
        connection: ConnectionSecret::None,
        action: "BackOff NoInstanceAdmin",
    },
    Row {
        why: "when it is gone another is drawn",
        world: |observation, remembered| {
            used_up_still(observation, remembered);
            observation.persisted_admin = None;
            remembered.admin = Some(mk_admin());
        },
        admin: "Generate",
        connection: ConnectionSecret::None,
        action: "Wait PersistingAdmin",
    },
    Row {
        why: "also by a replica that was not told, but sees what the XR says",
        world: |observation, remembered| {
            remembered.admin = Some(mk_admin());
            observation.admin = AdminSource::Generated { email: Ok(mk_other_email()) };
            let said = Problem::new(&origin(), used_up()).message();
            observation.xr.previous =
                PreviousConditions::test(ConditionType::Bootstrapped, "False", "PartiallyBootstrapped")
                    .saying(&said);
        },
        admin: "Generate",
        connection: ConnectionSecret::None,
        action: "Wait PersistingAdmin",
    },
    Row {
        why: "an emptied instance whose password is gone gets a new one",
        world: |observation, remembered| {
            observation.connection = Some(mk_observed("dead"));
            let kind = ProblemKind::AdminSecretMissing { initialized: false };
            remembered.failure = Some(Box::new(mk_failure(observation, kind, 60)));
        },
        admin: "Generate",
        connection: ConnectionSecret::Observed,
        action: "BackOff AdminSecretMissing",
    },
    Row {
        why: "an adopted token is tried, and no password is made for an instance that has one",
        world: |observation, _| observation.adopted = Some(Ok(AccessToken::new("adopted"))),
        admin: "None",
        connection: ConnectionSecret::None,
        action: "Start login=true token=true renew=false",
    },
    Row {
        why: "an adopted token that is not there is waited for",
        world: |observation, _| {
            observation.adopted = Some(Err(Waiting::AdoptedToken("it is not there".to_owned())));
        },
        admin: "None",
        connection: ConnectionSecret::None,
        action: "Wait AdoptedToken",
    },
    Row {
        why: "an adopted token is tried where there is no admin",
        world: |observation, _| {
            observation.admin = AdminSource::None;
            observation.adopted = Some(Ok(AccessToken::new("adopted")));
        },
        admin: "None",
        connection: ConnectionSecret::None,
        action: "Start login=true token=true renew=false",
    },
    Row {
        why: "an admin that was persisted before the input named none is kept, and logs in",
        world: |observation, _| {
            observation.admin = AdminSource::None;
            observation.adopted = Some(Err(waiting()));
            observation.persisted_admin = Some(mk_admin());
        },
        admin: "Observed",
        connection: ConnectionSecret::None,
        action: "Start login=true token=false renew=false",
    },
    Row {
        why: "no password is made for an empty instance without an email",
        world: |observation, remembered| {
            observation.admin = AdminSource::None;
            observation.adopted = Some(Ok(AccessToken::new("adopted")));
            remembered.failure = Some(Box::new(mk_failure(observation, ProblemKind::InstanceEmpty, 60)));
        },
        admin: "None",
        connection: ConnectionSecret::None,
        action: "BackOff InstanceEmpty",
    },
];

fn shown(action: &Action) -> String {
    match action {
        Action::Wait(Wait::For(waiting)) => {
            let of = match waiting {
                Waiting::Instance(_) => "Instance",
                Waiting::Endpoint(_) => "Endpoint",
                Waiting::Organization(_) => "Organization",
                Waiting::Admin(_) => "Admin",
                Waiting::AdoptedToken(_) => "AdoptedToken",
                Waiting::Claim(_) => "Claim",
                Waiting::SecretTaken(_) => "SecretTaken",
                Waiting::SecretLeaving(_) => "SecretLeaving",
            };
            format!("Wait {of}")
        }
        Action::Wait(wait @ (Wait::Requirements | Wait::PersistingAdmin)) => format!("Wait {wait:?}"),
        Action::Start(work) => format!(
            "Start login={} token={} renew={}",
            matches!(work.login, Login::Allowed),
            work.token.is_some(),
            work.renew
        ),
        Action::BackOff(back_off) => format!("BackOff {}", back_off.problem.reason().as_str()),
        Action::Await | Action::HandOut | Action::Keep { .. } => action.name().to_owned(),
    }
}

fn shown_admin(admin: &AdminSecret) -> &'static str {
    match admin {
        AdminSecret::None => "None",
        AdminSecret::Observed(_) => "Observed",
        AdminSecret::Remembered(_) => "Remembered",
        AdminSecret::Generate(_) => "Generate",
    }
}

#[test]
fn the_plan_reads_as_a_table() {
    let mut reached = BTreeSet::new();
    for row in TABLE {
        let (mut observation, mut remembered) = (mk_observation(), Remembered::default());
        (row.world)(&mut observation, &mut remembered);
        let plan = plan(&observation, &remembered, at(0));
        assert_eq!(shown_admin(&plan.admin), row.admin, "admin Secret: {}", row.why);
        assert_eq!(plan.connection, row.connection, "connection Secret: {}", row.why);
        assert_eq!(shown(&plan.action), row.action, "action: {}", row.why);
        reached.extend([
            format!("admin {}", row.admin),
            format!("connection {:?}", row.connection),
            row.action.split(" login").next().unwrap().to_owned(),
        ]);
    }
    // A row is missing for whatever the plan can do and this does not name.
    for expected in [
        "admin None",
        "admin Observed",
        "admin Remembered",
        "admin Generate",
        "connection None",
        "connection Observed",
        "connection Remembered",
        "Wait Requirements",
        "Wait Instance",
        "Wait Endpoint",
        "Wait Organization",
        "Wait Admin",
        "Wait PersistingAdmin",
        "Await",
        "Start",
        "HandOut",
        "Keep",
    ] {
        assert!(reached.contains(expected), "no row reaches {expected}");
    }
    assert!(reached.iter().any(|what| what.starts_with("BackOff")), "no row reaches BackOff");
}

#[test]
fn a_plan_is_a_function_of_what_it_is_given() {
    for row in TABLE {
        let (mut observation, mut remembered) = (mk_observation(), Remembered::default());
        (row.world)(&mut observation, &mut remembered);
        assert_eq!(
            plan(&observation, &remembered, at(0)),
            plan(&observation, &remembered, at(0)),
            "{}",
            row.why
        );
    }
}

#[test]
fn every_token_that_is_minted_is_named_after_the_xr() {
    let mut observation = mk_observation();
    persisted(&mut observation);
    let plan = plan(&observation, &Remembered::default(), at(0));
    let Action::Start(work) = plan.action else { panic!("{:?}", plan.action) };
    assert_eq!(work.token_name, "function-infisical/uid");
    assert_eq!(work.organization, "vault");
}

#[test]
fn a_check_comes_before_the_interval_ends_and_at_the_renewal() {
    let policy = TokenPolicy::default();
    let key = XrKey::test("uid");
    let accepted = Accepted { verified_at: at(0), ..mk_accepted("a") };
    let check_at = timing::check_at(&accepted, &policy, &key, at(0));
    assert!(check_at > at(539) && check_at <= at(600), "{check_at}");

    let life = Life::found(Some(at(-40)), Some(at(20)), Some(at(0)), at(0));
    let soon = Accepted { life, ..accepted };
    assert_eq!(timing::check_at(&soon, &TokenPolicy { renew_at: 0.25, ..policy }, &key, at(0)), at(5));
}
