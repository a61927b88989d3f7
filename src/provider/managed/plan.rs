//! The plan: from what is known of an object and of its external resource, one action.
//!
//! Nothing is done here, so the rules can be read, and tested as a table. [`first`] says
//! what has to be looked at, or that nothing has; [`next`] what is to be done. Where
//! crossplane-runtime has an order, this is it.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    external::{FoundBy, Read},
    policies::Policies,
};

/// How long a request may still have an effect after somebody stopped waiting for it: a
/// server gives up after a minute.
pub const IN_FLIGHT: Duration = Duration::from_secs(65);

/// What is known of an object, before its resource is looked at.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent of each other")]
pub struct Situation<'a> {
    /// Whether the author paused it by its annotation.
    pub is_paused: bool,
    /// What may be done; `None` where the policies do not go together.
    pub policies: Option<&'a Policies>,
    /// Whether the object is being deleted.
    pub is_deleted: bool,
    /// Whether our finalizer is on it.
    pub has_finalizer: bool,
    /// Whether those of others are.
    pub has_other_finalizers: bool,
    /// Its external name.
    pub external_name: Option<&'a str>,
    /// Whether that is an id of the server's.
    pub is_id: bool,
    /// Since when a create is open.
    pub open_create: Option<Timestamp>,
    /// How its kind is found again.
    pub found_by: FoundBy,
    /// Whether the server shows something of it only when it is made.
    pub is_shown_once: bool,
    /// Whether the resource was changed in this reconcile.
    pub is_updated: bool,
    /// Whether another was made in its place in this reconcile.
    pub is_replaced: bool,
    /// Whether it was deleted in this reconcile.
    pub delete_was_asked: bool,
    /// The time.
    pub now: Timestamp,
}

/// What has to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look<'a> {
    /// Nothing was ever made and nothing can be found: it is absent.
    Nowhere,
    /// The resource of this id.
    Id(&'a str),
    /// The resource of this id, and where there is none, what a create may have left.
    IdThenKey(&'a str),
    /// The resource that an author imports by this natural key.
    Import(&'a str),
    /// The resource of the natural key, or with the mark.
    Key,
}

/// What was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen<'a> {
    /// It is not there.
    Absent(Read),
    /// It is there.
    Present(Present<'a>),
}

/// A resource that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Present<'a> {
    /// How new what was seen is.
    pub read: Read,
    /// The id that the server gave it.
    pub id: &'a str,
    /// Whether it was found by the external name.
    pub is_named: bool,
    /// What differs.
    pub differs: Differs<'a>,
    /// Whether it will do.
    pub spent: Spent,
    /// Whether there are parameters to fill in.
    pub is_late: bool,
    /// The object that has it already, as `namespace/name`.
    pub owner: Option<&'a str>,
    /// The id of another one with our mark, made by a second create.
    pub surplus: Option<&'a str>,
}

/// Whether a resource of which something is shown only once will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spent {
    /// It will.
    No,
    /// What was shown is lost, or it is too old: another one is made in its place.
    Yes,
    /// The same, and it was not made by us.
    Imported,
}

/// What differs, without what has to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Differs<'a> {
    /// Nothing.
    No,
    /// Something that can be changed.
    Yes,
    /// Something that cannot, and why.
    Fixed(&'a str),
}

/// What is to be done: one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action<'a> {
    /// Say that nothing is done.
    Pause,
    /// Say that the policies do not go together.
    RefusePolicies,
    /// Nothing, and nothing to say.
    Nothing,
    /// Take our finalizer off: there is nothing of ours, or it stays.
    Release,
    /// Wait until we are the last to hold a finalizer.
    AwaitFinalizers,
    /// Wait until an earlier create has had its effect, or can have none any more.
    AwaitCreate(Duration),
    /// Wait until the resource that was deleted is gone.
    AwaitDeletion,
    /// Look once more, at the server and not at what was read for others.
    LookAgain,
    /// Say that it is not there, and that we may not make it.
    SayAbsent,
    /// Write down the intent, make it, write down its name.
    Create {
        /// Whether an earlier create may still have an effect.
        is_repeated: bool,
    },
    /// Write down that it is ours, under this name.
    Adopt(&'a str),
    /// Put our finalizer on.
    AddFinalizer,
    /// Say that somebody else has made it, and how to import it.
    SayForeign(&'a str),
    /// Say that another object has it.
    SayOwned(&'a str),
    /// Delete what a second create made.
    DeleteSurplus(&'a str),
    /// Fill in what the author left out.
    LateInitialize,
    /// Make another one in its place, before it is deleted.
    Replace,
    /// Say that what was just made in its place will not do either.
    SayStillSpent,
    /// Say that it will not do, and that nothing is made in the place of what was imported.
    SaySpent,
    /// Change it.
    Update,
    /// Say that the server keeps something else than what was sent.
    SayUnsettled,
    /// Say what cannot be changed.
    SayFixed(&'a str),
    /// Delete it.
    Delete(&'a str),
    /// It is as it is to be.
    Settle,
}

/// What is to be done without looking, or what has to be looked at.
///
/// # Errors
/// What is to be done at once.
pub fn first<'a>(situation: &Situation<'a>) -> Result<Look<'a>, Action<'a>> {
    let s = situation;
    let Some(policies) = s.policies else {
        return Err(if s.is_paused { Action::Pause } else { Action::RefusePolicies });
    };
    if s.is_paused || policies.are_paused() {
        return Err(Action::Pause);
    }
    if s.is_deleted {
        let nothing_was_made = s.external_name.is_none() && s.open_create.is_none();
        if !s.has_finalizer {
            return Err(Action::Nothing);
        }
        if !policies.delete() || nothing_was_made {
            return Err(Action::Release);
        }
    }
    Ok(match s.external_name {
        Some(name) if !s.is_id => Look::Import(name),
        Some(id) if s.open_create.is_some() => Look::IdThenKey(id),
        Some(id) => Look::Id(id),
        // A mark is there only once a create was begun.
        None if s.found_by == FoundBy::Mark && s.open_create.is_none() => Look::Nowhere,
        None => Look::Key,
    })
}

/// What is to be done, of what was seen.
#[must_use]
pub fn next<'a>(situation: &Situation<'a>, seen: &Seen<'a>) -> Action<'a> {
    let Some(policies) = situation.policies else { return Action::RefusePolicies };
    match seen {
        Seen::Absent(read) if situation.is_deleted => absent_and_deleted(situation, *read),
        Seen::Absent(read) => absent(situation, policies, *read),
        Seen::Present(present) if situation.is_deleted => present_and_deleted(situation, present),
        Seen::Present(present) => settle(situation, policies, present),
    }
}

fn absent<'a>(s: &Situation<'a>, policies: &Policies, read: Read) -> Action<'a> {
    if !policies.create() {
        return Action::SayAbsent;
    }
    // What was read for others may be older than what we did.
    if read == Read::Shared {
        return Action::LookAgain;
    }
    let left = left_in_flight(s);
    match (s.found_by, left) {
        // A second create would make a second one.
        (FoundBy::Mark, Some(left)) => Action::AwaitCreate(left),
        // The server lets only one of them be.
        (_, left) => Action::Create { is_repeated: left.is_some() },
    }
}

fn absent_and_deleted<'a>(s: &Situation<'a>, read: Read) -> Action<'a> {
    match (read, left_in_flight(s)) {
        (Read::Shared, _) => Action::LookAgain,
        (Read::Fresh, Some(left)) => Action::AwaitCreate(left),
        (Read::Fresh, None) if s.has_other_finalizers => Action::AwaitFinalizers,
        (Read::Fresh, None) => Action::Release,
    }
}

fn present_and_deleted<'a>(s: &Situation<'a>, present: &Present<'a>) -> Action<'a> {
    if present.owner.is_some() || !is_ours(s, present) {
        return Action::Release;
    }
    if s.has_other_finalizers {
        return Action::AwaitFinalizers;
    }
    if present.read == Read::Shared {
        return Action::LookAgain;
    }
    match present.surplus {
        Some(surplus) => Action::DeleteSurplus(surplus),
        None if s.delete_was_asked => Action::AwaitDeletion,
        None => Action::Delete(present.id),
    }
}

/// What is to be done until there is one resource, and its name is written down.
fn become_one<'a>(s: &Situation<'a>, policies: &Policies, present: &Present<'a>) -> Option<Action<'a>> {
    let is_spent = present.spent != Spent::No && policies.create();
    let is_unnamed = s.external_name.is_none_or(|name| s.is_id && name != present.id);
    let is_open = s.open_create.is_some();
    if present.read == Read::Shared && (present.surplus.is_some() || is_open || is_spent) {
        return Some(Action::LookAgain);
    }
    let surplus = present.surplus.map(Action::DeleteSurplus);
    let adopt = (is_unnamed || is_open).then_some(Action::Adopt(present.id));
    if !s.is_shown_once {
        return surplus.or(adopt);
    }
    if is_spent && present.spent == Spent::Imported {
        return Some(Action::SaySpent);
    }
    match left_in_flight(s) {
        // The one that was to be made in its place may still come.
        Some(left) if present.is_named && surplus.is_none() => Some(Action::AwaitCreate(left)),
        // The name first: what is surplus is found again.
        _ => adopt.or(surplus),
    }
}

fn settle<'a>(s: &Situation<'a>, policies: &Policies, present: &Present<'a>) -> Action<'a> {
    let is_fresh = present.read == Read::Fresh;
    // Who only looks may look at what another has.
    if !policies.only_observe() {
        if let Some(owner) = present.owner {
            return Action::SayOwned(owner);
        }
        if !is_ours(s, present) {
            return Action::SayForeign(present.id);
        }
        if let Some(action) = become_one(s, policies, present) {
            return action;
        }
    }
    if !s.has_finalizer {
        return Action::AddFinalizer;
    }
    if present.is_late && policies.late_initialize() {
        return Action::LateInitialize;
    }
    if present.spent == Spent::Yes && policies.create() {
        return if s.is_replaced { Action::SayStillSpent } else { Action::Replace };
    }
    match present.differs {
        Differs::No => Action::Settle,
        Differs::Yes | Differs::Fixed(_) if !policies.update() => Action::Settle,
        Differs::Yes | Differs::Fixed(_) if !is_fresh => Action::LookAgain,
        Differs::Fixed(why) => Action::SayFixed(why),
        Differs::Yes if s.is_updated => Action::SayUnsettled,
        Differs::Yes => Action::Update,
    }
}

/// Ours is what an author named, and what is found after we wrote down that we would make
/// it. What has our mark nobody else has made.
fn is_ours(s: &Situation<'_>, present: &Present<'_>) -> bool {
    present.is_named || s.found_by == FoundBy::Mark || s.open_create.is_some()
}

/// For how long a create that was begun may still have an effect. A time that lies ahead
/// is from a clock that goes wrong, and counts as now.
fn left_in_flight(s: &Situation<'_>) -> Option<Duration> {
    let passed = s.now.duration_since(s.open_create?);
    let left = IN_FLIGHT.saturating_sub(passed.try_into().unwrap_or_default());
    (!left.is_zero()).then_some(left)
}

#[cfg(test)]
mod tests;
