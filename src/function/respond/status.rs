//! What is not secret of the connection, and of the identity that was handed off, on
//! the XR's status, and the condition that tells which fields are left out.
//!
//! `InfisicalStatusWritten` is there only once something was left out: Crossplane
//! applies nothing of the XR's status, no condition either, where its XRD lacks a field
//! that is written.

use std::collections::BTreeMap;

use prost::Message as _;
use prost_types::{Struct, Value, value::Kind};

use super::content::Content;
use crate::{
    contract::{
        composed_secret::{SecretData, SecretName},
        desired::Desired,
        fieldpath::{FieldPath, Segment},
        proto::v1::Condition,
    },
    input::{DetailValue, IdentityDetail, IdentityDetailValue},
    model::{
        condition::{ConditionType, Status},
        reason::Reason,
        remembered::Remembered,
    },
    observe::{CONNECTION_SECRET, Described, IDENTITY_ID, IDENTITY_SECRET, Observation, SchemaKnown},
};

/// Writes to the fields that the input names, if it names any. Of the XR's manifest
/// nothing but those fields is changed, and nothing while nothing is known. What the XRD
/// does not declare is left out. `identity` is what is in the Secret of handing off.
pub(super) fn write(
    desired: &mut Desired,
    observation: &Observation,
    remembered: &Remembered,
    identity: Option<&SecretData>,
) {
    let of_connection =
        observation.status.as_ref().map(|status| (status, fields(observation, remembered, status)));
    let of_identity = handed_off(observation, remembered, identity);
    let of_both = of_connection.into_iter().chain(of_identity);
    let declared = of_both.map(|(described, fields)| (&described.path, declared(described, fields)));
    let known: Vec<_> = declared.filter(|(_, fields)| !fields.is_empty()).collect();
    if known.is_empty() {
        return;
    }
    // What an earlier step wants of the status came through the decoder of the
    // request as bytes; where they are no Struct, they are left alone.
    let Ok(mut manifest) = Struct::decode(desired.composite_manifest().unwrap_or_default()) else { return };
    for (path, fields) in known {
        set(&mut manifest, path, object(fields));
    }
    desired.set_composite_manifest(&manifest.encode_to_vec().into());
}

/// The condition, where something is left out or was.
pub(super) fn judge(observation: &Observation) -> Option<Condition> {
    let before = observation.xr.previous.of_type(ConditionType::StatusWritten);
    let content = match &observation.schema {
        SchemaKnown::Known { of } if is_undeclared(observation) => left_out(observation, of),
        // Where the API server has no schema, there is nothing new to say.
        SchemaKnown::Unknown => Content::of(before?)?,
        SchemaKnown::Known { .. } | SchemaKnown::NotAsked => {
            before?;
            let message = "What is written to the status of the composite resource is declared in its schema";
            Content { status: Status::True, reason: Reason::FieldsDeclared, message: message.to_owned() }
        }
    };
    Some(content.condition(ConditionType::StatusWritten))
}

/// Whether the XRD lacks a field that is written.
pub(super) fn is_undeclared(observation: &Observation) -> bool {
    described(observation).any(|described| !described.undeclared.is_empty())
}

fn described(observation: &Observation) -> impl Iterator<Item = &Described> {
    let of_hand_off = observation.hand_off.as_ref().and_then(|hand_off| hand_off.status.as_ref());
    observation.status.as_ref().into_iter().chain(of_hand_off)
}

fn left_out(observation: &Observation, of: &str) -> Content {
    let paths: Vec<String> = described(observation).flat_map(Described::undeclared_paths).collect();
    let message = format!(
        "The schema of {of} does not declare as a string, so it is left out: {}. Declare it in the status of the \
         CompositeResourceDefinition, each as type string",
        paths.join(", ")
    );
    Content { status: Status::False, reason: Reason::FieldNotDeclared, message }
}

/// The fields less what the XRD does not declare.
fn declared(described: &Described, mut fields: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    for leaf in &described.undeclared {
        match leaf {
            [name] => drop(fields.remove(*name)),
            [within, name] => {
                if let Some(Value { kind: Some(Kind::StructValue(object)) }) = fields.get_mut(*within) {
                    object.fields.remove(*name);
                }
            }
            _ => {}
        }
    }
    let is_empty =
        |value: &Value| matches!(&value.kind, Some(Kind::StructValue(object)) if object.fields.is_empty());
    fields.retain(|_, value| !is_empty(value));
    fields
}

/// What the server has said, else what the Secret has, else what the status says
/// already: a process does not know for long what is not in the Secret, and the API
/// server removes a field that is not applied again.
fn fields(observation: &Observation, remembered: &Remembered, status: &Described) -> BTreeMap<String, Value> {
    let accepted = remembered.accepted.as_ref().and_then(|accepted| match &accepted.connection {
        Some(connection) => Some(connection.parts()),
        None => accepted.with(observation.connection.as_ref()?),
    });
    let observed = |value: DetailValue| {
        let detail = observation.wanted.iter().find(|detail| detail.value == value)?;
        observation.connection.as_ref()?.data.text(&detail.name).map(str::to_owned)
    };
    let known = [
        ("host", accepted.map(|it| it.origin.to_string()), DetailValue::Host),
        ("organizationId", accepted.map(|it| it.organization_id.to_owned()), DetailValue::OrganizationId),
        (IDENTITY_ID, accepted.and_then(|it| it.identity_id.map(str::to_owned)), DetailValue::IdentityId),
        (
            "tokenExpiresAt",
            accepted.and_then(|it| it.expires_at).map(|at| at.to_string()),
            DetailValue::ExpiresAt,
        ),
    ];
    let mut fields: BTreeMap<String, Value> = known
        .into_iter()
        .filter_map(|(name, value, detail)| {
            let said = || status.said.get(name).cloned();
            Some((name.to_owned(), text(value.or_else(|| observed(detail)).or_else(said)?)))
        })
        .collect();
    if !fields.is_empty() {
        let reference = reference(observation, &observation.connection_secret);
        fields.insert(CONNECTION_SECRET.to_owned(), reference);
    }
    fields
}

fn handed_off<'a>(
    observation: &'a Observation,
    remembered: &Remembered,
    identity: Option<&SecretData>,
) -> Option<(&'a Described, BTreeMap<String, Value>)> {
    let hand_off = observation.hand_off.as_deref()?;
    let status = hand_off.status.as_ref()?;
    let accepted = remembered.hand_off.as_ref().and_then(|state| state.accepted.as_ref());
    let in_secret = || {
        let is_id = |detail: &&IdentityDetail| detail.value == IdentityDetailValue::IdentityId;
        let detail = hand_off.wanted.iter().find(is_id)?;
        identity?.text(&detail.name).map(str::to_owned)
    };
    let said = || status.said.get(IDENTITY_ID).cloned();
    let id = accepted.and_then(|accepted| accepted.identity_id.clone()).or_else(in_secret).or_else(said);
    if id.is_none() && identity.is_none() {
        return None;
    }
    let secret = Some(reference(observation, &hand_off.secret));
    let fields = [(IDENTITY_ID, id.map(text)), (IDENTITY_SECRET, secret)];
    let fields = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Some((status, fields.collect()))
}

fn reference(observation: &Observation, secret: &SecretName) -> Value {
    let mut reference = BTreeMap::from([("name".to_owned(), text(secret.name.clone()))]);
    if let Some(namespace) = secret.namespace.as_deref().or(observation.xr.namespace()) {
        reference.insert("namespace".to_owned(), text(namespace.to_owned()));
    }
    object(reference)
}

/// Sets the value at a path of fields, making objects on the way. The input's
/// validation refuses a path with an index.
fn set(manifest: &mut Struct, path: &FieldPath, value: Value) {
    let mut names = path.segments().iter().filter_map(|segment| match segment {
        Segment::Field(name) => Some(name),
        Segment::Index(_) => None,
    });
    let Some(last) = names.next_back() else { return };
    let mut at = manifest;
    for name in names {
        let next = at.fields.entry(name.clone()).or_default();
        if !matches!(next.kind, Some(Kind::StructValue(_))) {
            next.kind = Some(Kind::StructValue(Struct::default()));
        }
        let Some(Kind::StructValue(object)) = &mut next.kind else { return };
        at = object;
    }
    at.fields.insert(last.clone(), value);
}

fn text(value: String) -> Value {
    Value { kind: Some(Kind::StringValue(value)) }
}

fn object(fields: BTreeMap<String, Value>) -> Value {
    Value { kind: Some(Kind::StructValue(Struct { fields })) }
}
