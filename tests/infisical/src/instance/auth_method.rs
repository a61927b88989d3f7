//! What all ways to log in of an identity have: lives of tokens and trusted addresses.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Instance, auth::Actor, fields::Fields, identity::Identity, time};
use crate::Response;

/// Seconds that a token lives by default: 30 days (recorded).
const DEFAULT_TTL: i64 = 30 * 24 * 60 * 60;
/// Seconds that a method may ask for at most: ten years (recorded). The server caps
/// each token further.
pub(super) const LONGEST_TTL: i64 = 315_360_000;

/// How long the tokens of a method live, and from where they may be used.
#[derive(Clone)]
pub(super) struct Terms {
    pub(super) id: String,
    pub(super) ttl: i64,
    pub(super) max_ttl: i64,
    pub(super) uses_limit: i64,
    pub(super) period: i64,
    trusted: Value,
    created_at: Timestamp,
    pub(super) updated_at: Timestamp,
}

impl Terms {
    pub(super) fn new(now: Timestamp, id: String) -> Self {
        Self {
            id,
            ttl: DEFAULT_TTL,
            max_ttl: DEFAULT_TTL,
            uses_limit: 0,
            period: 0,
            trusted: anywhere(),
            created_at: now,
            updated_at: now,
        }
    }

    /// The fields that every method's answers have.
    pub(super) fn body(&self, identity_id: &str) -> Value {
        json!({
            "id": self.id,
            "accessTokenTTL": self.ttl,
            "accessTokenMaxTTL": self.max_ttl,
            "accessTokenNumUsesLimit": self.uses_limit,
            "accessTokenTrustedIps": self.trusted,
            "createdAt": time(self.created_at),
            "updatedAt": time(self.updated_at),
            "identityId": identity_id,
        })
    }

    /// Seconds that a token of now lives, and what it says of TTL and maximum: a
    /// period stands for both (recorded).
    pub(super) fn life(&self) -> (i64, i64) {
        if self.period > 0 { (self.period, 0) } else { (self.ttl, self.max_ttl) }
    }
}

/// Trusted addresses that are everywhere; others need a licence.
pub(super) fn anywhere() -> Value {
    json!([
        { "type": "ipv4", "prefix": 0, "ipAddress": "0.0.0.0" },
        { "type": "ipv6", "prefix": 0, "ipAddress": "::" },
    ])
}

/// The fields of a request that are about terms.
#[derive(Default)]
pub(super) struct WantedTerms {
    ttl: Option<i64>,
    max_ttl: Option<i64>,
    uses_limit: Option<i64>,
    period: Option<i64>,
    trusted: Option<Vec<String>>,
}

impl WantedTerms {
    pub(super) fn of(fields: &mut Fields) -> Self {
        Self {
            ttl: fields.number("accessTokenTTL", (0, LONGEST_TTL)),
            max_ttl: fields.number("accessTokenMaxTTL", (0, LONGEST_TTL)),
            uses_limit: fields.number("accessTokenNumUsesLimit", (0, i64::MAX)),
            period: fields.number("accessTokenPeriod", (0, LONGEST_TTL)),
            trusted: wanted_addresses(fields, "accessTokenTrustedIps"),
        }
    }

    /// Whether TTL and maximum of one request fit; that is checked where the shape is.
    pub(super) fn check(&self, fields: &mut Fields) {
        let (ttl, most) = (self.ttl.unwrap_or_default(), self.max_ttl.unwrap_or_default());
        if most > 0 && ttl > most && !fields.has_issues() {
            fields.issue(json!({
                "code": "custom", "path": [],
                "message": "Access Token TTL cannot be greater than Access Token Max TTL.",
            }));
        }
    }

    pub(super) fn is_nothing(&self) -> bool {
        [self.ttl, self.max_ttl, self.uses_limit, self.period].iter().all(Option::is_none)
            && self.trusted.is_none()
    }

    /// Takes them over, if TTL and maximum fit with what was there.
    pub(super) fn apply(&self, now: Timestamp, terms: &mut Terms) -> Result<(), Response> {
        let ttl = self.ttl.unwrap_or(terms.ttl);
        let max_ttl = self.max_ttl.unwrap_or(terms.max_ttl);
        if max_ttl > 0 && ttl > max_ttl {
            let message = "Access token TTL cannot be greater than max TTL";
            return Err(Response::refusal(400, "BadRequest", message));
        }
        if let Some(trusted) = &self.trusted {
            terms.trusted = addresses(trusted)?;
        }
        (terms.ttl, terms.max_ttl) = (ttl, max_ttl);
        terms.uses_limit = self.uses_limit.unwrap_or(terms.uses_limit);
        terms.period = self.period.unwrap_or(terms.period);
        terms.updated_at = now;
        Ok(())
    }
}

/// The addresses of a field, not empty.
pub(super) fn wanted_addresses(fields: &mut Fields, name: &str) -> Option<Vec<String>> {
    let objects = fields.objects(name)?;
    fields.not_fewer(name, objects.len());
    let mut addresses = Vec::new();
    for mut object in objects {
        addresses.push(object.required("ipAddress"));
        fields.adopt(object);
    }
    Some(addresses)
}

/// Addresses as they are read back; on a free licence only those that are everywhere.
pub(super) fn addresses(wanted: &[String]) -> Result<Value, Response> {
    let read_back = wanted.iter().map(|address| match address.as_str() {
        "0.0.0.0/0" => Ok(json!({ "type": "ipv4", "prefix": 0, "ipAddress": "0.0.0.0" })),
        "::/0" => Ok(json!({ "type": "ipv6", "prefix": 0, "ipAddress": "::" })),
        _ => {
            let message = "Failed to add IP access range to service token due to plan restriction. Upgrade plan to add IP access range.";
            Err(Response::refusal(400, "BadRequest", message))
        }
    });
    read_back.collect()
}

impl Instance {
    /// The identity of a method's route, after the checks that all of these routes
    /// make.
    pub(super) fn identity_of_method(
        &mut self,
        now: Timestamp,
        actor: &Actor,
        id: &str,
        action: &str,
    ) -> Result<&mut Identity, Response> {
        if action != "read" {
            self.may_touch(actor, id)?;
        }
        let project_id = self.identity_mut(id)?.project_id.clone();
        match project_id {
            Some(project_id) => self.permit(now, actor, &project_id, (action, "identity"))?,
            None => self.organization_permit(actor, action)?,
        }
        self.identity_mut(id)
    }
}
