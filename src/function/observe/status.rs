//! What a field of the XR's status says of the connection or of the identity, so that
//! a process that knows less says the same.

use std::collections::BTreeMap;

use crate::{
    fieldpath::{FieldPath, Segment},
    manifest::Manifest,
};

/// Under this name is the id of an identity.
pub const IDENTITY_ID: &str = "identityId";

/// The names of what is said of the connection, but for its Secret.
pub(super) const CONNECTION_STATUS: [&str; 4] = ["host", "organizationId", IDENTITY_ID, "tokenExpiresAt"];

/// A field of the XR's status that describes something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// Which. Consists of the names of fields.
    pub path: FieldPath,
    /// What it says: the texts under the names that are written there.
    pub said: BTreeMap<&'static str, String>,
}

impl Described {
    pub(super) fn observe(composite: Manifest<'_>, path: &FieldPath, names: &[&'static str]) -> Self {
        let object = path.segments().iter().try_fold(composite, |object, segment| match segment {
            Segment::Field(name) => object.object(name),
            Segment::Index(_) => None,
        });
        let text = |name: &&'static str| Some((*name, object?.string(name)?.to_owned()));
        Self { path: path.clone(), said: names.iter().filter_map(text).collect() }
    }
}
