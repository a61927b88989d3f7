//! Decides what one call does.
//!
//! One function from what was observed and what is remembered to one [`Plan`].
//! No I/O, no clock, no randomness: the time comes in as a value, and what has
//! to be drawn or asked is left to `act`. The situation is computed once, as a value of a
//! few small enums, and what is done in it is one match (`decide`), which ARCHITECTURE.md has
//! as a table.

use jiff::Timestamp;

use self::{decide::decide, facts::Facts};
use crate::{model::remembered::Remembered, observe::Observation};

mod action;
mod admin;
mod decide;
mod facts;
pub(crate) mod hand_off;
mod situation;
#[cfg(test)]
mod table;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod timing;
mod work;

pub(crate) use action::{
    Action, AdminSecret, ConnectionSecret, HandOffAction, HandOffPlan, IdentitySecret, Plan, Wait,
};
pub(crate) use admin::password_email;

/// Decides what a call does.
#[must_use]
pub(crate) fn plan(observation: &Observation, remembered: &Remembered, now: Timestamp) -> Plan {
    let facts = Facts::new(observation, remembered, now);
    let action = decide(facts.situation(), || work::next(&facts));
    Plan {
        connection: facts.connection_secret(),
        hand_off: hand_off::plan(&facts, &action),
        action,
        admin: facts.admin,
    }
}
