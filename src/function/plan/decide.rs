//! What is done in a situation: one match, read from top to bottom. The first row that fits
//! counts. ARCHITECTURE.md has it as a table, which a test tries against every situation.
//!
//! Rule 2 and Rule 8 are kept here.

use super::{
    Action, Wait,
    situation::{Address, Connection, Instance, Next, Requirements, Secrets, Situation as S, Work},
};
use crate::observe::Waiting;

/// Decides what is done. `next` is looked for only where it counts: it copies tokens.
pub(super) fn decide(situation: S<'_>, next: impl FnOnce() -> Next) -> Action {
    let wait = |waiting: &Waiting| Action::Wait(Wait::For(waiting.clone()));
    match situation {
        S { requirements: Requirements::Missing, .. } => Action::Wait(Wait::Requirements),
        S { secrets: Secrets::NotLocated(waiting) | Secrets::Taken(waiting), .. } => wait(waiting),
        S { instance: Instance::NotReady(why), connection: Connection::None, .. } => {
            wait(&Waiting::Instance(why.to_owned()))
        }
        S { endpoint: Address::Unknown(waiting), .. } => wait(waiting),
        S { work: Work::UnderWay, .. } => Action::Await,
        S { connection: Connection::Kept { check_at }, .. } => Action::Keep { check_at },
        S { connection: Connection::Unseen, .. } => Action::HandOut,
        S { connection: Connection::None | Connection::Due, .. } => match next() {
            Next::Lacking(wait) => Action::Wait(wait),
            Next::TooSoon(back_off) => Action::BackOff(back_off),
            Next::Work(work) => Action::Start(work),
        },
    }
}

#[cfg(test)]
mod tests;
