//! The two conditions of the connection: their types, reasons and messages. What a
//! problem says is in [`crate::model::problem`], and what is waited for in [`crate::observe`].
//! The condition of handing off is in [`super::hand_off`], and that of the XR's status in
//! [`super::status`].
//!
//! `InfisicalBootstrapped` says whether there is a connection to the instance
//! and, if not, what is in the way. `InfisicalTokenValid` says whether its token
//! works, `Unknown` when the server could not be asked. Both go to the XR and
//! its claim. Events are made of the transitions between them.

use std::time::Duration;

use infisical::{claims::Claims, secret::AccessToken};
use jiff::Timestamp;

use super::{hand_off, status};
use crate::{
    contract::proto::v1::{Condition, Result as Event, RunFunctionResponse, Severity, Status, Target},
    model::{
        condition::{self, BOOTSTRAPPED, TOKEN_VALID},
        connection::Parts,
        due::is_recent,
        problem::{self, BOOTSTRAPPED_ELSEWHERE, Problem, ProblemKind, names_an_xr},
        remembered::{Accepted, Held, Remembered},
        xr::{PreviousCondition, PreviousConditions},
    },
    observe::{AdminSource, Observation, Place, Waiting},
    plan::{Action, AdminSecret, ConnectionSecret, Plan, Wait, password_email, password_once_worked},
};

/// The reasons that are no problem's, which are in [`crate::model::problem::REASONS`].
/// `docs/conditions.md` has an entry for each.
pub const REASONS: &[&str] = &[
    "Bootstrapped",
    "Bootstrapping",
    "PersistingAdmin",
    "WaitingForRequirements",
    "WaitingForInstance",
    "WaitingForEndpoint",
    "WaitingForOrganization",
    "WaitingForAdmin",
    "WaitingForAdoptedToken",
    "WaitingForClaim",
    "WaitingForSecret",
    "SecretTaken",
    "Accepted",
    "NotRenewed",
    "NotInstanceAdmin",
    "Verifying",
    "TokenRefused",
    "TokenEnded",
    "NoToken",
    "AdminSecretMissing",
    "BootstrappedAgain",
];

/// Bytes of a message: the API server takes no more in an event's `note`.
const MESSAGE_LONGEST: usize = 1024;

/// How much later than the interval the server may be asked about a token.
const ASKED_LATE: Duration = Duration::from_mins(1);

/// What a response says of the state of things.
pub(super) struct Verdict {
    /// Both conditions.
    pub(super) conditions: Vec<Condition>,
    /// Whether the token that is emitted was seen in observed.
    pub(super) token_is_persisted: bool,
    /// Whether this process knows that the server accepts it.
    pub(super) token_is_accepted: bool,
    /// Whether it works, as far as is known.
    pub(super) token_may_work: bool,
    /// What has happened that no condition tells.
    news: Option<Event>,
}

/// The reason of a token that the server refused.
pub(crate) const TOKEN_REFUSED: &str = "TokenRefused";
/// Of one that it accepts.
pub(crate) const ACCEPTED: &str = "Accepted";
/// Of one that it accepts, but not as an instance admin's.
pub(crate) const NOT_INSTANCE_ADMIN: &str = "NotInstanceAdmin";

/// Of one whose life is over.
const TOKEN_ENDED: &str = "TokenEnded";
/// Of one that it accepts, and that could not be renewed.
const NOT_RENEWED: &str = "NotRenewed";

/// Whether a reason is a token's, and came of asking the server.
pub(crate) fn is_what_a_server_said(reason: &str) -> bool {
    [TOKEN_REFUSED, TOKEN_ENDED, ACCEPTED, NOT_INSTANCE_ADMIN, NOT_RENEWED].contains(&reason)
        || problem::REASONS.contains(&reason)
}

/// The reason of a token that the server accepted.
pub(crate) fn of_accepted(
    observation: &Observation,
    remembered: &Remembered,
    accepted: &Accepted,
) -> &'static str {
    match &remembered.held {
        Some(held) if held.problem.is_unreachable() && held.is_about(accepted) => held.problem.reason(),
        Some(held) if held.is_about(accepted) => NOT_RENEWED,
        _ if misses_the_right(observation, accepted) => NOT_INSTANCE_ADMIN,
        _ => ACCEPTED,
    }
}

/// Whether the identity is not an instance admin, and nobody has asked for that.
fn misses_the_right(observation: &Observation, accepted: &Accepted) -> bool {
    accepted.lacks_the_right() && !observation.gives_up_the_right()
}

/// What is known of the token that is emitted.
enum Token {
    /// There is none.
    None,
    /// The server accepted it.
    Works,
    /// The server could not be asked yet.
    NotAsked,
    /// Nor is it going to be.
    Unasked,
    /// Nor is it known what its clock shows, and by the one here the token's life is over.
    MayHaveEnded,
    /// The server refused it.
    Refused,
    /// Its life is over, whether the server can be asked or not.
    Ended,
}

/// One condition's content.
pub(super) struct Says {
    pub(super) status: Status,
    pub(super) reason: &'static str,
    pub(super) message: String,
}

/// Says what a plan means for the two conditions and for readiness.
pub(super) fn judge(
    observation: &Observation,
    remembered: &Remembered,
    plan: &Plan,
    now: Timestamp,
) -> Verdict {
    let token = token(observation, remembered, plan, now);
    let problem = problem(observation, remembered, plan);
    let bootstrapped = bootstrapped(observation, plan, &token, problem);
    let accepted = remembered.accepted.as_ref();
    let lacks_the_right = accepted.is_some_and(|accepted| misses_the_right(observation, accepted));
    let token_valid = match unasked(observation, remembered, plan, now) {
        Some(wait) if matches!(token, Token::Works) => {
            let (reason, message) = waiting(observation, wait);
            Says { status: Status::ConditionUnknown, reason, message }
        }
        _ => token_valid(observation, plan, &token, problem, lacks_the_right),
    };
    let bootstrapped = newest(observation, remembered, BOOTSTRAPPED, bootstrapped);
    let token_valid = match token {
        Token::Unasked | Token::MayHaveEnded => token_valid,
        _ => newest(observation, remembered, TOKEN_VALID, token_valid),
    };
    let token_is_persisted = is_persisted(observation, remembered, plan);
    Verdict {
        token_is_persisted,
        token_is_accepted: matches!(token, Token::Works),
        news: bootstrapped_again(remembered).filter(|_| !token_is_persisted),
        // Another replica may have said that it has ended, and this one not asked since.
        token_may_work: matches!(token, Token::Works | Token::NotAsked | Token::Unasked)
            && token_valid.reason != TOKEN_ENDED,
        conditions: vec![condition(BOOTSTRAPPED, bootstrapped), condition(TOKEN_VALID, token_valid)],
    }
}

/// The reasons of all conditions.
fn reasons() -> impl Iterator<Item = &'static str> {
    let all = REASONS.iter().chain(hand_off::REASONS).chain(status::REASONS).chain(problem::REASONS);
    all.copied()
}

/// What it is waited for, where that has kept the server from being asked about the
/// token for longer than it should: what it said then is no evidence any more.
fn unasked<'a>(
    observation: &Observation,
    remembered: &Remembered,
    plan: &'a Plan,
    now: Timestamp,
) -> Option<&'a Wait> {
    let Action::Wait(wait @ Wait::For(_)) = &plan.action else { return None };
    let allowed = observation.token_policy.verify_interval + ASKED_LATE;
    let verified_at = remembered.accepted.as_ref()?.verified_at;
    // A replica that was never answered has said so.
    let is_said = observation
        .xr
        .previous
        .of_type(TOKEN_VALID)
        .is_some_and(|said| said.status == "Unknown" && said.reason == waiting(observation, wait).0);
    (is_said || !is_recent(verified_at, allowed, now)).then_some(wait)
}

/// The reason of each condition of a response, by its type, as this module spells them.
pub fn said(response: &RunFunctionResponse) -> impl Iterator<Item = (&'static str, &'static str)> + Clone {
    response.conditions.iter().filter_map(|says| known(&says.r#type, &says.reason))
}

/// A condition's type and reason as this module spells them.
fn known(condition_type: &str, reason: &str) -> Option<(&'static str, &'static str)> {
    let condition_type = condition::TYPES.into_iter().find(|known| *known == condition_type)?;
    let reason = reasons().find(|known| *known == reason)?;
    Some((condition_type, reason))
}

/// What is said, or what the XR says in its place: when a replica was told
/// otherwise since this one has asked, saying what is older would make the XR
/// change back and forth, at every reconcile.
fn newest(observation: &Observation, remembered: &Remembered, condition_type: &str, says: Says) -> Says {
    let Some(said) = observation.xr.previous.of_type(condition_type) else { return says };
    let is_false = |status: &str| status == "False";
    let came_of_asking = if condition_type == BOOTSTRAPPED {
        let asks = says.reason == "Bootstrapping" || problem::REASONS.contains(&says.reason);
        let fails = says.status == Status::ConditionFalse && is_false(&said.status);
        asks && fails && problem::REASONS.contains(&said.reason.as_str())
    } else {
        let may_work = says.status != Status::ConditionFalse && !is_false(&said.status);
        may_work && is_what_a_server_said(&said.reason)
    };
    if came_of_asking && remembered.is_older_than(said) { repeated(said).unwrap_or(says) } else { says }
}

/// What the XR says already.
pub(super) fn repeated(said: &PreviousCondition) -> Option<Says> {
    let status = match said.status.as_str() {
        "True" => Status::ConditionTrue,
        "False" => Status::ConditionFalse,
        _ => Status::ConditionUnknown,
    };
    let reason = reasons().find(|reason| *reason == said.reason)?;
    Some(Says { status, reason, message: said.message.clone() })
}

/// Nothing is called good beyond its end.
fn token(observation: &Observation, remembered: &Remembered, plan: &Plan, now: Timestamp) -> Token {
    let has_ended = || remembered.accepted.as_ref().is_some_and(|accepted| accepted.has_ended(now));
    match token_as_said(observation, remembered, plan) {
        Token::Works if has_ended() => Token::Ended,
        Token::NotAsked => not_asked_yet(observation, remembered, plan, now),
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
        Token::Unasked
    } else {
        Token::NotAsked
    }
}

/// Another replica knows when a token ends that does not say so itself.
fn is_said_to_have_ended(observation: &Observation) -> bool {
    let said = observation.xr.previous.of_type(TOKEN_VALID);
    said.is_some_and(|said| said.reason == TOKEN_ENDED && said.status == "False")
}

fn observed_end(observation: &Observation) -> Option<Timestamp> {
    Claims::of(observation.connection.as_ref()?.token.as_ref()?).expires_at
}

fn token_as_said(observation: &Observation, remembered: &Remembered, plan: &Plan) -> Token {
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
            Some(_) => Token::NotAsked,
        },
    }
}

/// Whether the XR says that the token is refused, and this process was not told
/// since that it is accepted: another replica was, and is getting another.
fn was_refused_since(observation: &Observation, remembered: &Remembered) -> bool {
    let Some(said) = observation.xr.previous.of_type(TOKEN_VALID) else { return false };
    let verified_at = remembered.accepted.as_ref().map(|accepted| accepted.verified_at);
    said.reason == TOKEN_REFUSED && verified_at.map_or(said.since.is_some(), |at| said.is_newer_than(at))
}

fn is_accepted(
    observation: &Observation,
    remembered: &Remembered,
    token: infisical::secret::Fingerprint,
) -> bool {
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
fn is_persisted(observation: &Observation, remembered: &Remembered, plan: &Plan) -> bool {
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

/// The problem that stands, also while it is being tried again. One with another
/// place than the present endpoint does not, and of a token that stands only what
/// came of trying that token does.
fn problem<'a>(observation: &Observation, remembered: &'a Remembered, plan: &'a Plan) -> Option<&'a Problem> {
    let is_here = |held: &&Held| {
        observation.endpoint.as_ref().is_ok_and(|endpoint| *endpoint.origin() == held.problem.origin)
    };
    let held = remembered.held.as_deref().filter(is_here);
    match &plan.action {
        Action::Hold { problem, .. } => Some(problem),
        Action::Await | Action::Start(_) => held.map(|held| &held.problem),
        Action::Keep { .. } | Action::HandOut => {
            let accepted = remembered.accepted.as_ref()?;
            held.filter(|held| held.is_about(accepted)).map(|held| &held.problem)
        }
        // The credentials are replaced because of it. Another replica that has them in
        // memory reads here that they are used up, and does not write them again.
        Action::Wait(Wait::PersistingAdmin) if is_replaced(observation, plan) => {
            held.map(|held| &held.problem)
        }
        Action::Wait(_) => None,
    }
}

fn is_replaced(observation: &Observation, plan: &Plan) -> bool {
    plan.admin == AdminSecret::None && observation.persisted_admin.is_some()
}

/// An instance whose database was emptied gets a new token without its
/// condition ever being false, so this is told by an event of its own, with the
/// response that hands the token out.
fn bootstrapped_again(remembered: &Remembered) -> Option<Event> {
    let accepted = remembered.accepted.as_ref()?;
    let origin = &accepted.origin;
    (remembered.bootstrapped_again.as_deref() == Some(&accepted.token)).then(|| {
        let what = format!(
            "Infisical at {origin} was empty, as after the loss of its database, and was bootstrapped again"
        );
        warning("BootstrappedAgain", what)
    })
}

/// Whether nobody has the password of the admin, though the token works.
fn password_is_gone(observation: &Observation, plan: &Plan) -> bool {
    matches!(observation.admin, AdminSource::Generated { .. })
        && plan.admin == AdminSecret::None
        && observation.adopted.is_none()
}

fn bootstrapped(observation: &Observation, plan: &Plan, token: &Token, problem: Option<&Problem>) -> Says {
    match token {
        Token::Works | Token::NotAsked | Token::Unasked | Token::MayHaveEnded
            if password_is_gone(observation, plan) =>
        {
            Says {
                status: Status::ConditionTrue,
                reason: "AdminSecretMissing",
                message: format!(
                    "{}, but {}: when the token ends and cannot be renewed, nobody can get another. Set the admin's \
                 password anew in Infisical, and supply it with input.admin.credentials or input.admin.secretRef",
                    connection_is_there(observation),
                    no_admin_secret(observation)
                ),
            }
        }
        Token::Works | Token::NotAsked | Token::Unasked | Token::MayHaveEnded => Says {
            status: Status::ConditionTrue,
            reason: "Bootstrapped",
            message: connection_is_there(observation),
        },
        Token::None | Token::Refused | Token::Ended => {
            let (reason, message) = match (&plan.action, problem) {
                (Action::Wait(wait), None) => waiting(observation, wait),
                (_, Some(problem)) if knew_the_password(observation, problem) => {
                    return problem_of_before(observation).unwrap_or_else(|| of_problem(problem));
                }
                (_, Some(problem)) => {
                    let says = named_before(observation, problem);
                    let says = says.or_else(|| has_no_place_for_the_admin(observation, problem));
                    return says.unwrap_or_else(|| of_problem(problem));
                }
                (_, None) => match problem_of_before(observation) {
                    Some(says) => return says,
                    None => ("Bootstrapping", bootstrapping(observation)),
                },
            };
            Says { status: Status::ConditionFalse, reason, message }
        }
    }
}

/// What there is in place of an admin Secret of this XR.
fn no_admin_secret(observation: &Observation) -> String {
    let secret = &observation.admin_secret;
    match observation.admin_place {
        Place::Taken(_) => format!("Secret {secret} is not this composite resource's, so it is not read"),
        Place::Free | Place::NotAsked => format!("there is no admin Secret {secret}"),
    }
}

/// Says of an admin Secret that is missing that another is in its place: it is not gone,
/// and none is written there.
fn has_no_place_for_the_admin(observation: &Observation, problem: &Problem) -> Option<Says> {
    let ProblemKind::AdminSecretMissing { initialized } = problem.kind else { return None };
    let Place::Taken(waiting) = &observation.admin_place else { return None };
    let (reason, message) = if initialized {
        let message = format!(
            "The token for Infisical at {} does not work any more, and {}. If it has the admin's email and \
             password, name it in input.admin.secretRef; else supply them with input.admin.credentials or \
             input.admin.secretRef",
            problem.origin,
            no_admin_secret(observation)
        );
        (problem.reason(), message)
    } else {
        of_waiting(waiting)
    };
    Some(Says { status: Status::ConditionFalse, reason, message })
}

fn connection_is_there(observation: &Observation) -> String {
    let (server, secret) = (server(observation, "the server"), &observation.connection_secret);
    format!("The connection to {server} is in Secret {secret}")
}

/// What came of asking a server names it: the XR may be pointed at another since.
pub(super) fn server(observation: &Observation, unknown: &str) -> String {
    match &observation.endpoint {
        Ok(endpoint) => format!("Infisical at {}", endpoint.origin()),
        Err(_) => unknown.to_owned(),
    }
}

fn of_problem(problem: &Problem) -> Says {
    Says { status: Status::ConditionFalse, reason: problem.reason(), message: problem.message() }
}

/// Whether a password is refused of which this replica does not remember, but the
/// XR says, that it once worked.
fn knew_the_password(observation: &Observation, problem: &Problem) -> bool {
    let once_worked = || {
        let endpoint = observation.endpoint.as_ref();
        endpoint.is_ok_and(|endpoint| password_once_worked(observation, endpoint))
    };
    matches!(problem.kind, ProblemKind::BootstrappedElsewhere { .. }) && once_worked()
}

/// What the XR says of the same problem, where it names another XR. Of several replicas
/// not all know that one, and one that knows another has no better reason: what is said
/// stays, or the XR would change at every reconcile.
fn named_before(observation: &Observation, problem: &Problem) -> Option<Says> {
    let ProblemKind::BootstrappedElsewhere { email, .. } = &problem.kind else { return None };
    let said = observation.xr.previous.of_type(BOOTSTRAPPED)?;
    let is_named = said.reason == BOOTSTRAPPED_ELSEWHERE && names_an_xr(&said.message);
    let is_same = said.is_of(&problem.origin, Some(email));
    (is_named && is_same).then(|| repeated(said)).flatten()
}

/// A restart is no news: a problem that the XR has stands until the server was
/// asked.
fn problem_of_before(observation: &Observation) -> Option<Says> {
    let before = observation.xr.previous.of_type(BOOTSTRAPPED)?;
    let email = password_email(observation);
    let is_about_it = before.is_of_email(email);
    let says = repeated(before).filter(|says| is_about_it && problem::REASONS.contains(&says.reason))?;
    Some(Says { status: Status::ConditionFalse, ..says })
}

fn bootstrapping(observation: &Observation) -> String {
    let origin = observation.endpoint.as_ref().map(|endpoint| endpoint.origin().to_string());
    format!("Infisical at {} is being bootstrapped or logged in to", origin.unwrap_or_default())
}

fn waiting(observation: &Observation, wait: &Wait) -> (&'static str, String) {
    match wait {
        Wait::Requirements => (
            "WaitingForRequirements",
            "Crossplane is asked for resources that are not composed here".to_owned(),
        ),
        Wait::For(waiting) => of_waiting(waiting),
        Wait::PersistingAdmin => (
            "PersistingAdmin",
            format!(
                "The admin's email and password are being written to Secret {}",
                observation.admin_secret
            ),
        ),
    }
}

/// Reason and message of what is not there yet, or in the way.
pub(super) fn of_waiting(waiting: &Waiting) -> (&'static str, String) {
    match waiting {
        Waiting::Instance(why) => ("WaitingForInstance", why.clone()),
        Waiting::Endpoint(what) => {
            ("WaitingForEndpoint", format!("Where Infisical is, is not known yet: {what}"))
        }
        Waiting::Organization(what) => {
            ("WaitingForOrganization", format!("What to call the organization is not known yet: {what}"))
        }
        Waiting::Admin(what) => {
            ("WaitingForAdmin", format!("The admin's email and password are not there yet: {what}"))
        }
        Waiting::AdoptedToken(what) => {
            ("WaitingForAdoptedToken", format!("The token of the instance to adopt is not there yet: {what}"))
        }
        Waiting::Claim(what) => {
            ("WaitingForClaim", format!("Where the Secrets belong is not known yet: {what}"))
        }
        Waiting::SecretTaken(what) => ("SecretTaken", what.clone()),
        Waiting::SecretLeaving(what) => ("WaitingForSecret", what.clone()),
    }
}

fn token_valid(
    observation: &Observation,
    plan: &Plan,
    token: &Token,
    problem: Option<&Problem>,
    lacks_the_right: bool,
) -> Says {
    let secret = &observation.connection_secret;
    // What is asked again may be long past: another replica has said better since.
    let asks = matches!(plan.action, Action::Start(_) | Action::Await);
    let said_before = if asks { token_worked_before(observation) } else { None };
    let problem = problem.filter(|_| said_before.is_none());
    match (token, problem) {
        (Token::None, _) => Says {
            status: Status::ConditionFalse,
            reason: "NoToken",
            message: format!("There is no token in Secret {secret} yet"),
        },
        (Token::Refused, _) => Says {
            status: Status::ConditionFalse,
            reason: TOKEN_REFUSED,
            message: format!("{} refuses the token in Secret {secret}", server(observation, "The server")),
        },
        (Token::Ended, _) => Says {
            status: Status::ConditionFalse,
            reason: TOKEN_ENDED,
            message: format!(
                "The life of the token in Secret {secret} is over, and there is no other yet. The condition \
                 {BOOTSTRAPPED} says what is in the way"
            ),
        },
        (Token::Works | Token::NotAsked | Token::Unasked, Some(problem)) if problem.is_unreachable() => {
            Says { status: Status::ConditionUnknown, reason: problem.reason(), message: problem.message() }
        }
        (Token::Works, Some(problem)) => Says {
            status: Status::ConditionTrue,
            reason: NOT_RENEWED,
            message: format!("The server accepts the token, but it was not renewed. {}", problem.message()),
        },
        (Token::Works, None) => match said_before {
            Some(says) => says,
            None if lacks_the_right => not_instance_admin(observation),
            None => accepted(observation),
        },
        (Token::NotAsked, _) => {
            token_worked_before(observation).unwrap_or_else(|| not_asked(observation, plan))
        }
        (Token::Unasked, _) => not_asked(observation, plan),
        (Token::MayHaveEnded, _) => Says {
            status: Status::ConditionUnknown,
            reason: TOKEN_ENDED,
            message: format!(
                "By the clock here the life of the token in Secret {secret} is over, and {} was not reached yet to \
                 ask",
                server(observation, "the server")
            ),
        },
    }
}

fn accepts(observation: &Observation) -> String {
    let (server, secret) = (server(observation, "The server"), &observation.connection_secret);
    format!("{server} accepts the token in Secret {secret}")
}

fn accepted(observation: &Observation) -> Says {
    Says { status: Status::ConditionTrue, reason: ACCEPTED, message: accepts(observation) }
}

fn not_instance_admin(observation: &Observation) -> Says {
    Says {
        status: Status::ConditionTrue,
        reason: NOT_INSTANCE_ADMIN,
        message: format!(
            "{}, but its identity is not an instance admin (any more). Give it the right in the server admin's \
             settings, or put a token of an instance admin into that Secret",
            accepts(observation)
        ),
    }
}

fn not_asked(observation: &Observation, plan: &Plan) -> Says {
    let secret = &observation.connection_secret;
    let (reason, message) = match &plan.action {
        Action::Wait(wait) => waiting(observation, wait),
        _ => ("Verifying", format!("The server is being asked about the token in Secret {secret}")),
    };
    Says { status: Status::ConditionUnknown, reason, message }
}

/// Cuts a message to what an event can have. Names and values out of the cluster
/// are in some, and may be of any length.
#[must_use]
pub fn bounded(mut message: String) -> String {
    if message.len() > MESSAGE_LONGEST {
        let end = message.floor_char_boundary(MESSAGE_LONGEST - "…".len());
        message.truncate(end);
        message.push('…');
    }
    message
}

/// What the XR says of a token that worked: a restart is no news, so it stands until the
/// server was asked.
fn token_worked_before(observation: &Observation) -> Option<Says> {
    let previous = observation.xr.previous.of_type(TOKEN_VALID)?;
    match previous.reason.as_str() {
        ACCEPTED if previous.status == "True" => Some(accepted(observation)),
        NOT_INSTANCE_ADMIN if observation.gives_up_the_right() => Some(accepted(observation)),
        NOT_INSTANCE_ADMIN => Some(not_instance_admin(observation)),
        _ => None,
    }
}

pub(super) fn condition(condition_type: &str, says: Says) -> Condition {
    let Says { status, reason, message } = says;
    Condition {
        r#type: condition_type.to_owned(),
        status: status.into(),
        reason: reason.to_owned(),
        message: Some(bounded(message)),
        target: Some(Target::CompositeAndClaim.into()),
    }
}

/// Events at transitions only: when the instance becomes bootstrapped, and when
/// a problem appears that the XR did not have.
pub(super) fn events(verdict: &Verdict, previous: &PreviousConditions) -> Vec<Event> {
    let changed = |condition: &&Condition| {
        let before = previous.of_any_server(&condition.r#type);
        before.is_none_or(|before| before.reason != condition.reason)
    };
    verdict.conditions.iter().filter(changed).filter_map(event).chain(verdict.news.clone()).collect()
}

fn warning(reason: &str, message: String) -> Event {
    Event {
        severity: Severity::Warning.into(),
        message,
        reason: Some(reason.to_owned()),
        target: Some(Target::CompositeAndClaim.into()),
    }
}

fn event(condition: &Condition) -> Option<Event> {
    let severity = match condition.reason.as_str() {
        "Bootstrapped" | hand_off::DONE | status::DECLARED => Severity::Normal,
        // Neither news nor anything to mend.
        ACCEPTED
        | "Verifying"
        | "NoToken"
        | "Bootstrapping"
        | "PersistingAdmin"
        | hand_off::UNDER_WAY
        | hand_off::NOT_ASKED_FOR => return None,
        reason if reason.starts_with("WaitingFor") => return None,
        _ => Severity::Warning,
    };
    Some(Event {
        severity: severity.into(),
        message: condition.message.clone().unwrap_or_default(),
        reason: Some(condition.reason.clone()),
        target: Some(Target::CompositeAndClaim.into()),
    })
}

#[cfg(test)]
mod tests;
