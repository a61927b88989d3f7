//! What a replica infers from the conditions that the XR has: what another replica was told by
//! the server since, or this one before a restart.
//!
//! Replicas do not talk to each other. Each finds out what it needs from the server, and an
//! XR that says something else is a reason to ask again, never to do anything else. Who may
//! write the XR's status can make a condition up, so nothing that is inferred here lets a
//! credential go anywhere, nor revokes or deletes one. Pure.

use infisical::{endpoint::Origin, secret::Email};
use jiff::Timestamp;

use crate::model::{
    condition::{
        ConditionType::{self, Bootstrapped, HandedOff, StatusWritten, TokenValid},
        Status,
    },
    problem::names_an_xr,
    reason::{Cause, Reason},
    xr::{PreviousCondition, PreviousConditions},
};

/// What follows from a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inference {
    /// The server was connected before: an unknown admin is not somebody else's instance.
    WasConnected,
    /// The admin's password has worked, so that its refusal is no other's instance.
    PasswordWorked,
    /// A bootstrap was interrupted, and the email is used up.
    EmailUsedUp,
    /// Whose instance it is: what is said stays, whoever knows of another.
    OwnerNamed,
    /// The problem persists until this process has asked.
    ProblemPersists,
    /// A server has said it: a process that met another problem before says this one.
    ProblemSaid,
    /// The token worked, and does until this process has asked.
    TokenWorked,
    /// The same, without the instance admin right.
    TokenLackedTheRight,
    /// The token is refused, and another replica gets another.
    TokenRefused,
    /// The token's life is over.
    TokenEnded,
    /// A server has said it: a process that was told otherwise before asks again.
    ServerSaid,
    /// A process could not ask about the token yet, for that reason.
    NeverAnswered,
    /// It was handed off, and is until this process has asked.
    WasHandedOff,
    /// The same, and nothing was left to do.
    AllHandedOff,
    /// Fields of the status are left out.
    FieldsLeftOut,
}

/// What else has to hold for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent conditions, each a column of the table")]
pub struct Needs {
    /// The message names the server at which this process looks.
    pub server: bool,
    /// The message names no other email than the admin's.
    pub email: bool,
    /// The message names another XR.
    pub owner: bool,
    /// It is newer than what this process was told.
    pub newer: bool,
}

/// What this process knows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Known<'a> {
    /// The server at which it looks.
    pub origin: Option<&'a Origin>,
    /// The admin's email.
    pub email: Option<&'a Email>,
    /// When it was told by the server what it knows; `None` where it was not.
    pub told_at: Option<Timestamp>,
    /// Whether what it was told leaves something open, which another replica may know.
    pub is_in_doubt: bool,
}

impl Inference {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::WasConnected,
        Self::PasswordWorked,
        Self::EmailUsedUp,
        Self::OwnerNamed,
        Self::ProblemPersists,
        Self::ProblemSaid,
        Self::TokenWorked,
        Self::TokenLackedTheRight,
        Self::TokenRefused,
        Self::TokenEnded,
        Self::ServerSaid,
        Self::NeverAnswered,
        Self::WasHandedOff,
        Self::AllHandedOff,
        Self::FieldsLeftOut,
    ];

    /// What else has to hold. That a condition is about another server than the present one
    /// is seen before, and then nothing follows from it.
    #[must_use]
    pub fn needs(self) -> Needs {
        let nothing = Needs::default();
        match self {
            Self::WasConnected => Needs { server: true, ..nothing },
            Self::PasswordWorked | Self::EmailUsedUp => Needs { server: true, email: true, ..nothing },
            Self::OwnerNamed => Needs { server: true, email: true, owner: true, ..nothing },
            Self::ProblemPersists => Needs { email: true, ..nothing },
            Self::TokenRefused | Self::ServerSaid | Self::ProblemSaid => Needs { newer: true, ..nothing },
            Self::TokenWorked
            | Self::TokenLackedTheRight
            | Self::TokenEnded
            | Self::NeverAnswered
            | Self::WasHandedOff
            | Self::AllHandedOff
            | Self::FieldsLeftOut => nothing,
        }
    }
}

/// What follows from a condition, if what [`Inference::needs`] tells holds.
#[must_use]
pub fn inferences(condition: ConditionType, status: Status, reason: Reason) -> &'static [Inference] {
    use Inference as I;
    match (condition, status, reason) {
        // Made up: this function does not say so.
        _ if !reason.is_of(condition, status) => &[],
        (Bootstrapped, Status::True, _) => &[I::WasConnected],
        (Bootstrapped, _, Reason::AdminLoginRefused) => {
            &[I::ProblemPersists, I::ProblemSaid, I::PasswordWorked]
        }
        (Bootstrapped, _, Reason::PartiallyBootstrapped) => {
            &[I::ProblemPersists, I::ProblemSaid, I::EmailUsedUp]
        }
        (Bootstrapped, _, Reason::BootstrappedElsewhere) => {
            &[I::ProblemPersists, I::ProblemSaid, I::OwnerNamed]
        }
        (Bootstrapped, ..) if reason.is_problem() => &[I::ProblemPersists, I::ProblemSaid],
        (TokenValid, _, Reason::Accepted) => &[I::ServerSaid, I::TokenWorked],
        (TokenValid, _, Reason::NotInstanceAdmin) => &[I::ServerSaid, I::TokenLackedTheRight],
        (TokenValid, _, Reason::TokenRefused) => &[I::ServerSaid, I::TokenRefused],
        (TokenValid, Status::False, Reason::TokenEnded) => &[I::ServerSaid, I::TokenEnded],
        (TokenValid, Status::Unknown, _) if reason.cause() == Cause::Waiting => &[I::NeverAnswered],
        (HandedOff, Status::True, Reason::HandedOff) => &[I::ServerSaid, I::WasHandedOff, I::AllHandedOff],
        (HandedOff, Status::Unknown, _) => &[I::ServerSaid, I::WasHandedOff],
        (TokenValid | HandedOff, ..) if comes_of_asking(reason) => &[I::ServerSaid],
        (StatusWritten, Status::False, _) => &[I::FieldsLeftOut],
        (Bootstrapped | TokenValid | HandedOff | StatusWritten, ..) => &[],
    }
}

/// Whether a reason came of asking the server.
fn comes_of_asking(reason: Reason) -> bool {
    reason.is_problem() || reason.cause() == Cause::Answer
}

impl Known<'_> {
    /// Whether what the XR says may be newer than what this process was told: a replica that
    /// was told otherwise since has said so. In doubt of which came first it is this process
    /// that knows better, unless it is in doubt of what it was told.
    #[must_use]
    pub(crate) fn is_older_than(&self, said: &PreviousCondition) -> bool {
        self.told_at.is_none_or(|told_at| {
            said.is_newer_than(told_at) || (self.is_in_doubt && !said.is_older_than(told_at))
        })
    }

    /// The condition that something follows from.
    #[must_use]
    pub(crate) fn infers<'a>(
        &self,
        inference: Inference,
        of: ConditionType,
        previous: &'a PreviousConditions,
    ) -> Option<&'a PreviousCondition> {
        let said = previous.of_type(of)?;
        if !inferences(of, said.status, said.reason?).contains(&inference) {
            return None;
        }
        let needs = inference.needs();
        let holds = (!needs.server || self.origin.is_some_and(|origin| said.names(origin) == Some(true)))
            && (!needs.email || said.is_of_email(self.email))
            && (!needs.owner || names_an_xr(&said.message))
            && (!needs.newer || self.is_older_than(said));
        holds.then_some(said)
    }

    /// Whether something follows.
    #[must_use]
    pub(crate) fn is_inferred(
        &self,
        inference: Inference,
        of: ConditionType,
        previous: &PreviousConditions,
    ) -> bool {
        self.infers(inference, of, previous).is_some()
    }

    /// Whether the XR says something else than what this process was told, and has it of a
    /// server that was asked since.
    #[must_use]
    pub(crate) fn is_contradicted(
        &self,
        of: ConditionType,
        own: Reason,
        previous: &PreviousConditions,
    ) -> bool {
        let said = self.infers(Inference::ServerSaid, of, previous);
        said.is_some_and(|said| said.reason != Some(own))
    }

    /// What the XR goes on saying instead of what this process would: a replica was told
    /// otherwise since, and saying what is older would change the XR back and forth at every
    /// reconcile. What is seen in the cluster is no matter of who asked last.
    #[must_use]
    pub(crate) fn superseded_by<'a>(
        &self,
        of: ConditionType,
        (status, reason): (Status, Reason),
        previous: &'a PreviousConditions,
    ) -> Option<&'a PreviousCondition> {
        let fails = status == Status::False;
        match of {
            Bootstrapped if fails && (reason == Reason::Bootstrapping || reason.is_problem()) => {
                self.infers(Inference::ProblemSaid, of, previous)
            }
            TokenValid if !fails => {
                let said = self.infers(Inference::ServerSaid, of, previous)?;
                (said.status != Status::False).then_some(said)
            }
            HandedOff if comes_of_asking(reason) => {
                let said = self.infers(Inference::ServerSaid, of, previous)?;
                let is_alike = fails == (said.status == Status::False);
                // Whoever was told the worse before the server stopped saying more.
                let is_worse = said.reason == Some(reason) && said.status == Status::False;
                let is_known_better = said.reason == Some(Reason::HandedOff) && self.is_in_doubt;
                (is_alike || is_worse || is_known_better).then_some(said)
            }
            Bootstrapped | TokenValid | HandedOff | StatusWritten => None,
        }
    }
}

#[cfg(test)]
mod tests;
