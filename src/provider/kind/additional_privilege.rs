//! An additional privilege: found by its slug, of which an identity has one at most in a
//! project.

use std::sync::Arc;

use async_trait::async_trait;
use infisical::{
    Error, ErrorKind,
    api::{
        CreatePrivilege, DeletePrivilege, ListPrivileges, Privilege, ReadPrivilege, ResourceRefusal,
        Temporary, UpdatePrivilege,
    },
};
use serde_json::{Value, json};

use super::{deleted, found, missing, refusal, roles::temporary};
use crate::{
    api::additional_privilege::{
        AdditionalPrivilege, AdditionalPrivilegeObservation, AdditionalPrivilegeParameters, Permission,
    },
    connect::{Served, session::Open},
    managed::external::{
        ConnectionDetails, Difference, External, ExternalError, FoundBy, Made, ManagedKind, Mark, Read,
    },
};

/// A privilege that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    privilege: Privilege,
    /// Whether it is of another identity or project than the parameters say.
    is_elsewhere: bool,
}

/// All of it, since the server replaces all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    slug: String,
    temporary: Option<Temporary>,
    permissions: Vec<Value>,
}

/// A permission as the server is sent it.
fn written(permission: &Permission) -> Value {
    let Permission { subject, action, conditions, inverted } = permission;
    let fields = [
        ("subject", Some(json!(subject))),
        ("action", Some(json!(action))),
        ("conditions", conditions.clone()),
        ("inverted", inverted.filter(|it| *it).map(Value::Bool)),
    ];
    fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// A permission in the one form in which equal ones are equal: the server adds `inverted`,
/// and the order of actions does not count.
fn canonical(permission: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut actions: Vec<String> = match permission.get("action") {
        Some(Value::Array(actions)) => actions.iter().map(text).collect(),
        Some(action) => vec![text(action)],
        None => Vec::new(),
    };
    actions.sort();
    actions.dedup();
    let conditions =
        permission.get("conditions").filter(|it| it.as_object().is_some_and(|it| !it.is_empty()));
    let is_inverted = permission.get("inverted") == Some(&Value::Bool(true));
    // Objects of serde_json are in the order of their keys.
    json!([permission.get("subject"), actions, conditions, is_inverted]).to_string()
}

fn set(permissions: &[Value]) -> Vec<String> {
    let mut all: Vec<_> = permissions.iter().map(canonical).collect();
    all.sort();
    all.dedup();
    all
}

fn duration(wanted: &AdditionalPrivilegeParameters) -> Result<Option<Temporary>, ExternalError> {
    let (range, start) = (wanted.temporary_range.as_deref(), wanted.temporary_access_start_time.as_deref());
    temporary(range, start, "temporaryAccessStartTime")
}

impl ManagedKind for AdditionalPrivilege {
    type Seen = Seen;
    type Change = Change;
    const FOUND_BY: FoundBy = FoundBy::Key;
    const IS_REFERRED_TO: bool = false;

    fn id(seen: &Seen) -> &str {
        &seen.privilege.id
    }

    fn observation(seen: &Seen) -> AdditionalPrivilegeObservation {
        let temporary = seen.privilege.temporary.as_ref();
        AdditionalPrivilegeObservation {
            id: Some(seen.privilege.id.clone()),
            slug: Some(seen.privilege.slug.clone()),
            temporary_range: temporary.map(|it| it.range.clone()),
            temporary_access_start_time: temporary.map(|it| it.start.to_string()),
        }
    }

    fn observed_id(observation: &AdditionalPrivilegeObservation) -> Option<&str> {
        observation.id.as_deref()
    }

    fn compare(wanted: &AdditionalPrivilegeParameters, seen: &Seen) -> Difference<Change> {
        if seen.is_elsewhere {
            return Difference::Fixed(
                "the privilege is of another identity or project than spec.forProvider.identityId and projectId \
                 say, which cannot be changed: make another AdditionalPrivilege"
                    .to_owned(),
            );
        }
        let now = &seen.privilege;
        let slug = wanted.slug.clone().unwrap_or_else(|| now.slug.clone());
        let permissions = wanted.permissions.as_ref().map(|all| all.iter().map(written).collect::<Vec<_>>());
        let temporary = match duration(wanted) {
            Ok(temporary) => temporary,
            Err(error) => return Difference::Fixed(error.message),
        };
        let is_same = slug == now.slug
            && temporary == now.temporary
            && permissions.as_ref().is_none_or(|wanted| set(wanted) == set(&now.permissions));
        if is_same {
            return Difference::None;
        }
        let permissions = permissions.unwrap_or_else(|| now.permissions.clone());
        Difference::Change(Change { slug, temporary, permissions })
    }

    fn complete(wanted: &AdditionalPrivilegeParameters) -> Result<(), &'static str> {
        wanted.project_id.as_ref().ok_or("projectId")?;
        wanted.identity_id.as_ref().ok_or("identityId")?;
        wanted.slug.as_ref().map(|_| ()).ok_or("slug")
    }

    fn with_key(wanted: &AdditionalPrivilegeParameters, key: &str) -> Option<AdditionalPrivilegeParameters> {
        Some(AdditionalPrivilegeParameters { slug: Some(key.to_owned()), ..wanted.clone() })
    }
}

impl Served for AdditionalPrivilege {
    fn external(open: &Arc<Open>) -> Arc<dyn External<Self>> {
        Arc::new(Privileges(Arc::clone(open)))
    }
}

/// The routes of privileges.
struct Privileges(Arc<Open>);

impl Privileges {
    /// Those of the identity in the project; of who is no member there is none.
    async fn list(&self, wanted: &AdditionalPrivilegeParameters) -> Result<Vec<Privilege>, ExternalError> {
        let project_id = wanted.project_id.as_deref().ok_or_else(|| missing("projectId"))?;
        let identity_id = wanted.identity_id.as_deref().ok_or_else(|| missing("identityId"))?;
        let list = ListPrivileges { token: &self.0.token, project_id, identity_id };
        match self.0.send(&list).await {
            Err(Error { kind: ErrorKind::Refused(ResourceRefusal::NotAMember), .. }) => Ok(Vec::new()),
            answer => Ok(found(answer)?.unwrap_or_default()),
        }
    }

    /// One with what it permits, which a list does not have.
    async fn read(&self, id: &str, is_elsewhere: bool) -> Result<Option<Seen>, ExternalError> {
        let read = ReadPrivilege { token: &self.0.token, privilege_id: id };
        match self.0.send(&read).await {
            // It ends with the membership, and then nobody may ask for it any more.
            Err(Error { kind: ErrorKind::Refused(ResourceRefusal::NotAMember), .. }) => Ok(None),
            answer => Ok(found(answer)?.map(|privilege| Seen { privilege, is_elsewhere })),
        }
    }
}

#[async_trait]
impl External<AdditionalPrivilege> for Privileges {
    async fn observe(
        &self,
        id: &str,
        wanted: &AdditionalPrivilegeParameters,
        _: Read,
    ) -> Result<Option<Seen>, ExternalError> {
        let is_known = wanted.project_id.is_some() && wanted.identity_id.is_some();
        let is_elsewhere = is_known && !self.list(wanted).await?.iter().any(|privilege| privilege.id == id);
        self.read(id, is_elsewhere).await
    }

    async fn find(
        &self,
        wanted: &AdditionalPrivilegeParameters,
        _: Mark<'_>,
        _: Read,
    ) -> Result<Vec<Seen>, ExternalError> {
        let slug = wanted.slug.as_deref().ok_or_else(|| missing("slug"))?;
        let listed = self.list(wanted).await?;
        match listed.iter().find(|privilege| privilege.slug == slug) {
            Some(privilege) => Ok(self.read(&privilege.id, false).await?.into_iter().collect()),
            None => Ok(Vec::new()),
        }
    }

    async fn create(
        &self,
        wanted: &AdditionalPrivilegeParameters,
        _: Mark<'_>,
    ) -> Result<Made, ExternalError> {
        let permissions = wanted.permissions.as_deref().ok_or_else(|| missing("permissions"))?;
        let permissions: Vec<_> = permissions.iter().map(written).collect();
        let temporary = duration(wanted)?;
        let create = CreatePrivilege {
            token: &self.0.token,
            project_id: wanted.project_id.as_deref().ok_or_else(|| missing("projectId"))?,
            identity_id: wanted.identity_id.as_deref().ok_or_else(|| missing("identityId"))?,
            slug: wanted.slug.as_deref().ok_or_else(|| missing("slug"))?,
            temporary: temporary.as_ref(),
            permissions: &permissions,
        };
        let made = self.0.send(&create).await.map_err(refusal)?;
        Ok(Made { id: made.id, details: ConnectionDetails::default() })
    }

    async fn update(
        &self,
        id: &str,
        _: &AdditionalPrivilegeParameters,
        change: &Change,
    ) -> Result<ConnectionDetails, ExternalError> {
        let update = UpdatePrivilege {
            token: &self.0.token,
            privilege_id: id,
            slug: &change.slug,
            temporary: change.temporary.as_ref(),
            permissions: &change.permissions,
        };
        self.0.send(&update).await.map_err(refusal)?;
        Ok(ConnectionDetails::default())
    }

    async fn delete(&self, id: &str, _: &AdditionalPrivilegeParameters) -> Result<(), ExternalError> {
        let delete = DeletePrivilege { token: &self.0.token, privilege_id: id };
        match self.0.send(&delete).await {
            Err(Error { kind: ErrorKind::Refused(ResourceRefusal::NotAMember), .. }) => Ok(()),
            answer => deleted(answer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permission(actions: &[&str], conditions: Option<Value>) -> Permission {
        Permission {
            subject: "secrets".to_owned(),
            action: actions.iter().map(|&action| action.to_owned()).collect(),
            conditions,
            inverted: None,
        }
    }

    fn wanted(permissions: &[Permission]) -> AdditionalPrivilegeParameters {
        AdditionalPrivilegeParameters {
            slug: Some("reader".to_owned()),
            permissions: Some(permissions.to_vec()),
            ..Default::default()
        }
    }

    fn seen(permissions: &[Value]) -> Seen {
        let privilege = Privilege {
            id: "7fb194b6-bdc8-4a18-9d2b-4b5a7e0f6a11".to_owned(),
            slug: "reader".to_owned(),
            temporary: None,
            permissions: permissions.to_vec(),
        };
        Seen { privilege, is_elsewhere: false }
    }

    #[test]
    fn permissions_are_compared_by_what_they_mean() {
        let glob = json!({ "environment": "prod", "secretPath": { "$glob": "/team/**" } });
        let wanted = wanted(&[permission(&["readValue", "describeSecret"], Some(glob))]);
        // As recorded, with the keys in another order.
        let answered = json!({
            "subject": "secrets",
            "action": ["describeSecret", "readValue"],
            "conditions": { "secretPath": { "$glob": "/team/**" }, "environment": "prod" },
            "inverted": false,
        });
        assert_eq!(
            AdditionalPrivilege::compare(&wanted, &seen(std::slice::from_ref(&answered))),
            Difference::None
        );
        let table = [
            ("another action", "/action", json!(["readValue"])),
            ("another place", "/conditions/environment", json!("dev")),
            ("forbidden instead", "/inverted", json!(true)),
            ("another subject", "/subject", json!("secret-folders")),
        ];
        for (reason, at, value) in table {
            let mut answered = answered.clone();
            *answered.pointer_mut(at).unwrap() = value;
            let difference = AdditionalPrivilege::compare(&wanted, &seen(&[answered]));
            assert!(matches!(difference, Difference::Change(_)), "{reason}: {difference:?}");
        }
    }

    #[test]
    fn a_privilege_does_not_move() {
        let elsewhere = Seen { is_elsewhere: true, ..seen(&[]) };
        let difference = AdditionalPrivilege::compare(&wanted(&[]), &elsewhere);
        assert!(matches!(difference, Difference::Fixed(_)), "{difference:?}");
    }
}
