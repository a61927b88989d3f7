//! What becomes of handing off, as a table: each row is a state of the world, why
//! it matters, and what is done.

use std::{collections::BTreeSet, sync::Arc};

use infisical::{api::Organization, endpoint::Origin, secret::ClientSecret};

use super::{super::HandOffAction, *};
use crate::{
    contract::composed_secret::{SecretData, SecretName},
    input::{IdentityDetail, IdentityDetailValue, InstanceAdmin, Project, ProjectSlug},
    model::{
        hand_off::HandOffFailure,
        identity::Identity,
        problem::{Problem, ProblemKind},
        remembered::Remembered,
        xr::PreviousConditions,
    },
    observe::Observation,
    plan::tests::{at, connected, mk_observation, origin, taken},
};

fn wanted() -> Vec<IdentityDetail> {
    let detail = |name: &str, value| IdentityDetail { name: name.to_owned(), value };
    vec![
        detail("clientId", IdentityDetailValue::ClientId),
        detail("clientSecret", IdentityDetailValue::ClientSecret),
    ]
}

pub(crate) fn mk_login(secret: &str) -> UniversalAuth {
    UniversalAuth { client_id: "client".to_owned(), client_secret: ClientSecret::new(secret) }
}

pub(crate) fn mk_observed(secret: &str) -> ObservedIdentity {
    let mut data = SecretData::default();
    data.insert("clientId", "client");
    data.insert("clientSecret", secret);
    ObservedIdentity::read(&data, &wanted())
}

pub(crate) fn mk_accepted(secret: &str) -> AcceptedIdentity {
    let organization = Organization { id: "o".to_owned(), name: "vault".to_owned(), slug: "v".to_owned() };
    let login = mk_login(secret);
    AcceptedIdentity {
        login: login.fingerprint(),
        identity_id: Some("i".to_owned()),
        projects: Arc::default(),
        origin: origin(),
        token_id: None,
        verified_at: at(0),
        made_at: Some(at(0)),
        identity: Some(Identity {
            login,
            client_secret_id: Some("s".to_owned()),
            id: Some("i".to_owned()),
            origin: origin(),
            organization,
        }),
        seen_at: None,
        last_seen_at: None,
    }
}

/// A connection that stands, and handing off that is asked for.
pub(crate) fn asked(observation: &mut Observation, remembered: &mut Remembered) {
    connected(observation, remembered);
    observation.hand_off = Some(Box::new(HandOff {
        role: "member".to_owned(),
        projects: Arc::default(),
        instance_admin: InstanceAdmin::Keep,
        status: None,
        secret: SecretName { name: "vault-identity".to_owned(), namespace: None },
        place: Place::Free,
        wanted: wanted(),
        observed: None,
    }));
    remembered.hand_off = Some(Box::default());
}

/// All of it is done.
pub(crate) fn done(observation: &mut Observation, remembered: &mut Remembered) {
    asked(observation, remembered);
    observation.hand_off.as_mut().unwrap().observed = Some(mk_observed("a"));
    state(remembered).accepted = Some(mk_accepted("a"));
}

pub(crate) fn state(remembered: &mut Remembered) -> &mut HandedOff {
    remembered.hand_off.as_mut().unwrap()
}

pub(crate) fn projects() -> Arc<[Project]> {
    [Project { slug: ProjectSlug::Literal("payments".to_owned()), role: "member".to_owned() }].into()
}

fn revoking(observation: &mut Observation) {
    observation.hand_off.as_mut().unwrap().instance_admin = InstanceAdmin::Revoke;
}

struct Row {
    why: &'static str,
    world: fn(&mut Observation, &mut Remembered),
    secret: IdentitySecret,
    action: &'static str,
}

const TABLE: &[Row] = &[
    Row {
        why: "nothing is made before the connection stands",
        world: |observation, remembered| {
            asked(observation, remembered);
            observation.connection = None;
        },
        secret: IdentitySecret::None,
        action: "Wait",
    },
    Row {
        why: "what was handed off is emitted all the same",
        world: |observation, remembered| {
            done(observation, remembered);
            (observation.connection, remembered.accepted) = (None, None);
            state(remembered).accepted = None;
        },
        secret: IdentitySecret::Observed,
        action: "Wait",
    },
    Row { why: "an identity is made", world: asked, secret: IdentitySecret::None, action: "Start logins=0" },
    Row {
        why: "no identity is made whose Secret has no place",
        world: |observation, remembered| {
            asked(observation, remembered);
            observation.hand_off.as_mut().unwrap().place = taken();
        },
        secret: IdentitySecret::None,
        action: "MakeRoom",
    },
    Row {
        why: "a client secret in memory is not written over somebody else's Secret",
        world: |observation, remembered| {
            done(observation, remembered);
            let hand_off = observation.hand_off.as_mut().unwrap();
            (hand_off.observed, hand_off.place) = (None, taken());
        },
        secret: IdentitySecret::None,
        action: "MakeRoom",
    },
    Row {
        why: "the connection comes before the room for what is handed off",
        world: |observation, remembered| {
            asked(observation, remembered);
            observation.connection = None;
            observation.hand_off.as_mut().unwrap().place = taken();
        },
        secret: IdentitySecret::None,
        action: "Wait",
    },
    Row {
        why: "one task at a time",
        world: |observation, remembered| {
            asked(observation, remembered);
            state(remembered).working = true;
        },
        secret: IdentitySecret::None,
        action: "Await",
    },
    Row {
        why: "an accepted client secret is handed out until it is seen",
        world: |observation, remembered| {
            done(observation, remembered);
            observation.hand_off.as_mut().unwrap().observed = None;
        },
        secret: IdentitySecret::Remembered,
        action: "HandOut",
    },
    Row {
        why: "one that is handed out for long may have been revoked by another replica",
        world: |observation, remembered| {
            done(observation, remembered);
            observation.hand_off.as_mut().unwrap().observed = None;
            state(remembered).accepted.as_mut().unwrap().verified_at = at(-10);
        },
        secret: IdentitySecret::Remembered,
        action: "Start logins=1",
    },
    Row {
        why: "the right is not given up before the client secret is seen",
        world: |observation, remembered| {
            done(observation, remembered);
            revoking(observation);
            observation.hand_off.as_mut().unwrap().observed = None;
        },
        secret: IdentitySecret::Remembered,
        action: "HandOut",
    },
    Row {
        why: "and then it is",
        world: |observation, remembered| {
            done(observation, remembered);
            revoking(observation);
        },
        secret: IdentitySecret::Remembered,
        action: "Start logins=1 seen revoke",
    },
    Row {
        why: "once",
        world: |observation, remembered| {
            done(observation, remembered);
            revoking(observation);
            remembered.accepted.as_mut().unwrap().is_instance_admin = Some(false);
        },
        secret: IdentitySecret::Remembered,
        action: "Keep",
    },
    Row {
        why: "a project that is asked for is joined, whether the client secret was seen or not",
        world: |observation, remembered| {
            done(observation, remembered);
            let hand_off = observation.hand_off.as_mut().unwrap();
            (hand_off.projects, hand_off.observed) = (projects(), None);
        },
        secret: IdentitySecret::Remembered,
        action: "Start logins=1 projects fresh",
    },
    Row {
        why: "once",
        world: |observation, remembered| {
            done(observation, remembered);
            observation.hand_off.as_mut().unwrap().projects = projects();
            state(remembered).accepted.as_mut().unwrap().projects = projects();
        },
        secret: IdentitySecret::Remembered,
        action: "Keep",
    },
    Row { why: "all is well", world: done, secret: IdentitySecret::Remembered, action: "Keep" },
    Row {
        why: "all is well, and the client secret is no longer in memory",
        world: |observation, remembered| {
            done(observation, remembered);
            state(remembered).accepted.as_mut().unwrap().identity = None;
        },
        secret: IdentitySecret::Observed,
        action: "Keep",
    },
    Row {
        why: "a new process tries what it finds",
        world: |observation, remembered| {
            done(observation, remembered);
            state(remembered).accepted = None;
        },
        secret: IdentitySecret::Observed,
        action: "Start logins=1 seen",
    },
    Row {
        why: "what a person puts there is right until the server says otherwise",
        world: |observation, remembered| {
            done(observation, remembered);
            observation.hand_off.as_mut().unwrap().observed = Some(mk_observed("unknown"));
        },
        secret: IdentitySecret::Observed,
        action: "Start logins=2 seen",
    },
    Row {
        why: "a stale read of a predecessor does not bring it back",
        world: |observation, remembered| {
            done(observation, remembered);
            observation.hand_off.as_mut().unwrap().observed = Some(mk_observed("before"));
            state(remembered).known = [mk_login("before").fingerprint()].into();
        },
        secret: IdentitySecret::Remembered,
        action: "HandOut",
    },
    Row {
        why: "one that was refused is not tried again: the server locks after three",
        world: |observation, remembered| {
            done(observation, remembered);
            let refused = mk_login("a").fingerprint();
            *state(remembered) =
                HandedOff { known: [refused].into(), refused: [refused].into(), ..HandedOff::default() };
        },
        secret: IdentitySecret::Observed,
        action: "Start logins=0 seen",
    },
    Row {
        why: "the time to try it has come",
        world: |observation, remembered| {
            done(observation, remembered);
            state(remembered).accepted.as_mut().unwrap().verified_at = at(-601);
        },
        secret: IdentitySecret::Remembered,
        action: "Start logins=1 seen",
    },
    Row {
        why: "another token may be that of an instance that was set up again",
        world: |observation, remembered| {
            done(observation, remembered);
            state(remembered).accepted.as_mut().unwrap().token_id = Some("before".into());
        },
        secret: IdentitySecret::Remembered,
        action: "Start logins=1 seen",
    },
    Row {
        why: "the instance has moved",
        world: |observation, remembered| {
            done(observation, remembered);
            let before = Origin::parse("http://before").unwrap();
            state(remembered).accepted.as_mut().unwrap().origin = before;
        },
        secret: IdentitySecret::Remembered,
        action: "Start logins=1 seen",
    },
    Row {
        why: "what earlier tries have left is due",
        world: |observation, remembered| {
            done(observation, remembered);
            state(remembered).sweep_at = Some(Due::test(at(0)));
        },
        secret: IdentitySecret::Remembered,
        action: "Start logins=1 seen sweep",
    },
    Row {
        why: "another replica was told otherwise: the server is asked again",
        world: |observation, remembered| {
            done(observation, remembered);
            state(remembered).accepted.as_mut().unwrap().verified_at = at(-11);
            observation.xr.previous =
                PreviousConditions::test(ConditionType::HandedOff, "False", "ClientSecretRefused");
        },
        secret: IdentitySecret::Remembered,
        action: "Start logins=1 seen",
    },
    Row {
        why: "a failure is not tried again too early",
        world: |observation, remembered| {
            asked(observation, remembered);
            hold(observation, remembered, 60);
        },
        secret: IdentitySecret::None,
        action: "BackOff MayNotHandOff",
    },
    Row {
        why: "its time has come",
        world: |observation, remembered| {
            asked(observation, remembered);
            hold(observation, remembered, 0);
        },
        secret: IdentitySecret::None,
        action: "Start logins=0",
    },
    Row {
        why: "another role is tried at once",
        world: |observation, remembered| {
            asked(observation, remembered);
            hold(observation, remembered, 60);
            observation.hand_off.as_mut().unwrap().role = "no-access".to_owned();
        },
        secret: IdentitySecret::None,
        action: "Start logins=0",
    },
];

fn hold(observation: &Observation, remembered: &mut Remembered, retry_in: i64) {
    let plan = crate::plan::plan(observation, remembered, at(0)).hand_off.unwrap();
    let HandOffAction::Start(work) = plan.action else { panic!("{plan:?}") };
    state(remembered).failure = Some(HandOffFailure {
        problem: Problem::new(&origin(), ProblemKind::MayNotHandOff),
        attempt: work.attempt(),
        attempts: 1,
        retry_at: Due::test(at(retry_in)),
    });
}

fn shown(action: &HandOffAction) -> String {
    match action {
        HandOffAction::Start(work) => {
            let flags = [
                (work.seen.is_some(), " seen"),
                (!work.projects.is_empty(), " projects"),
                (work.is_fresh && !work.projects.is_empty(), " fresh"),
                (work.revoke, " revoke"),
                (work.sweep, " sweep"),
            ];
            let flags: String = flags.iter().filter(|(is, _)| *is).map(|(_, name)| *name).collect();
            format!("Start logins={}{flags}", work.logins.len())
        }
        HandOffAction::BackOff(back_off) => format!("BackOff {}", back_off.problem.reason().as_str()),
        other => format!("{other:?}").split([' ', '(']).next().unwrap().to_owned(),
    }
}

#[test]
fn handing_off_reads_as_a_table() {
    let mut reached = BTreeSet::new();
    for row in TABLE {
        let (mut observation, mut remembered) = (mk_observation(), Remembered::default());
        (row.world)(&mut observation, &mut remembered);
        let plan = crate::plan::plan(&observation, &remembered, at(0)).hand_off.unwrap();
        assert_eq!(plan.secret, row.secret, "Secret: {}", row.why);
        assert_eq!(shown(&plan.action), row.action, "action: {}", row.why);
        reached.extend([format!("{:?}", plan.secret), row.action.split(' ').next().unwrap().to_owned()]);
    }
    for expected in ["None", "Observed", "Remembered", "Wait", "Await", "Start", "BackOff", "HandOut", "Keep"]
    {
        assert!(reached.contains(expected), "no row reaches {expected}");
    }
}

#[test]
fn nothing_is_planned_that_nobody_has_asked_for() {
    let (mut observation, mut remembered) = (mk_observation(), Remembered::default());
    connected(&mut observation, &mut remembered);
    assert_eq!(crate::plan::plan(&observation, &remembered, at(0)).hand_off, None);
}

#[test]
fn what_is_made_is_named_after_the_xr() {
    let (mut observation, mut remembered) = (mk_observation(), Remembered::default());
    asked(&mut observation, &mut remembered);
    let plan = crate::plan::plan(&observation, &remembered, at(0)).hand_off.unwrap();
    let HandOffAction::Start(work) = plan.action else { panic!("{plan:?}") };
    assert_eq!((work.name.as_str(), work.role.as_str()), ("function-infisical/uid", "member"));
}
