//! The condition of handing off, its reasons and messages, and the Secret with
//! client ID and secret.
//!
//! `InfisicalHandedOff` says whether the client secret is in the cluster and works
//! and, where that is asked for, the instance admin right is revoked. It is there
//! only if handing off is asked for.

use infisical::secret::UniversalAuth;
use jiff::Timestamp;

use super::{content::Content, words};
use crate::{
    agreement::{Inference, Known},
    contract::{composed_secret::SecretData, proto::v1::Condition},
    model::{
        condition::{ConditionType, Status},
        hand_off::{AcceptedIdentity, HandedOff},
        identity::Parts,
        problem::{Problem, ProblemKind},
        reason::Reason,
        remembered::{Accepted, Remembered},
    },
    observe::{HandOff, Observation},
    plan::{
        HandOffAction, HandOffPlan, IdentitySecret, Plan,
        hand_off::{is_persisted, known},
    },
};

/// What a response says of handing off.
pub(super) struct Verdict {
    pub(super) condition: Condition,
    /// Whether the XR may be ready, as far as this goes.
    pub(super) is_ready: bool,
}

/// What is known of the client secret that is emitted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Login {
    None,
    Works,
    /// The server could not be asked yet.
    NotAsked,
    Refused,
}

/// Says what a plan means for the condition and for readiness.
pub(super) fn judge(observation: &Observation, remembered: &Remembered, plan: &Plan) -> Option<Verdict> {
    let Some(wanted) = observation.hand_off.as_deref() else { return not_asked_for(observation) };
    let nothing = HandedOff::default();
    let state = remembered.hand_off.as_deref().unwrap_or(&nothing);
    let at = At { observation, remembered, wanted, state, own: plan.hand_off.as_ref()? };
    let login = at.login();
    if let Some(said) = at.said_while_waiting(login) {
        let is_ready = at.was_done();
        return Some(Verdict { is_ready, condition: said.condition(ConditionType::HandedOff) });
    }
    let may_work = matches!(login, Login::Works) || (login == Login::NotAsked && at.was_done());
    let content = at.newest(at.content(login));
    let may_be_ready = at.is_persisted() && may_work && at.is_settled();
    Some(Verdict {
        is_ready: may_be_ready && content.status != Status::False,
        condition: content.condition(ConditionType::HandedOff),
    })
}

/// What is said of handing off that was asked for once: Crossplane leaves a
/// condition as it is that nobody sets any more.
fn not_asked_for(observation: &Observation) -> Option<Verdict> {
    observation.xr.previous.of_any_server(ConditionType::HandedOff)?;
    let content = Content {
        status: Status::False,
        reason: Reason::NotAskedFor,
        message:
            "input.handOff is not set any more: the Secret is deleted, and the identity stays in Infisical"
                .to_owned(),
    };
    Some(Verdict { is_ready: true, condition: content.condition(ConditionType::HandedOff) })
}

/// What the Secret is emitted with.
pub(super) fn data(observation: &Observation, remembered: &Remembered, plan: &Plan) -> Option<SecretData> {
    let wanted = observation.hand_off.as_deref()?;
    match plan.hand_off.as_ref()?.secret {
        IdentitySecret::None => None,
        IdentitySecret::Observed => {
            let observed = || wanted.observed.as_ref().map(|observed| observed.data.clone());
            accepted(observation, remembered).map(|accepted| accepted.data(&wanted.wanted)).or_else(observed)
        }
        IdentitySecret::Remembered => {
            let accepted = remembered.hand_off.as_ref()?.accepted.as_ref()?;
            accepted.identity.as_ref().map(|identity| identity.parts().data(&wanted.wanted))
        }
    }
}

/// What was accepted, with the observed client secret in it, if that is the accepted one.
/// What else is observed may have been edited since.
fn accepted<'a>(observation: &'a Observation, remembered: &'a Remembered) -> Option<Parts<'a>> {
    let login = observation.hand_off.as_ref()?.observed.as_ref()?.login.as_ref()?;
    let AcceptedIdentity { login: accepted, identity_id, origin, .. } =
        remembered.hand_off.as_ref()?.accepted.as_ref()?;
    let is_here = *origin == *observation.endpoint.as_ref().ok()?.origin();
    let owner = &remembered.accepted.as_ref().filter(|connection| connection.origin == *origin)?.owner;
    (is_here && *accepted == login.fingerprint()).then_some(Parts {
        login,
        id: identity_id.as_deref(),
        origin,
        organization_id: &owner.organization_id,
        organization_slug: &owner.organization_slug,
    })
}

/// What is judged.
struct At<'a> {
    observation: &'a Observation,
    remembered: &'a Remembered,
    wanted: &'a HandOff,
    state: &'a HandedOff,
    own: &'a HandOffPlan,
}

impl At<'_> {
    fn login(&self) -> Login {
        let observed = self.wanted.observed.as_ref().and_then(|observed| observed.login.as_ref());
        match (self.own.secret, observed.map(UniversalAuth::fingerprint)) {
            (IdentitySecret::Remembered, _) => Login::Works,
            (IdentitySecret::None, _) | (IdentitySecret::Observed, None) => Login::None,
            (IdentitySecret::Observed, Some(login)) => {
                let is_here = |origin| {
                    self.observation.endpoint.as_ref().is_ok_and(|endpoint| endpoint.origin() == origin)
                };
                let accepted = self.state.accepted.as_ref().filter(|accepted| accepted.login == login);
                if self.state.refused.contains(&login) {
                    Login::Refused
                } else if accepted.is_some_and(|accepted| is_here(&accepted.origin)) {
                    Login::Works
                } else {
                    Login::NotAsked
                }
            }
        }
    }

    fn is_persisted(&self) -> bool {
        match self.own.secret {
            IdentitySecret::None => false,
            IdentitySecret::Observed => {
                let accepted = accepted(self.observation, self.remembered);
                self.wanted.observed.as_ref().is_some_and(|observed| {
                    observed.in_place
                        && accepted.is_none_or(|accepted| accepted.is_in(observed, &self.wanted.wanted))
                })
            }
            IdentitySecret::Remembered => {
                self.state.accepted.as_ref().is_some_and(|accepted| is_persisted(self.wanted, accepted))
            }
        }
    }

    /// Whether the XR says that it was handed off, as it does while the server
    /// cannot be asked.
    fn was_done(&self) -> bool {
        self.is_said(Inference::WasHandedOff)
    }

    /// Whether the XR says that all is done, and well.
    fn is_said_to_be_done(&self) -> bool {
        self.is_said(Inference::AllHandedOff)
    }

    fn is_said(&self, what: Inference) -> bool {
        let previous = &self.observation.xr.previous;
        Known::default().is_inferred(what, ConditionType::HandedOff, previous)
    }

    /// Whether what the XR says is newer than a moment or, where this process is in doubt,
    /// as new.
    fn is_said_since(&self, at: Timestamp) -> bool {
        let said = self.observation.xr.previous.of_type(ConditionType::HandedOff);
        let known = Known { told_at: Some(at), ..known(self.state) };
        said.is_some_and(|said| known.is_older_than(said))
    }

    /// What the XR says already, while the connection has to stand before anything
    /// can be found out: saying what is older would contradict another replica at
    /// every reconcile.
    fn said_while_waiting(&self, login: Login) -> Option<Content> {
        let said = self.observation.xr.previous.of_type(ConditionType::HandedOff)?;
        let is_so = said.status == Status::False || (self.is_persisted() && login != Login::Refused);
        (self.own.action == HandOffAction::Wait && is_so).then(|| Content::of(said))?
    }

    /// Whether nobody waits for the instance admin right to be revoked. A process
    /// that does not know it, or that asked before the XR said so, goes by what the
    /// XR says.
    fn right_is_settled(&self) -> bool {
        let is_known = |accepted: &Accepted| {
            let is_older = self.is_said_since(accepted.verified_at);
            accepted.is_instance_admin.filter(|is_admin| !is_admin || !is_older)
        };
        let is_admin = self.remembered.accepted.as_ref().and_then(is_known);
        !self.observation.gives_up_the_right()
            || is_admin.map_or_else(|| self.was_done(), |is_admin| !is_admin)
    }

    /// Whether nobody waits for the identity to become a member of its projects, as
    /// far as that can be known.
    fn projects_are_settled(&self) -> bool {
        match &self.state.accepted {
            Some(accepted) if accepted.projects == self.wanted.projects => true,
            Some(accepted) if !self.is_said_since(accepted.verified_at) => false,
            _ => self.wanted.projects.is_empty() || self.was_done(),
        }
    }

    fn is_settled(&self) -> bool {
        self.projects_are_settled() && self.right_is_settled()
    }

    /// The problem that stands, also while it is being tried again.
    fn problem(&self) -> Option<&Problem> {
        match &self.own.action {
            HandOffAction::BackOff(back_off) => Some(&back_off.problem),
            HandOffAction::Wait | HandOffAction::MakeRoom(_) => None,
            // What is asked again may be long past: another replica has said better
            // since.
            HandOffAction::Await | HandOffAction::Start(_) if self.is_said_to_be_done() => None,
            HandOffAction::Await
            | HandOffAction::Start(_)
            | HandOffAction::HandOut
            | HandOffAction::Keep { .. } => {
                let is_here = |problem: &Problem| {
                    let endpoint = self.observation.endpoint.as_ref();
                    endpoint.is_ok_and(|endpoint| *endpoint.origin() == problem.origin)
                };
                self.state.failure.as_ref().map(|failure| &failure.problem).filter(|problem| is_here(problem))
            }
        }
    }

    fn content(&self, login: Login) -> Content {
        if let Some(problem) = self.problem() {
            return self.of_problem(login, problem);
        }
        if let HandOffAction::MakeRoom(waiting) = &self.own.action {
            let (reason, message) = words::of_waiting(waiting);
            return Content { status: Status::False, reason, message };
        }
        let secret = &self.wanted.secret;
        match login {
            Login::Refused => Content {
                status: Status::False,
                reason: Reason::ClientSecretRefused,
                message: format!(
                    "{} refuses the client secret in Secret {secret}; another is made",
                    words::server(self.observation, "The server")
                ),
            },
            Login::None | Login::NotAsked if self.was_done() && self.is_persisted() => self.done(),
            Login::None | Login::NotAsked if self.own.action == HandOffAction::Wait => Content {
                status: Status::False,
                reason: Reason::WaitingForConnection,
                message: "The connection has to stand first: see the condition InfisicalBootstrapped"
                    .to_owned(),
            },
            Login::None => under_way("An identity with a client secret is being made"),
            Login::NotAsked => {
                under_way(&format!("The server is being asked about the client secret in Secret {secret}"))
            }
            Login::Works if !self.is_persisted() && !self.was_done() => {
                under_way(&format!("The client secret is being written to Secret {secret}"))
            }
            Login::Works if !self.projects_are_settled() => {
                under_way("The identity is being made a member of its projects")
            }
            Login::Works if !self.right_is_settled() => {
                under_way("The instance admin right of the connection's identity is being revoked")
            }
            Login::Works => self.done(),
        }
    }

    fn of_problem(&self, login: Login, problem: &Problem) -> Content {
        let says_nothing = problem.is_unreachable() || problem.kind == ProblemKind::IdentityLocked;
        let stands = login == Login::Works || (login == Login::NotAsked && self.was_done());
        let status =
            if says_nothing && stands && self.is_settled() { Status::Unknown } else { Status::False };
        Content { status, reason: problem.reason(), message: problem.message() }
    }

    fn done(&self) -> Content {
        let secret = &self.wanted.secret;
        let server = words::server(self.observation, "the server");
        let message = if self.observation.gives_up_the_right() {
            format!(
                "Client ID and client secret for {server} are in Secret {secret}, and the connection's identity is not \
                 an instance admin any more"
            )
        } else {
            format!("Client ID and client secret for {server} are in Secret {secret}")
        };
        Content { status: Status::True, reason: Reason::HandedOff, message }
    }

    /// What is said, or what the XR says in its place.
    fn newest(&self, content: Content) -> Content {
        let own = (content.status, content.reason);
        let previous = &self.observation.xr.previous;
        let said = known(self.state).superseded_by(ConditionType::HandedOff, own, previous);
        said.and_then(Content::of).unwrap_or(content)
    }
}

fn under_way(message: &str) -> Content {
    Content { status: Status::False, reason: Reason::HandingOff, message: message.to_owned() }
}

#[cfg(test)]
mod tests;
