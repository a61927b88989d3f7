//! What was seen of an external resource, and who has it.

use super::{
    claim::Claim,
    cluster::Cluster,
    external::{Difference, External, ExternalError, FoundBy, ManagedKind, Mark, Read},
    halt::Halt,
    plan::{Differs, Look, Present, Seen},
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
    read: Read,
    is_named: bool,
    difference: Difference<K::Change>,
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

/// What the server answered: the resources, and whether they were found by their name.
type Answer<S> = (Vec<S>, bool);

/// Looks where the plan says, for what is wanted.
pub(super) async fn observe<K: ManagedKind>(
    cluster: &dyn Cluster<K>,
    external: &dyn External<K>,
    object: &Managed<K>,
    wanted: &K::Parameters,
    (look, read): (Look<'_>, Read),
) -> Result<Observed<K>, Halt> {
    let failed = |error| Report::refusal("CannotObserveExternalResource", "observe failed", &error);
    let (found, is_named) = ask(external, object, wanted, (look, read)).await.map_err(failed)?;
    let mut found = found.into_iter();
    let first = found.next();
    let owner = match &first {
        Some(seen) => owner(cluster, object, K::id(seen)).await?,
        None => None,
    };
    Ok(Observed {
        late: first.as_ref().and_then(|seen| K::late_initialize(wanted, seen)),
        difference: first.as_ref().map_or(Difference::None, |seen| K::compare(wanted, seen)),
        surplus: found.next().filter(|_| K::FOUND_BY == FoundBy::Mark).map(|seen| K::id(&seen).to_owned()),
        found: first,
        // Where nothing can be, there is nothing to ask.
        read: if look == Look::Nowhere { Read::Fresh } else { read },
        is_named,
        owner,
    })
}

async fn ask<K: ManagedKind>(
    external: &dyn External<K>,
    object: &Managed<K>,
    wanted: &K::Parameters,
    (look, read): (Look<'_>, Read),
) -> Result<Answer<K::Seen>, ExternalError> {
    let mark = Mark(object.metadata.uid.as_deref().unwrap_or_default());
    let complete = || K::complete(wanted).map_err(|field| missing::<K>(field));
    match look {
        Look::Nowhere => complete().map(|()| (Vec::new(), false)),
        Look::Id(id) => Ok((external.observe(id, wanted, read).await?.into_iter().collect(), true)),
        Look::IdThenKey(id) => match external.observe(id, wanted, read).await? {
            Some(seen) => Ok((vec![seen], true)),
            None => Ok((external.find(wanted, mark, read).await?, false)),
        },
        Look::Import(name) => {
            let wanted = K::with_key(wanted, name).ok_or_else(|| no_id::<K>(name))?;
            Ok((external.find(&wanted, mark, read).await?, true))
        }
        Look::Key => {
            complete()?;
            Ok((external.find(wanted, mark, read).await?, false))
        }
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
