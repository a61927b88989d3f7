//! What a field of the XR's status says of the connection or of the identity, so that
//! a process that knows less says the same, and what of it the XRD does not declare.
//!
//! Crossplane applies nothing of an XR's status where one field of it is not declared.
//! It is asked for the XR's schema before anything is written, and again while
//! something is missing on the XR that is known, or that was not declared. All of that
//! is in the request, so both calls of a reconcile ask for the same, whichever replica
//! is called, and an XR that says all costs one call.

use std::collections::{BTreeMap, BTreeSet};

use super::Required;
use crate::{
    agreement::{Inference, Known},
    contract::{
        fieldpath::{FieldPath, Segment},
        manifest::Manifest,
        proto::v1::{Capability, RunFunctionRequest},
        schema::Schema,
    },
    input::{ConnectionDetail, DetailValue, IdentityDetail, IdentityDetailValue},
    model::{condition::ConditionType, connection::ObservedConnection, identity::ObservedIdentity, xr::Xr},
};

/// Under this name is the id of an identity.
pub(crate) const IDENTITY_ID: &str = "identityId";
/// Under this name is where the connection is.
pub(crate) const CONNECTION_SECRET: &str = "connectionSecretRef";
/// Under this name is where client ID and secret are.
pub(crate) const IDENTITY_SECRET: &str = "secretRef";

/// The names below a field at which a text is written.
pub(super) type Leaf = &'static [&'static str];

/// What is written of the connection.
const OF_CONNECTION: [Leaf; 6] = [
    &[CONNECTION_SECRET, "name"],
    &[CONNECTION_SECRET, "namespace"],
    &["host"],
    &[IDENTITY_ID],
    &["organizationId"],
    &["tokenExpiresAt"],
];

/// What is written of the identity.
const OF_IDENTITY: [Leaf; 3] = [&[IDENTITY_ID], &[IDENTITY_SECRET, "name"], &[IDENTITY_SECRET, "namespace"]];

/// A field of the XR's status that describes something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Described {
    /// Which. Consists of the names of fields.
    pub path: FieldPath,
    /// What it says: the texts under the names that are written there.
    pub said: BTreeMap<&'static str, String>,
    /// What of it the XRD does not declare, as far as that is known.
    pub undeclared: BTreeSet<Leaf>,
    /// What is written there.
    leaves: &'static [Leaf],
    /// Whether nothing of that is said yet, or something that is known is missing.
    needs_the_schema: bool,
}

/// What is known of the schema of the XR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SchemaKnown {
    /// It was not asked for, because there is no need to.
    NotAsked,
    /// It was asked for, and the API server has none yet.
    Unknown,
    Known {
        /// `apiVersion` and `kind` that it is of.
        of: String,
    },
}

impl Described {
    pub(super) fn of_connection(
        composite: Manifest<'_>,
        path: &FieldPath,
        connection: Option<&ObservedConnection>,
        wanted: &[ConnectionDetail],
    ) -> Self {
        let is_known = |leaf: Leaf| connection.is_some_and(|connection| is_in(leaf, connection, wanted));
        Self::observe(composite, path, &OF_CONNECTION, is_known)
    }

    pub(super) fn of_identity(
        composite: Manifest<'_>,
        path: &FieldPath,
        identity: Option<&ObservedIdentity>,
        wanted: &[IdentityDetail],
    ) -> Self {
        let has_id = || {
            let mut ids = wanted.iter().filter(|detail| detail.value == IdentityDetailValue::IdentityId);
            identity.is_some_and(|identity| ids.any(|id| identity.data.text(&id.name).is_some()))
        };
        let is_known = |leaf: Leaf| if leaf == [IDENTITY_ID] { has_id() } else { identity.is_some() };
        Self::observe(composite, path, &OF_IDENTITY, is_known)
    }

    fn observe(
        composite: Manifest<'_>,
        path: &FieldPath,
        leaves: &'static [Leaf],
        is_known: impl Fn(Leaf) -> bool,
    ) -> Self {
        let object = names(path).try_fold(composite, Manifest::object);
        let text = |leaf: Leaf| {
            let (name, within) = leaf.split_last()?;
            within.iter().try_fold(object?, |object, name| object.object(name))?.string(name)
        };
        let (mut said, mut is_silent, mut misses) = (BTreeMap::new(), true, false);
        for leaf in leaves {
            let Some(text) = text(leaf) else {
                misses |= is_known(leaf);
                continue;
            };
            is_silent = false;
            if let [name] = leaf {
                said.insert(*name, text.to_owned());
            }
        }
        let needs_the_schema = is_silent || misses;
        let (path, undeclared) = (path.clone(), BTreeSet::new());
        Self { path, said, undeclared, leaves, needs_the_schema }
    }

    fn look_up(&mut self, schema: Schema<'_>) {
        let is_declared = |leaf: Leaf| schema.declares_text(names(&self.path).chain(leaf.iter().copied()));
        self.undeclared = self.leaves.iter().copied().filter(|leaf| !is_declared(leaf)).collect();
    }

    /// Where what is not declared would be.
    pub(crate) fn undeclared_paths(&self) -> impl Iterator<Item = String> {
        self.undeclared.iter().map(|leaf| format!("{}.{}", self.path, leaf.join(".")))
    }
}

/// The names of a path, which has nothing else in it.
fn names(path: &FieldPath) -> impl Iterator<Item = &str> {
    path.segments().iter().filter_map(|segment| match segment {
        Segment::Field(name) => Some(name.as_str()),
        Segment::Index(_) => None,
    })
}

/// Whether the connection Secret has what is written at a leaf.
fn is_in(leaf: Leaf, connection: &ObservedConnection, wanted: &[ConnectionDetail]) -> bool {
    let value = match leaf {
        ["host"] => DetailValue::Host,
        ["organizationId"] => DetailValue::OrganizationId,
        ["tokenExpiresAt"] => DetailValue::ExpiresAt,
        [IDENTITY_ID] => DetailValue::IdentityId,
        // Where the Secret is, is known when it is there.
        _ => return true,
    };
    let mut details = wanted.iter().filter(|detail| detail.value == value);
    details.any(|detail| connection.data.text(&detail.name).is_some())
}

/// Asks for the schema of the XR where one of the fields needs it or was not declared,
/// and notes what it does not declare.
pub(super) fn look_up<'d>(
    request: &RunFunctionRequest,
    (xr, composite): (&Xr, Manifest<'_>),
    required: &mut Required<'_>,
    fields: impl Iterator<Item = &'d mut Described>,
) -> SchemaKnown {
    let is_offered = request.meta.as_ref().is_some_and(|meta| {
        meta.capabilities.iter().any(|offered| *offered == i32::from(Capability::RequiredSchemas))
    });
    let was_undeclared =
        Known::default().is_inferred(Inference::FieldsLeftOut, ConditionType::StatusWritten, &xr.previous);
    let mut fields: Vec<_> = fields.collect();
    let is_needed = fields.iter().any(|field| field.needs_the_schema || was_undeclared);
    let (Some(api_version), Some(kind)) = (composite.api_version(), composite.kind()) else {
        return SchemaKnown::NotAsked;
    };
    if !is_offered || !is_needed {
        return SchemaKnown::NotAsked;
    }
    let Some(schema) = required.schema(api_version, kind) else { return SchemaKnown::Unknown };
    for field in &mut fields {
        field.look_up(schema);
    }
    SchemaKnown::Known { of: format!("{kind} ({api_version})") }
}
