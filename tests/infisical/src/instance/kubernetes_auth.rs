//! Kubernetes auth of an identity. The server asks the cluster when it is attached;
//! here the settings say which hosts answer.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Instance,
    auth_method::{Terms, WantedTerms},
    call::{Answer, Call},
    fields::Fields,
    identity::Identity,
    membership::merged,
};
use crate::Response;

#[derive(Clone)]
pub(super) struct KubernetesAuth {
    terms: Terms,
    host: Option<String>,
    ca_cert: String,
    reviewer_token: String,
    verifies: bool,
    namespaces: String,
    names: String,
    audience: String,
    review_mode: String,
}

/// What a read answers beyond the rest.
const BOTH: [&str; 2] = ["caCert", "tokenReviewerJwt"];

impl KubernetesAuth {
    /// An answer, with what was put in of these that are secrets or long (recorded: a
    /// removal answers neither, an attach no token where none was sent).
    fn answer(&self, identity_id: &str, put_in: &[&str]) -> Response {
        let own = json!({
            "tokenReviewMode": self.review_mode,
            "kubernetesHost": self.host,
            "allowedNamespaces": self.namespaces,
            "allowedNames": self.names,
            "allowedAudience": self.audience,
            "gatewayId": null,
            "gatewayPoolId": null,
            "verifyTlsCertificate": self.verifies,
        });
        let mut body = merged(self.terms.body(identity_id), own);
        for (name, text) in [("caCert", &self.ca_cert), ("tokenReviewerJwt", &self.reviewer_token)] {
            if let (Some(fields), true) = (body.as_object_mut(), put_in.contains(&name)) {
                fields.insert(name.to_owned(), Value::from(text.as_str()));
            }
        }
        Response::ok(&json!({ "identityKubernetesAuth": body }))
    }
}

/// The fields of a request.
struct Wanted {
    terms: WantedTerms,
    host: Option<String>,
    ca_cert: Option<String>,
    reviewer_token: Option<Option<String>>,
    verifies: Option<bool>,
    texts: [Option<String>; 4],
}

const TEXTS: [&str; 4] = ["allowedNamespaces", "allowedNames", "allowedAudience", "tokenReviewMode"];

impl Wanted {
    fn of(mut fields: Fields, is_create: bool) -> Result<Self, Response> {
        let is_by_gateway = fields.raw("tokenReviewMode").and_then(Value::as_str) == Some("gateway");
        if is_create && !is_by_gateway {
            fields.require("string", "kubernetesHost");
        }
        let host = fields.nullable("kubernetesHost").flatten().map(|host| host.trim().to_owned());
        if let Some(host) = &host {
            let holds = host.chars().all(|c| c.is_ascii_alphanumeric() || ":.-/".contains(c));
            let message = "Kubernetes host must only contain alphabets, numbers, colons, periods, hyphen, and forward slashes.";
            fields.custom("kubernetesHost", holds, message);
        }
        let wanted = Self {
            terms: WantedTerms::of(&mut fields),
            host,
            ca_cert: fields.text("caCert").map(|text| text.trim().to_owned()),
            reviewer_token: fields.nullable("tokenReviewerJwt"),
            verifies: fields.flag("verifyTlsCertificate"),
            texts: TEXTS.map(|name| fields.text(name)),
        };
        if is_by_gateway && is_create {
            let message =
                "When token review mode is set to Gateway, a gateway or gateway pool must be selected";
            fields.custom("gatewayId", false, message);
        }
        let lacks_ca = wanted.ca_cert.as_deref().is_none_or(str::is_empty);
        if is_create && wanted.verifies == Some(true) && lacks_ca {
            let message = "A CA certificate is required when TLS certificate verification is enabled. Either paste the Kubernetes API server's CA certificate or disable verification.";
            fields.custom("caCert", false, message);
        }
        wanted.terms.check(&mut fields);
        fields.finish()?;
        Ok(wanted)
    }

    fn is_nothing(&self) -> bool {
        self.terms.is_nothing()
            && self.host.is_none()
            && self.ca_cert.is_none()
            && self.reviewer_token.is_none()
            && self.verifies.is_none()
            && self.texts.iter().all(Option::is_none)
    }

    fn apply(self, now: Timestamp, auth: &mut KubernetesAuth) -> Result<(), Response> {
        self.terms.apply(now, &mut auth.terms)?;
        auth.host = self.host.or_else(|| auth.host.clone());
        auth.ca_cert = self.ca_cert.unwrap_or_else(|| auth.ca_cert.clone());
        // Null reads back as an empty text (recorded).
        if let Some(token) = self.reviewer_token {
            auth.reviewer_token = token.unwrap_or_default();
        }
        auth.verifies = self.verifies.unwrap_or(auth.verifies);
        let kept = [&mut auth.namespaces, &mut auth.names, &mut auth.audience, &mut auth.review_mode];
        for (field, text) in kept.into_iter().zip(self.texts) {
            *field = text.unwrap_or_else(|| field.clone());
        }
        Ok(())
    }
}

/// Whether an address is one of the host's own or of a private network.
fn is_private(host: &str) -> bool {
    let name = name_of(host);
    let of_network = ["10.", "127.", "192.168.", "169.254."].iter().any(|start| name.starts_with(start));
    let second = name.strip_prefix("172.").and_then(|rest| rest.split('.').next()?.parse::<u8>().ok());
    of_network || name == "localhost" || second.is_some_and(|part| (16..32).contains(&part))
}

fn name_of(host: &str) -> &str {
    let rest = host.split_once("://").map_or(host, |(_, rest)| rest);
    rest.split(['/', ':']).next().unwrap_or_default()
}

impl Instance {
    /// What the server finds out about the cluster.
    fn check_cluster(&self, host: &str, wanted: &Wanted) -> Result<(), Response> {
        if is_private(host) && !self.settings.allow_internal_ip_connections {
            return Err(Response::refusal(400, "BadRequest", "Local IPs not allowed as URL"));
        }
        let is_address = name_of(host).bytes().all(|b| b.is_ascii_digit() || b == b'.');
        if !is_address && !self.settings.clusters.known_names {
            let name = name_of(host);
            let message =
                format!("Failed to connect to Kubernetes host at {host}: getaddrinfo ENOTFOUND {name}");
            return Err(Response::refusal(400, "KubernetesHostConnectionError", &message));
        }
        if !self.settings.clusters.answer || host.ends_with(":9") || host.ends_with(":1") {
            let message = format!(
                "Failed to connect to Kubernetes host at {host}: Connection refused. Verify the host URL and ensure the kubernetes host is accessible."
            );
            return Err(Response::refusal(400, "KubernetesHostConnectionRefused", &message));
        }
        let has_certificate = wanted.ca_cert.as_deref().is_none_or(|it| it.starts_with("-----BEGIN CERT"));
        if wanted.verifies == Some(true) && !has_certificate {
            let message = format!(
                "SSL certificate verification failed for Kubernetes host at {host}. The server uses a self-signed certificate. Please provide the CA certificate in the configuration."
            );
            return Err(Response::refusal(400, "KubernetesHostCertificateError", &message));
        }
        if self.settings.clusters.refuse_reviewers && matches!(wanted.reviewer_token, Some(Some(_))) {
            let message = "The token reviewer JWT is invalid or expired. Please provide a valid service account token with TokenReview permissions.";
            return Err(Response::refusal(400, "TokenReviewerPermissionError", message));
        }
        Ok(())
    }

    pub(super) fn kubernetes_auth(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let id = call.id(0);
        let identity = self.identity_of_method(call.now, &actor, id, "read")?;
        let none = || Response::missing(&format!("Failed to find Kubernetes Auth for identity with ID {id}"));
        Ok(identity.kubernetes_auth.as_ref().ok_or_else(none)?.answer(id, &BOTH))
    }

    pub(super) fn attach_kubernetes_auth(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let wanted = Wanted::of(call.fields()?, true)?;
        let terms = Terms::new(call.now, self.id());
        let identity = self.identity_of_method(call.now, &actor, call.id(0), "create")?;
        if identity.kubernetes_auth.is_some() {
            let message = "Failed to add Kubernetes Auth to already configured identity";
            return Err(Response::refusal(400, "BadRequest", message));
        }
        self.check_cluster(wanted.host.as_deref().unwrap_or_default(), &wanted)?;
        let has_ca = wanted.ca_cert.as_deref().is_some_and(|text| !text.is_empty());
        let empty = String::new;
        let mut auth = KubernetesAuth {
            terms,
            host: None,
            ca_cert: empty(),
            reviewer_token: empty(),
            verifies: has_ca,
            namespaces: empty(),
            names: empty(),
            audience: empty(),
            review_mode: "api".to_owned(),
        };
        let put_in = if wanted.reviewer_token.is_some() { &BOTH[..] } else { &BOTH[..1] };
        wanted.apply(call.now, &mut auth)?;
        let answer = auth.answer(call.id(0), put_in);
        self.identity_mut(call.id(0))?.kubernetes_auth = Some(auth);
        Ok(answer)
    }

    pub(super) fn update_kubernetes_auth(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let wanted = Wanted::of(call.fields()?, false)?;
        auth_of(self.identity_of_method(call.now, &actor, call.id(0), "edit")?)?;
        if wanted.is_nothing() {
            return Err(Response::failed("Update by id"));
        }
        // Only a new host is asked.
        if let Some(host) = wanted.host.clone() {
            self.check_cluster(&host, &wanted)?;
        }
        let auth = auth_of(self.identity_mut(call.id(0))?)?;
        wanted.apply(call.now, auth)?;
        Ok(auth.answer(call.id(0), &BOTH))
    }

    pub(super) fn remove_kubernetes_auth(&mut self, call: &Call<'_>) -> Answer {
        let actor = self.actor_in_organization(call.now, call.request)?;
        let identity = self.identity_of_method(call.now, &actor, call.id(0), "delete")?;
        let answer = auth_of(identity)?.answer(call.id(0), &[]);
        identity.kubernetes_auth = None;
        self.end_tokens_of_method(call.id(0), "kubernetes-auth");
        Ok(answer)
    }
}

fn auth_of(identity: &mut Identity) -> Result<&mut KubernetesAuth, Response> {
    let none = || Response::refusal(400, "BadRequest", "The identity does not have kubernetes auth");
    identity.kubernetes_auth.as_mut().ok_or_else(none)
}
