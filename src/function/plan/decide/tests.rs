//! Holds the table in ARCHITECTURE.md to the match, in every situation that there is.

use std::collections::BTreeSet;

use super::*;
use crate::{
    model::{
        failure::BackOff,
        problem::{Problem, ProblemKind},
        remembered::Remembered,
    },
    plan::{
        facts::Facts,
        table::rows,
        tests::{at, mk_admin, mk_observation, origin},
        work::next,
    },
};

fn shown(action: &Action) -> &'static str {
    match action {
        Action::Wait(Wait::Requirements) => "wait for what is required",
        Action::Wait(Wait::For(Waiting::Claim(_))) => "wait for the namespace",
        Action::Wait(Wait::For(Waiting::SecretTaken(_))) => "wait for the name",
        Action::Wait(Wait::For(Waiting::Instance(_))) => "wait for the instance",
        Action::Wait(Wait::For(Waiting::Endpoint(_))) => "wait for the address",
        Action::Wait(_) => "wait for what is lacking",
        Action::Await => "await its end",
        Action::Keep { .. } => "keep the connection",
        Action::HandOut => "hand the token out",
        Action::BackOff(_) => "back off",
        Action::Start(_) => "start work",
    }
}

#[test]
fn the_table_in_the_architecture_is_the_decision() {
    let of = |waiting: fn(String) -> Waiting| waiting("x".to_owned());
    let (claim, taken, endpoint) = (of(Waiting::Claim), of(Waiting::SecretTaken), of(Waiting::Endpoint));
    let (mut observation, remembered) = (mk_observation(), Remembered::default());
    observation.persisted_admin = Some(mk_admin());
    let Next::Work(work) = next(&Facts::new(&observation, &remembered, at(0))) else { panic!("no work") };
    let failed = Problem::new(&origin(), ProblemKind::NoInstanceAdmin);

    let requirements = [("missing", Requirements::Missing), ("met", Requirements::Met)];
    let secrets = [
        ("not located", Secrets::NotLocated(&claim)),
        ("taken", Secrets::Taken(&taken)),
        ("free", Secrets::Free),
    ];
    let instances = [("not ready", Instance::NotReady("x")), ("ready", Instance::Ready)];
    let addresses = [("unknown", Address::Unknown(&endpoint)), ("known", Address::Known)];
    let works = [("under way", Work::UnderWay), ("none", Work::None)];
    let connections = [
        ("none", Connection::None),
        ("due", Connection::Due),
        ("unseen", Connection::Unseen),
        ("kept", Connection::Kept { check_at: at(60) }),
    ];
    let next = [
        ("lacking", Next::Lacking(Wait::PersistingAdmin)),
        ("failed lately", Next::TooSoon(BackOff { problem: failed, retry_at: at(60) })),
        ("there", Next::Work(work)),
    ];
    let rows = rows("| requirements | Secrets |");
    let mut used = BTreeSet::new();
    for (required, requirements) in requirements {
        for (secret, secrets) in secrets {
            for (readiness, instance) in instances {
                for (known, endpoint) in addresses {
                    for (under_way, work) in works {
                        for (state, connection) in connections {
                            for (means, next) in &next {
                                let situation =
                                    S { requirements, secrets, instance, endpoint, work, connection };
                                let cells = [required, secret, readiness, known, under_way, state, means];
                                let row = rows.iter().position(|row| row.fits(&cells)).expect("a row fits");
                                let action = decide(situation, || next.clone());
                                assert_eq!(rows[row].0.last().unwrap(), shown(&action), "{cells:?}");
                                used.insert(row);
                            }
                        }
                    }
                }
            }
        }
    }
    assert_eq!(used.len(), rows.len(), "a row of the table is never used: {used:?}");
}
