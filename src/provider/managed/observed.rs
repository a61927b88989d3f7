//! What was seen of an external resource, and who has it.

use jiff::Timestamp;

use super::{
    annotations::Annotations,
    claim::Claim,
    cluster::Cluster,
    external::{ConnectionDetails, Difference, External, ExternalError, FoundBy, ManagedKind, Mark, Read},
    halt::Halt,
    plan::{Differs, Look, Present, Seen, Spent},
    policies::Policies,
    report::Report,
};
use crate::api::resource::Managed;

/// What was seen.
pub(super) struct Observed<K: ManagedKind> {
    /// The resource, if it is there.
    pub(super) found: Option<K::Seen>,
    /// The parameters with what the author left out.
    pub(super) late: Option<K::Parameters>,
    /// The parameters by which it was found.
    pub(super) place: K::Parameters,
    read: Read,
    is_named: bool,
    difference: Difference<K::Change>,
    spent: Spent,
    owner: Option<String>,
    surplus: Option<String>,
}

impl<K: ManagedKind> Observed<K> {
    /// As the plan sees it.
    pub(super) fn seen(&self) -> Seen<'_> {
        let Some(found) = &self.found else { return Seen::Absent(self.read) };
        Seen::Present(Present {
            read: self.read,
            id: K::id(found),
            is_named: self.is_named,
            differs: match &self.difference {
                Difference::None => Differs::No,
                Difference::Change(_) => Differs::Yes,
                Difference::Fixed(why) => Differs::Fixed(why),
            },
            spent: self.spent,
            is_late: self.late.is_some(),
            owner: self.owner.as_deref(),
            surplus: self.surplus.as_deref(),
        })
    }

    /// The resource and what has to be sent.
    pub(super) fn difference(&self) -> Option<(&K::Seen, &Difference<K::Change>)> {
        self.found.as_ref().map(|found| (found, &self.difference))
    }
}

/// What the server answered.
struct Answer<S> {
    /// The resources: the one that counts, and others that have our mark.
    all: Vec<S>,
    /// Whether the first was found by its name.
    is_named: bool,
    /// Whether the first was made by us, where that can be told.
    is_marked: bool,
}

impl<S> Answer<S> {
    fn found(all: Vec<S>) -> Self {
        Self { all, is_named: false, is_marked: true }
    }

    fn named(all: Vec<S>) -> Self {
        Self { is_named: true, ..Self::found(all) }
    }
}

/// What the connection Secret holds, of a kind of which something is shown only once, and
/// the time.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) details: ConnectionDetails,
    pub(super) now: Timestamp,
}

/// Looks where the plan says, for what is wanted.
pub(super) async fn observe<K: ManagedKind>(
    cluster: &dyn Cluster<K>,
    external: &dyn External<K>,
    object: &Managed<K>,
    wanted: &K::Parameters,
    held: &Held,
    (look, read): (Look<'_>, Read),
) -> Result<Observed<K>, Halt> {
    let failed = |error| Report::refusal("CannotObserveExternalResource", "observe failed", &error);
    let looked = look_around(external, object, wanted, held, (look, read)).await;
    let (place, answer) = looked.map_err(failed)?;
    let Answer { all, is_named, is_marked } = answer;
    let mut found = all.into_iter();
    let first = found.next();
    let owner = match &first {
        Some(seen) => owner(cluster, object, K::id(seen)).await?,
        None => None,
    };
    let is_deleted = object.metadata.deletion_timestamp.is_some();
    let keeps = K::FOUND_BY == FoundBy::Key
        || first.as_ref().is_some_and(|seen| {
            !is_deleted && K::is_held(seen, &held.details) && K::keeps_old(wanted, seen, held.now)
        });
    Ok(Observed {
        late: first.as_ref().and_then(|seen| K::late_initialize(wanted, seen)),
        difference: first.as_ref().map_or(Difference::None, |seen| K::compare(wanted, seen)),
        surplus: found.next().filter(|_| !keeps).map(|seen| K::id(&seen).to_owned()),
        spent: first.as_ref().map_or(Spent::No, |seen| spent::<K>(wanted, seen, held, is_marked)),
        found: first,
        place,
        // Where nothing can be, there is nothing to ask.
        read: if look == Look::Nowhere { Read::Fresh } else { read },
        is_named,
        owner,
    })
}

/// Looks where it was seen before, and where it is to be.
async fn look_around<K: ManagedKind>(
    external: &dyn External<K>,
    object: &Managed<K>,
    wanted: &K::Parameters,
    held: &Held,
    (look, read): (Look<'_>, Read),
) -> Result<(K::Parameters, Answer<K::Seen>), ExternalError> {
    let shown = object.status.as_ref().and_then(|status| status.at_provider.as_ref());
    if let Some(before) = shown.and_then(|shown| K::seen_in(wanted, shown)) {
        let answer = ask(external, object, &before, held, (look, read)).await?;
        if !answer.all.is_empty() {
            return Ok((before, answer));
        }
    }
    Ok((wanted.clone(), ask(external, object, wanted, held, (look, read)).await?))
}

async fn ask<K: ManagedKind>(
    external: &dyn External<K>,
    object: &Managed<K>,
    wanted: &K::Parameters,
    held: &Held,
    (look, read): (Look<'_>, Read),
) -> Result<Answer<K::Seen>, ExternalError> {
    let mark = Mark(object.metadata.uid.as_deref().unwrap_or_default());
    let complete = || K::complete(wanted).map_err(|field| missing::<K>(field));
    match look {
        Look::Nowhere => complete().map(|()| Answer::found(Vec::new())),
        Look::Id(_) | Look::IdThenKey(_) | Look::Key if K::SHOWN_ONCE => {
            let name = Annotations::of(&object.metadata).external_name();
            let marked = external.find(wanted, mark, read).await?;
            let is_there = |id: &str| marked.iter().any(|seen| K::id(seen) == id);
            match name.filter(|name| !is_there(name)) {
                None => Ok(one_of::<K>(marked, held, name)),
                Some(id) => match external.observe(id, wanted, read).await? {
                    None => Ok(one_of::<K>(marked, held, name)),
                    // It is what the author says it is; the others are none any more.
                    Some(seen) => {
                        let all = [seen].into_iter().chain(marked).collect();
                        Ok(Answer { is_marked: false, ..Answer::named(all) })
                    }
                },
            }
        }
        Look::Id(id) => Ok(Answer::named(external.observe(id, wanted, read).await?.into_iter().collect())),
        Look::IdThenKey(id) => match external.observe(id, wanted, read).await? {
            Some(seen) => Ok(Answer::named(vec![seen])),
            None => Ok(Answer::found(external.find(wanted, mark, read).await?)),
        },
        Look::Import(name) => {
            let wanted = K::with_key(wanted, name).ok_or_else(|| no_id::<K>(name))?;
            Ok(Answer::named(external.find(&wanted, mark, read).await?))
        }
        Look::Key => {
            complete()?;
            Ok(Answer::found(external.find(wanted, mark, read).await?))
        }
    }
}

/// Of those that have our mark: first the one whose value the Secret holds, then the one
/// whose name is written down, then the oldest.
fn one_of<K: ManagedKind>(mut all: Vec<K::Seen>, held: &Held, name: Option<&str>) -> Answer<K::Seen> {
    let is_named = |seen: &K::Seen| name == Some(K::id(seen));
    all.sort_by_key(|seen| (!K::is_held(seen, &held.details), !is_named(seen)));
    let is_first_named = all.first().is_some_and(is_named);
    Answer { is_named: is_first_named, ..Answer::found(all) }
}

fn spent<K: ManagedKind>(wanted: &K::Parameters, seen: &K::Seen, held: &Held, is_marked: bool) -> Spent {
    let will_do = K::is_held(seen, &held.details) && !K::is_over(wanted, seen, held.now);
    match (K::SHOWN_ONCE && !will_do, is_marked) {
        (false, _) => Spent::No,
        (true, true) => Spent::Yes,
        (true, false) => Spent::Imported,
    }
}

fn missing<K: ManagedKind>(field: &str) -> ExternalError {
    ExternalError::refused(format!(
        "which {} it is is not known: spec.forProvider.{field} is missing, and so is the annotation \
         crossplane.io/external-name",
        K::KIND
    ))
}

fn no_id<K: ManagedKind>(name: &str) -> ExternalError {
    ExternalError::refused(format!(
        "the annotation crossplane.io/external-name is {name:?}, which is no id of a {}: write the UUID that \
         Infisical shows",
        K::KIND
    ))
}

/// Who has a resource, if that is another object. Who only looks need not know.
async fn owner<K: ManagedKind>(
    cluster: &dyn Cluster<K>,
    object: &Managed<K>,
    id: &str,
) -> Result<Option<String>, Halt> {
    let policies = Policies::new(&object.spec.management_policies);
    if policies.is_ok_and(|policies| policies.only_observe()) {
        return Ok(None);
    }
    let claims = cluster.claims(id).await.map_err(Halt::Cluster)?;
    Ok(Claim::owner(&Claim::to_be(object, id), &claims).map(str::to_owned))
}
