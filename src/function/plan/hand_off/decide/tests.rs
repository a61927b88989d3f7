//! Holds the table in ARCHITECTURE.md to the match, in every situation that there is.

use std::collections::BTreeSet;

use super::*;
use crate::{
    model::{
        problem::{Problem, ProblemKind},
        remembered::Remembered,
    },
    plan::{
        hand_off::tests::{done, state},
        table::rows,
        tests::{at, mk_observation, origin},
    },
};

fn shown(action: &HandOffAction) -> &'static str {
    match action {
        HandOffAction::Await => "await its end",
        HandOffAction::Wait => "wait for the connection",
        HandOffAction::MakeRoom(_) => "wait for the name",
        HandOffAction::Keep { .. } => "keep it",
        HandOffAction::HandOut => "hand the client secret out",
        HandOffAction::BackOff(_) => "back off",
        HandOffAction::Start(_) => "start work",
    }
}

fn work() -> Box<HandOff> {
    let (mut observation, mut remembered) = (mk_observation(), Remembered::default());
    done(&mut observation, &mut remembered);
    state(&mut remembered).accepted = None;
    let plan = crate::plan::plan(&observation, &remembered, at(0)).hand_off.unwrap();
    let HandOffAction::Start(work) = plan.action else { panic!("{plan:?}") };
    work
}

#[test]
fn the_table_in_the_architecture_is_the_decision_of_handing_off() {
    let (observation, taken) = (mk_observation(), Waiting::SecretTaken("x".to_owned()));
    let endpoint = observation.endpoint.as_ref().unwrap();
    let problem = Problem::new(&origin(), ProblemKind::MayNotHandOff);
    let works = [("under way", Work::UnderWay), ("none", Work::None)];
    let connections = [("kept", Connection::Kept(endpoint)), ("awaited", Connection::Awaited)];
    let names = [("taken", Name::Taken(&taken)), ("free", Name::Free)];
    let logins = [("due", Login::Due), ("unseen", Login::Unseen), ("kept", Login::Kept { check_at: at(60) })];
    let next = [
        ("failed lately", Next::TooSoon(BackOff { problem, retry_at: at(60) })),
        ("there", Next::Work(work())),
    ];
    let rows = rows("| work | connection | name |");
    let mut used = BTreeSet::new();
    for (under_way, work) in works {
        for (state, connection) in connections {
            for (place, name) in names {
                for (known, login) in logins {
                    for (means, next) in &next {
                        let cells = [under_way, state, place, known, means];
                        let row = rows.iter().position(|row| row.fits(&cells)).expect("a row fits");
                        let action =
                            decide(Situation { work, connection, name, login }, |_| Some(next.clone()));
                        assert_eq!(rows[row].0.last().unwrap(), shown(&action), "{cells:?}");
                        used.insert(row);
                    }
                }
            }
        }
    }
    assert_eq!(used.len(), rows.len(), "a row of the table is never used: {used:?}");
}
