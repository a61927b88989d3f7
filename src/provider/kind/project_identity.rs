//! A membership: found by its project and its identity, of which there is one at most.

use std::sync::Arc;

use async_trait::async_trait;
use infisical::api::{
    CreateMembership, DeleteMembership, IdentityMembership, MembershipRole, ReadMembership, UpdateMembership,
};

use super::{deleted, found, missing, refusal, roles::temporary};
use crate::{
    api::project_identity::{
        MemberRole, ProjectIdentity, ProjectIdentityObservation, ProjectIdentityParameters,
    },
    connect::{Served, session::Open},
    managed::external::{
        ConnectionDetails, Difference, External, ExternalError, FoundBy, Made, ManagedKind, Mark, Read,
        is_uuid,
    },
};

/// A membership that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The project and the identity, as the external name has them.
    id: String,
    project_id: String,
    membership: IdentityMembership,
}

/// All roles, since the server replaces all.
type Change = Vec<MembershipRole>;

/// The external name of a membership: the server gives it an id that no route takes.
fn id_of(project_id: &str, identity_id: &str) -> String {
    format!("{project_id}/{identity_id}")
}

/// The project and the identity of an external name.
fn parts(id: &str) -> Option<(&str, &str)> {
    id.split_once('/').filter(|(project, identity)| is_uuid(project) && is_uuid(identity))
}

fn roles(wanted: &ProjectIdentityParameters) -> Result<Vec<MembershipRole>, ExternalError> {
    let role = |it: &MemberRole| {
        let (range, start) = (it.temporary_range.as_deref(), it.temporary_access_start_time.as_deref());
        let temporary = temporary(range, start, "roles[].temporaryAccessStartTime")?;
        Ok(MembershipRole { role: it.role_slug.clone(), temporary })
    };
    wanted.roles.as_deref().ok_or_else(|| missing("roles"))?.iter().map(role).collect()
}

fn sorted(mut roles: Vec<MembershipRole>) -> Vec<MembershipRole> {
    let key = |role: &MembershipRole| {
        (role.role.clone(), role.temporary.as_ref().map(|it| (it.start, it.range.clone())))
    };
    roles.sort_by_key(key);
    roles
}

impl ManagedKind for ProjectIdentity {
    type Seen = Seen;
    type Change = Change;
    const FOUND_BY: FoundBy = FoundBy::Key;
    const IS_REFERRED_TO: bool = false;

    fn id(seen: &Seen) -> &str {
        &seen.id
    }

    fn is_id(name: &str) -> bool {
        parts(name).is_some()
    }

    fn observation(seen: &Seen) -> ProjectIdentityObservation {
        let role = |role: MembershipRole| {
            let temporary = role.temporary;
            MemberRole {
                role_slug: role.role,
                is_temporary: Some(temporary.is_some()),
                temporary_range: temporary.as_ref().map(|it| it.range.clone()),
                temporary_access_start_time: temporary.as_ref().map(|it| it.start.to_string()),
            }
        };
        ProjectIdentityObservation {
            id: Some(seen.id.clone()),
            project_id: Some(seen.project_id.clone()),
            identity_id: Some(seen.membership.identity_id.clone()),
            roles: sorted(seen.membership.roles.clone()).into_iter().map(role).collect(),
        }
    }

    fn observed_id(observation: &ProjectIdentityObservation) -> Option<&str> {
        observation.id.as_deref()
    }

    fn compare(wanted: &ProjectIdentityParameters, seen: &Seen) -> Difference<Change> {
        let (project, identity) = (&seen.project_id, &seen.membership.identity_id);
        for (field, wanted, seen) in
            [("projectId", &wanted.project_id, project), ("identityId", &wanted.identity_id, identity)]
        {
            if let Some(wanted) = wanted.as_ref().filter(|wanted| !wanted.eq_ignore_ascii_case(seen)) {
                return Difference::Fixed(format!(
                    "spec.forProvider.{field} is {wanted}, and the membership is of {seen}, which cannot be \
                     changed: make another ProjectIdentity"
                ));
            }
        }
        if wanted.roles.is_none() {
            return Difference::None;
        }
        match roles(wanted).map(sorted) {
            Ok(roles) if roles == sorted(seen.membership.roles.clone()) => Difference::None,
            Ok(roles) => Difference::Change(roles),
            Err(error) => Difference::Fixed(error.message),
        }
    }

    fn complete(wanted: &ProjectIdentityParameters) -> Result<(), &'static str> {
        wanted.project_id.as_ref().ok_or("projectId")?;
        wanted.identity_id.as_ref().map(|_| ()).ok_or("identityId")
    }
}

impl Served for ProjectIdentity {
    fn external(open: &Arc<Open>) -> Arc<dyn External<Self>> {
        Arc::new(Memberships(Arc::clone(open)))
    }
}

/// The routes of memberships.
struct Memberships(Arc<Open>);

impl Memberships {
    async fn read(&self, project_id: &str, identity_id: &str) -> Result<Option<Seen>, ExternalError> {
        let read = ReadMembership { token: &self.0.token, project_id, identity_id };
        let membership = found(self.0.send(&read).await)?;
        Ok(membership.map(|membership| Seen {
            id: id_of(project_id, &membership.identity_id),
            project_id: project_id.to_owned(),
            membership,
        }))
    }
}

fn no_id() -> ExternalError {
    ExternalError::refused("the annotation crossplane.io/external-name is no <project id>/<identity id>")
}

#[async_trait]
impl External<ProjectIdentity> for Memberships {
    async fn observe(
        &self,
        id: &str,
        _: &ProjectIdentityParameters,
        _: Read,
    ) -> Result<Option<Seen>, ExternalError> {
        let (project_id, identity_id) = parts(id).ok_or_else(no_id)?;
        self.read(project_id, identity_id).await
    }

    async fn find(
        &self,
        wanted: &ProjectIdentityParameters,
        _: Mark<'_>,
        _: Read,
    ) -> Result<Vec<Seen>, ExternalError> {
        let project_id = wanted.project_id.as_deref().ok_or_else(|| missing("projectId"))?;
        let identity_id = wanted.identity_id.as_deref().ok_or_else(|| missing("identityId"))?;
        Ok(self.read(project_id, identity_id).await?.into_iter().collect())
    }

    async fn create(&self, wanted: &ProjectIdentityParameters, _: Mark<'_>) -> Result<Made, ExternalError> {
        let project_id = wanted.project_id.as_deref().ok_or_else(|| missing("projectId"))?;
        let identity_id = wanted.identity_id.as_deref().ok_or_else(|| missing("identityId"))?;
        let roles = &roles(wanted)?;
        let create = CreateMembership { token: &self.0.token, project_id, identity_id, roles };
        self.0.send(&create).await.map_err(refusal)?;
        Ok(Made { id: id_of(project_id, identity_id), details: ConnectionDetails::default() })
    }

    async fn update(
        &self,
        id: &str,
        _: &ProjectIdentityParameters,
        roles: &Change,
    ) -> Result<ConnectionDetails, ExternalError> {
        let (project_id, identity_id) = parts(id).ok_or_else(no_id)?;
        let update = UpdateMembership { token: &self.0.token, project_id, identity_id, roles };
        self.0.send(&update).await.map_err(refusal)?;
        Ok(ConnectionDetails::default())
    }

    async fn delete(&self, id: &str, _: &ProjectIdentityParameters) -> Result<(), ExternalError> {
        let (project_id, identity_id) = parts(id).ok_or_else(no_id)?;
        deleted(self.0.send(&DeleteMembership { token: &self.0.token, project_id, identity_id }).await)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROJECT: &str = "7fb194b6-bdc8-4a18-9d2b-4b5a7e0f6a11";
    const IDENTITY: &str = "8fb194b6-bdc8-4a18-9d2b-4b5a7e0f6a11";

    fn wanted(roles: &[MemberRole]) -> ProjectIdentityParameters {
        ProjectIdentityParameters {
            project_id: Some(PROJECT.to_owned()),
            identity_id: Some(IDENTITY.to_owned()),
            roles: Some(roles.to_vec()),
            ..Default::default()
        }
    }

    fn role(slug: &str, start: Option<&str>) -> MemberRole {
        MemberRole {
            role_slug: slug.to_owned(),
            is_temporary: start.map(|_| true),
            temporary_range: start.map(|_| "1h".to_owned()),
            temporary_access_start_time: start.map(str::to_owned),
        }
    }

    fn seen(roles_of: &[MemberRole]) -> Seen {
        let roles = roles(&wanted(roles_of)).unwrap();
        let membership = IdentityMembership { identity_id: IDENTITY.to_owned(), roles };
        Seen { id: id_of(PROJECT, IDENTITY), project_id: PROJECT.to_owned(), membership }
    }

    #[test]
    fn roles_are_compared_as_a_set() {
        let (viewer, member) = (role("viewer", None), role("member", Some("2026-01-31T12:00:00Z")));
        let same = seen(&[viewer.clone(), member.clone()]);
        assert_eq!(ProjectIdentity::compare(&wanted(&[member, viewer.clone()]), &same), Difference::None);
        // The same instant, written otherwise.
        let later = role("member", Some("2026-01-31T13:00:00.000+01:00"));
        assert_eq!(ProjectIdentity::compare(&wanted(&[viewer.clone(), later]), &same), Difference::None);
        let change = Difference::Change(roles(&wanted(std::slice::from_ref(&viewer))).unwrap());
        assert_eq!(ProjectIdentity::compare(&wanted(&[viewer]), &same), change);
        let none = ProjectIdentityParameters::default();
        assert_eq!(ProjectIdentity::compare(&none, &same), Difference::None);
    }

    #[test]
    fn a_membership_does_not_move() {
        let other = ProjectIdentityParameters { project_id: Some(IDENTITY.to_owned()), ..wanted(&[]) };
        let Difference::Fixed(why) = ProjectIdentity::compare(&other, &seen(&[])) else {
            panic!("it is fixed")
        };
        assert!(why.starts_with("spec.forProvider.projectId is 8fb1"), "{why}");
    }

    #[test]
    fn an_external_name_is_a_project_and_an_identity() {
        assert_eq!(parts(&id_of(PROJECT, IDENTITY)), Some((PROJECT, IDENTITY)));
        for wrong in ["", "/", PROJECT, "a/b", "7fb194b6-bdc8-4a18-9d2b-4b5a7e0f6a11/../x"] {
            assert!(!ProjectIdentity::is_id(wrong), "{wrong}");
        }
    }
}
