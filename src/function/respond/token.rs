//! What is known of the token that is emitted. Nothing is called good beyond its end.
//!
//! Rule 6 is kept here.

use infisical::{
    claims::Claims,
    secret::{AccessToken, Fingerprint},
};
use jiff::Timestamp;

use crate::{
    agreement::{Inference, Known},
    model::{condition::ConditionType, connection::Parts, remembered::Remembered},
    observe::Observation,
    plan::{Action, ConnectionSecret, Plan, Wait},
};

/// What is known of the token that is emitted.
pub(super) enum Token {
    None,
    Works,
    /// The server could not be asked yet.
    NotAskedYet,
    /// Nor is it going to be.
    CannotBeAsked,
    /// Nor is it known what its clock shows, and by the one here the token's life is over.
    MayHaveEnded,
    Refused,
    /// Its life is over, whether the server can be asked or not.
    Ended,
}

/// Nothing is called good beyond its end.
pub(super) fn token(
    observation: &Observation,
    remembered: &Remembered,
    plan: &Plan,
    now: Timestamp,
) -> Token {
    let has_ended = || remembered.accepted.as_ref().is_some_and(|accepted| accepted.has_ended(now));
    match known_token(observation, remembered, plan) {
        Token::Works if has_ended() => Token::Ended,
        Token::NotAskedYet => not_asked_yet(observation, remembered, plan, now),
        token => token,
    }
}

/// What is known of a token that the server could not be asked about yet. Whether its end
/// has passed is known where it is known what the server's clock shows.
fn not_asked_yet(observation: &Observation, remembered: &Remembered, plan: &Plan, now: Timestamp) -> Token {
    let shown = remembered.accepted.as_ref().and_then(|accepted| accepted.shown_by_server(now));
    let ends_by = |clock: Timestamp| observed_end(observation).is_some_and(|end| end <= clock);
    if is_said_to_have_ended(observation) || shown.is_some_and(ends_by) {
        Token::Ended
    } else if shown.is_none() && ends_by(now) {
        Token::MayHaveEnded
    } else if matches!(plan.action, Action::Wait(Wait::For(_))) {
        Token::CannotBeAsked
    } else {
        Token::NotAskedYet
    }
}

/// Another replica knows when a token ends that does not say so itself.
fn is_said_to_have_ended(observation: &Observation) -> bool {
    let previous = &observation.xr.previous;
    Known::default().is_inferred(Inference::TokenEnded, ConditionType::TokenValid, previous)
}

fn observed_end(observation: &Observation) -> Option<Timestamp> {
    Claims::of(observation.connection.as_ref()?.token.as_ref()?).expires_at
}

fn known_token(observation: &Observation, remembered: &Remembered, plan: &Plan) -> Token {
    let observed = || {
        let connection = observation.connection.as_ref()?;
        connection.token.as_ref().map(AccessToken::fingerprint)
    };
    match plan.connection {
        ConnectionSecret::None => Token::None,
        ConnectionSecret::Remembered => {
            let emitted = remembered.accepted.as_ref().map(|accepted| accepted.token);
            let is_refused = emitted == observed() && was_refused_since(observation, remembered);
            if is_refused { Token::Refused } else { Token::Works }
        }
        ConnectionSecret::Observed => match observed() {
            None => Token::None,
            Some(token) if remembered.refused.contains(&token) => Token::Refused,
            Some(_) if was_refused_since(observation, remembered) => Token::Refused,
            Some(token) if is_accepted(observation, remembered, token) => Token::Works,
            Some(_) => Token::NotAskedYet,
        },
    }
}

/// Whether the XR says that the token is refused, and this process was not told
/// since that it is accepted: another replica was, and is getting another.
fn was_refused_since(observation: &Observation, remembered: &Remembered) -> bool {
    let told_at = remembered.accepted.as_ref().map(|accepted| accepted.verified_at);
    let known = Known { told_at, ..Known::default() };
    known.is_inferred(Inference::TokenRefused, ConditionType::TokenValid, &observation.xr.previous)
}

fn is_accepted(observation: &Observation, remembered: &Remembered, token: Fingerprint) -> bool {
    let origin = observation.endpoint.as_ref().ok().map(infisical::endpoint::Endpoint::origin);
    remembered.accepted.as_ref().is_some_and(|accepted| {
        accepted.token == token && origin.is_none_or(|origin| *origin == accepted.origin)
    })
}

/// What was accepted, where the observed Secret has that token and something else
/// beside it: an edit, which is undone, since nobody has accepted that.
pub(super) fn edited<'a>(observation: &'a Observation, remembered: &'a Remembered) -> Option<Parts<'a>> {
    let observed = observation.connection.as_ref()?;
    let accepted = remembered.accepted.as_ref()?.with(observed)?;
    let is_here = observation.endpoint.as_ref().map_or(true, |it| *it.origin() == *accepted.origin);
    (is_here && !accepted.is_in(observed, &observation.wanted)).then_some(accepted)
}

/// Whether observed has what is emitted.
pub(super) fn is_persisted(observation: &Observation, remembered: &Remembered, plan: &Plan) -> bool {
    let observed = observation.connection.as_ref();
    match plan.connection {
        ConnectionSecret::None => false,
        ConnectionSecret::Observed => {
            observed.is_some_and(|connection| connection.in_place)
                && edited(observation, remembered).is_none()
        }
        ConnectionSecret::Remembered => {
            let connection = remembered.accepted.as_ref().and_then(|accepted| accepted.connection.as_ref());
            let both = observed.filter(|observed| observed.in_place).zip(connection);
            both.is_some_and(|(observed, connection)| connection.parts().is_in(observed, &observation.wanted))
        }
    }
}
