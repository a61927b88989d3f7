//! A route that the function does not use, as far as the recording goes: what a
//! platform team composes beside it does use it.

use jiff::Timestamp;
use serde_json::json;

use super::{Instance, auth::Actor, time, validate};
use crate::{Request, Response};

impl Instance {
    pub(super) fn create_project(&mut self, now: Timestamp, request: &Request) -> Result<Response, Response> {
        let organization_id = match self.actor_in_organization(now, request)? {
            Actor::Identity { id } => self.identity(&id)?.organization_id.clone(),
            Actor::User { organization_id, .. } => organization_id.unwrap_or_default(),
        };
        let [name] = validate::texts(request, ["projectName"])?;
        let id = self.id();
        let suffix: String = self.hex().chars().take(4).collect();
        let environments = [("Development", "dev"), ("Staging", "staging"), ("Production", "prod")]
            .map(|(name, slug)| json!({ "name": name, "slug": slug, "id": self.id() }));
        Ok(Response::ok(&json!({ "project": {
            "id": id,
            "name": name,
            "description": null,
            "type": "secret-manager",
            "defaultProduct": null,
            "slug": format!("{name}-{suffix}"),
            "autoCapitalization": false,
            "orgId": organization_id,
            "createdAt": time(now),
            "updatedAt": time(now),
            "version": 3,
            "upgradeStatus": null,
            "pitVersionLimit": 10,
            "kmsCertificateKeyId": null,
            "auditLogsRetentionDays": null,
            "hasDeleteProtection": false,
            "secretSharing": true,
            "showSnapshotsLegacy": false,
            "secretDetectionIgnoreValues": null,
            "enforceEncryptedSecretManagerSecretMetadata": null,
            "_id": id,
            "environments": environments,
            "kmsSecretManagerKeyId": null,
        }})))
    }
}
