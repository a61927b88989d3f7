use infisical::{Error, ErrorKind};

use super::*;
use crate::{
    contract::proto::v1::Status,
    input::InstanceAdmin,
    model::{due::Due, hand_off::HandOffFailure, xr::PreviousConditions},
    plan::{
        hand_off::tests::{asked, done, mk_login, projects, state},
        tests::{at, mk_observation, origin},
    },
};

struct Row {
    why: &'static str,
    world: fn(&mut Observation, &mut Remembered),
    says: (Status, &'static str),
    is_ready: bool,
}

fn revoking(observation: &mut Observation) {
    observation.hand_off.as_mut().unwrap().instance_admin = InstanceAdmin::Revoke;
}

fn said(observation: &mut Observation, status: &str, reason: &str) {
    observation.xr.previous = PreviousConditions::test(ConditionType::HandedOff, status, reason);
}

fn hold(remembered: &mut Remembered, kind: ProblemKind) {
    let (observation, own) = (&mut mk_observation(), &mut Remembered::default());
    done(observation, own);
    state(own).accepted = None;
    let plan = crate::plan::plan(observation, own, at(0)).hand_off.unwrap();
    let HandOffAction::Start(work) = plan.action else { panic!("{plan:?}") };
    state(remembered).failure = Some(HandOffFailure {
        problem: Problem::new(&origin(), kind),
        attempt: work.attempt(),
        attempts: 1,
        retry_at: Due::test(at(60)),
    });
}

fn unreachable() -> ProblemKind {
    ProblemKind::Request(Error::new("log in with the client secret", ErrorKind::ServerError { status: 503 }))
}

const TABLE: &[Row] = &[
    Row {
        why: "the connection has to stand first",
        world: |observation, remembered| {
            asked(observation, remembered);
            (observation.connection, remembered.accepted) = (None, None);
        },
        says: (Status::ConditionFalse, "WaitingForConnection"),
        is_ready: false,
    },
    Row {
        why: "an identity is being made",
        world: asked,
        says: (Status::ConditionFalse, "HandingOff"),
        is_ready: false,
    },
    Row {
        why: "a client secret is not handed off before it is seen",
        world: |observation, remembered| {
            done(observation, remembered);
            observation.hand_off.as_mut().unwrap().observed = None;
        },
        says: (Status::ConditionFalse, "HandingOff"),
        is_ready: false,
    },
    Row { why: "all is well", world: done, says: (Status::ConditionTrue, "HandedOff"), is_ready: true },
    Row {
        why: "the right has yet to be revoked",
        world: |observation, remembered| {
            done(observation, remembered);
            revoking(observation);
        },
        says: (Status::ConditionFalse, "HandingOff"),
        is_ready: false,
    },
    Row {
        why: "the right is revoked",
        world: |observation, remembered| {
            done(observation, remembered);
            revoking(observation);
            remembered.accepted.as_mut().unwrap().is_instance_admin = Some(false);
        },
        says: (Status::ConditionTrue, "HandedOff"),
        is_ready: true,
    },
    Row {
        why: "a project has yet to be joined",
        world: |observation, remembered| {
            done(observation, remembered);
            observation.hand_off.as_mut().unwrap().projects = projects();
        },
        says: (Status::ConditionFalse, "HandingOff"),
        is_ready: false,
    },
    Row {
        why: "another replica has joined it since this one has asked",
        world: |observation, remembered| {
            done(observation, remembered);
            observation.hand_off.as_mut().unwrap().projects = projects();
            observation.xr.previous =
                PreviousConditions::test(ConditionType::HandedOff, "True", "HandedOff").since(at(1));
        },
        says: (Status::ConditionTrue, "HandedOff"),
        is_ready: true,
    },
    Row {
        why: "a project is not there yet, and the client secret is handed out all the same",
        world: |observation, remembered| {
            done(observation, remembered);
            observation.hand_off.as_mut().unwrap().projects = projects();
            hold(remembered, ProblemKind::ProjectMissing { project: projects()[0].slug.clone() });
        },
        says: (Status::ConditionFalse, "ProjectMissing"),
        is_ready: false,
    },
    Row {
        why: "a new process has not asked yet about what it was said of",
        world: |observation, remembered| {
            done(observation, remembered);
            revoking(observation);
            state(remembered).accepted = None;
            remembered.accepted = None;
            said(observation, "True", "HandedOff");
        },
        says: (Status::ConditionTrue, "HandedOff"),
        is_ready: true,
    },
    Row {
        why: "a new process does not take for done what the XR does not say to be",
        world: |observation, remembered| {
            done(observation, remembered);
            state(remembered).accepted = None;
        },
        says: (Status::ConditionFalse, "HandingOff"),
        is_ready: false,
    },
    Row {
        why: "the server refused the client secret",
        world: |observation, remembered| {
            done(observation, remembered);
            state(remembered).accepted = None;
            state(remembered).refused = [mk_login("a").fingerprint()].into();
            said(observation, "True", "HandedOff");
        },
        says: (Status::ConditionFalse, "ClientSecretRefused"),
        is_ready: false,
    },
    Row {
        why: "the server could not be asked, and what was accepted stands",
        world: |observation, remembered| {
            done(observation, remembered);
            hold(remembered, unreachable());
        },
        says: (Status::ConditionUnknown, "ServerError"),
        is_ready: true,
    },
    Row {
        why: "a lock says nothing of the client secret",
        world: |observation, remembered| {
            done(observation, remembered);
            hold(remembered, ProblemKind::IdentityLocked);
        },
        says: (Status::ConditionUnknown, "IdentityLocked"),
        is_ready: true,
    },
    Row {
        why: "the server could not be asked, and nothing was handed off yet",
        world: |observation, remembered| {
            asked(observation, remembered);
            hold(remembered, unreachable());
        },
        says: (Status::ConditionFalse, "ServerError"),
        is_ready: false,
    },
    Row {
        why: "the identity is not made",
        world: |observation, remembered| {
            asked(observation, remembered);
            hold(remembered, ProblemKind::IdentityRefused { role: "member".to_owned() });
        },
        says: (Status::ConditionFalse, "IdentityRefused"),
        is_ready: false,
    },
    Row {
        why: "another replica was told otherwise since",
        world: |observation, remembered| {
            done(observation, remembered);
            state(remembered).asked_at = Some(at(-10));
            let said = PreviousConditions::test(ConditionType::HandedOff, "Unknown", "Unreachable");
            observation.xr.previous = said.since(at(-9));
        },
        says: (Status::ConditionUnknown, "Unreachable"),
        is_ready: true,
    },
];

#[test]
fn the_condition_reads_as_a_table() {
    for row in TABLE {
        let (mut observation, mut remembered) = (mk_observation(), Remembered::default());
        (row.world)(&mut observation, &mut remembered);
        let plan = crate::plan::plan(&observation, &remembered, at(0));
        let verdict = judge(&observation, &remembered, &plan).unwrap();
        let condition = &verdict.condition;
        assert_eq!((condition.status(), condition.reason.as_str()), row.says, "{}", row.why);
        assert_eq!(verdict.is_ready, row.is_ready, "{}", row.why);
        let message = condition.message.as_deref().unwrap();
        assert!(message.starts_with(|c: char| c.is_ascii_uppercase()), "{}: {message}", row.why);
        assert!(!message.contains("marker") && !message.ends_with('.'), "{}: {message}", row.why);
    }
}

#[test]
fn nothing_is_said_that_nobody_has_asked_for() {
    let (mut observation, mut remembered) = (mk_observation(), Remembered::default());
    crate::plan::tests::connected(&mut observation, &mut remembered);
    let plan = crate::plan::plan(&observation, &remembered, at(0));
    assert!(judge(&observation, &remembered, &plan).is_none());
}
