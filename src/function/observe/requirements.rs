//! Resources that are not composed here, and the schema of the XR: what Crossplane is
//! asked to bring.
//!
//! A step that returns a requirement which the request did not have already is
//! called again in the same reconcile, and its first response is thrown away.
//! So [`Required::met`] decides whether a call may have side effects.

use std::collections::BTreeMap;

use super::{ObserveError, Waiting, claim};
use crate::{
    contract::{
        manifest::Manifest,
        proto::v1::{
            Requirements, ResourceSelector, RunFunctionRequest, SchemaSelector, resource_selector::Match,
        },
        schema::Schema,
    },
    input::SecretRef,
    model::xr::{Scope, Xr},
};

/// The requirement that brings the schema of the XR.
const SCHEMA_REQUIREMENT: &str = "infisical-composite-schema";

/// The requirement that brings the claim of a legacy XR.
const CLAIM_REQUIREMENT: &str = "infisical-claim";

/// An object that is required.
pub(crate) struct Sought<'a> {
    pub manifest: Option<Manifest<'a>>,
    /// Where it is looked for, for messages: its namespace and name, in quotes.
    pub place: String,
}

/// Collects what is required and looks up what was brought.
pub(crate) struct Required<'a> {
    request: &'a RunFunctionRequest,
    xr: &'a Xr,
    default_namespace: Option<&'a str>,
    selectors: BTreeMap<String, ResourceSelector>,
    schema: Option<SchemaSelector>,
}

impl<'a> Required<'a> {
    /// Nothing is required yet. Where the input leaves a namespace out, it is the
    /// XR's, or that of its claim if it is that XR's, else that of the input's
    /// `connection_secret`. It is never one that only the XR's author wrote: what is
    /// found there is sent to the endpoint.
    #[must_use]
    pub(crate) fn new(
        request: &'a RunFunctionRequest,
        xr: &'a Xr,
        connection_secret: Option<&'a SecretRef>,
    ) -> Self {
        let default_namespace = match &xr.scope {
            Scope::Namespaced(own) => Some(own),
            Scope::Legacy { claim: Some(_) } => None,
            Scope::Cluster | Scope::Legacy { claim: None } => {
                connection_secret.and_then(|secret| secret.namespace.as_ref())
            }
        };
        let default_namespace = default_namespace.map(String::as_str);
        Self { request, xr, default_namespace, selectors: BTreeMap::new(), schema: None }
    }

    /// The namespace of the claim that a legacy XR names, once it is known to be that
    /// XR's. `None` where it names none.
    pub(crate) fn claim_namespace(&mut self) -> Option<Result<&'a str, Waiting>> {
        let claim = self.xr.claim()?;
        if claim::has_our_secrets(self.request, claim) {
            return Some(Ok(&claim.namespace));
        }
        if !claim::may_be_of(claim, self.xr) {
            return Some(Err(claim::is_none(claim)));
        }
        let found =
            self.find(CLAIM_REQUIREMENT, (&claim.api_version, &claim.kind), &claim.namespace, &claim.name);
        let is_bound = found.is_some_and(|manifest| claim::is_bound_to(manifest, self.xr));
        Some(if is_bound { Ok(&claim.namespace) } else { Err(claim::is_unbound(claim, self.xr)) })
    }

    /// Requires one object of `v1` by its name, and gives it where it was brought, or
    /// what has to be known before it is looked for. `field` is that of the input
    /// which refers to it.
    ///
    /// # Errors
    /// There is no namespace to look in.
    pub(crate) fn object(
        &mut self,
        requirement: &str,
        (kind, name, namespace): (&str, &str, Option<&str>),
        field: &str,
    ) -> Result<Result<Sought<'a>, Waiting>, ObserveError> {
        let namespace = match namespace.or(self.default_namespace) {
            Some(namespace) => namespace,
            None => match self.claim_namespace() {
                Some(Ok(namespace)) => namespace,
                Some(Err(waiting)) => return Ok(Err(waiting)),
                None => {
                    let field = format!("{field}.namespace");
                    let what = format!(
                        "is missing, and the composite resource has none; write here that of the {kind}"
                    );
                    return Err(ObserveError::Value { field, what });
                }
            },
        };
        let manifest = self.find(requirement, ("v1", kind), namespace, name);
        Ok(Ok(Sought { manifest, place: format!("\"{namespace}/{name}\"") }))
    }

    /// Requires a Secret, and gives it where it was brought.
    pub(super) fn secret(&mut self, requirement: &str, namespace: &str, name: &str) -> Option<Manifest<'a>> {
        self.find(requirement, ("v1", "Secret"), namespace, name)
    }

    /// Whether Crossplane has looked for what is required, found or not.
    pub(super) fn was_looked_for(&self, requirement: &str) -> bool {
        self.request.required_resources.contains_key(requirement)
    }

    /// Requires an object. What came under that name but is another object (a selector
    /// that has changed since) does not count.
    fn find(
        &mut self,
        requirement: &str,
        (api_version, kind): (&str, &str),
        namespace: &str,
        name: &str,
    ) -> Option<Manifest<'a>> {
        let selector = ResourceSelector {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: Some(namespace.to_owned()),
            r#match: Some(Match::MatchName(name.to_owned())),
        };
        self.selectors.insert(requirement.to_owned(), selector);
        let brought = self.request.required_resources.get(requirement);
        let manifests = brought.into_iter().flat_map(|brought| &brought.items);
        manifests.filter_map(|item| item.resource.as_deref()).map(Manifest::new).find(|manifest| {
            manifest.kind() == Some(kind)
                && manifest.name() == Some(name)
                && manifest.namespace() == Some(namespace)
        })
    }

    /// Requires the schema of a kind, and gives it where it was brought. There is none
    /// where the API server does not publish one yet.
    pub(crate) fn schema(&mut self, api_version: &str, kind: &str) -> Option<Schema<'a>> {
        self.schema = Some(SchemaSelector { api_version: api_version.to_owned(), kind: kind.to_owned() });
        let brought = self.request.required_schemas.get(SCHEMA_REQUIREMENT)?.openapi_v3.as_deref();
        brought.filter(|schema| !schema.is_empty()).map(Schema::new)
    }

    /// Whether all that is required was looked for, found or not.
    #[must_use]
    pub(crate) fn met(&self) -> bool {
        let Self { request, selectors, schema, .. } = self;
        selectors.keys().all(|requirement| self.was_looked_for(requirement))
            && (schema.is_none() || request.required_schemas.contains_key(SCHEMA_REQUIREMENT))
    }

    /// What to ask for.
    #[must_use]
    pub(crate) fn into_requirements(self) -> Requirements {
        let schemas = self.schema.map(|schema| (SCHEMA_REQUIREMENT.to_owned(), schema));
        Requirements {
            resources: self.selectors,
            schemas: schemas.into_iter().collect(),
            ..Requirements::default()
        }
    }
}
