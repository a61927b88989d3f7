//! Resources that are not composed here and that Crossplane is asked to bring.
//!
//! A step that returns a requirement which the request did not have already is
//! called again in the same reconcile, and its first response is thrown away.
//! So [`Required::met`] decides whether a call may have side effects.

use std::collections::BTreeMap;

use crate::{
    manifest::Manifest,
    proto::v1::{ResourceSelector, RunFunctionRequest, resource_selector::Match},
};

/// Collects what is required and looks up what was brought.
pub struct Required<'a> {
    request: &'a RunFunctionRequest,
    default_namespace: Option<String>,
    selectors: BTreeMap<String, ResourceSelector>,
}

impl<'a> Required<'a> {
    /// Nothing is required yet. `default_namespace` is where a resource is
    /// looked for whose namespace the input leaves out.
    #[must_use]
    pub fn new(request: &'a RunFunctionRequest, default_namespace: Option<&str>) -> Self {
        Self { request, default_namespace: default_namespace.map(str::to_owned), selectors: BTreeMap::new() }
    }

    /// Requires one object of `v1` by its name, and gives it where it was
    /// brought. What came under that name but is another object (a selector
    /// that has changed since) does not count.
    pub fn object(
        &mut self,
        requirement: &str,
        kind: &str,
        name: &str,
        namespace: Option<&str>,
    ) -> Option<Manifest<'a>> {
        let namespace = namespace.map(str::to_owned).or_else(|| self.default_namespace.clone());
        let selector = ResourceSelector {
            api_version: "v1".to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.clone(),
            r#match: Some(Match::MatchName(name.to_owned())),
        };
        self.selectors.insert(requirement.to_owned(), selector);
        let brought = self.request.required_resources.get(requirement)?;
        let manifests = brought.items.iter().filter_map(|item| item.resource.as_deref()).map(Manifest::new);
        let wanted = |manifest: &Manifest<'_>| {
            manifest.kind() == Some(kind)
                && manifest.name() == Some(name)
                && (namespace.is_none() || manifest.namespace() == namespace.as_deref())
        };
        manifests.into_iter().find(wanted)
    }

    /// Where an object is looked for, for messages: its namespace, if it has one,
    /// and its name, in quotes.
    #[must_use]
    pub fn place(&self, name: &str, namespace: Option<&str>) -> String {
        match namespace.or(self.default_namespace.as_deref()) {
            Some(namespace) => format!("\"{namespace}/{name}\""),
            None => format!("\"{name}\""),
        }
    }

    /// Whether all that is required was looked for, found or not.
    #[must_use]
    pub fn met(&self) -> bool {
        self.selectors.keys().all(|requirement| self.request.required_resources.contains_key(requirement))
    }

    /// What to ask for.
    #[must_use]
    pub fn into_selectors(self) -> BTreeMap<String, ResourceSelector> {
        self.selectors
    }
}
