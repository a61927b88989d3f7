//! What is written into an object's metadata: the intent before the effect, and its name.
//!
//! Each is a merge patch for the object as it was read, and has no effect on a newer one.
//! The annotations are those of crossplane-runtime, and people may read them; none waits
//! for one to be taken away.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};

use super::annotations::{Annotations, CREATE_FAILED, CREATE_PENDING, CREATE_SUCCEEDED, EXTERNAL_NAME};

/// What keeps an object until its resource is gone.
pub const FINALIZER: &str = "finalizer.managedresource.crossplane.io";

/// That we are about to make the resource.
#[must_use]
pub fn begin(metadata: &ObjectMeta, now: Timestamp) -> Value {
    // How an earlier one ended is taken away: a clock that was set back must not make this
    // one look ended.
    let annotations = json!({
        (CREATE_PENDING): now.to_string(),
        (CREATE_SUCCEEDED): null,
        (CREATE_FAILED): null,
    });
    patch(metadata, &with_finalizer(metadata), &annotations)
}

/// The name of the resource that was made.
#[must_use]
pub fn made(metadata: &ObjectMeta, id: &str, now: Timestamp) -> Value {
    let annotations = json!({ (EXTERNAL_NAME): id, (CREATE_SUCCEEDED): not_before(metadata, now) });
    patch(metadata, &with_finalizer(metadata), &annotations)
}

/// That the resource was refused to be made: nothing is left open.
#[must_use]
pub fn failed(metadata: &ObjectMeta, now: Timestamp) -> Value {
    patch(metadata, &with_finalizer(metadata), &json!({ (CREATE_FAILED): not_before(metadata, now) }))
}

/// That we are to be asked before the object goes.
#[must_use]
pub fn kept(metadata: &ObjectMeta) -> Value {
    patch(metadata, &with_finalizer(metadata), &json!({}))
}

/// That we need not be asked any more.
#[must_use]
pub fn released(metadata: &ObjectMeta) -> Value {
    let mut finalizers = finalizers(metadata).to_vec();
    finalizers.retain(|finalizer| finalizer != FINALIZER);
    patch(metadata, &finalizers, &json!({}))
}

/// Whether the begin that `patch` wrote is still the newest: somebody else may have begun
/// since.
#[must_use]
pub fn is_pending(metadata: &ObjectMeta, since: Timestamp) -> bool {
    Annotations::of(metadata).open_create() == Some(since)
}

/// Whether our finalizer is on an object, and whether others' are.
#[must_use]
pub fn holders(metadata: &ObjectMeta) -> (bool, bool) {
    let all = finalizers(metadata);
    (all.iter().any(|it| it == FINALIZER), all.iter().any(|it| it != FINALIZER))
}

fn finalizers(metadata: &ObjectMeta) -> &[String] {
    metadata.finalizers.as_deref().unwrap_or_default()
}

fn with_finalizer(metadata: &ObjectMeta) -> Vec<String> {
    let mut finalizers = finalizers(metadata).to_vec();
    // An object that is being deleted takes no new ones.
    if metadata.deletion_timestamp.is_none() && !finalizers.iter().any(|it| it == FINALIZER) {
        finalizers.push(FINALIZER.to_owned());
    }
    finalizers
}

/// Now, or when the create began, if that is later.
fn not_before(metadata: &ObjectMeta, now: Timestamp) -> String {
    Annotations::of(metadata).open_create().map_or(now, |pending| pending.max(now)).to_string()
}

fn patch(metadata: &ObjectMeta, finalizers: &[String], annotations: &Value) -> Value {
    json!({ "metadata": {
        "resourceVersion": metadata.resource_version,
        "uid": metadata.uid,
        "finalizers": finalizers,
        "annotations": annotations,
    } })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn object(annotations: &[(&str, &str)]) -> ObjectMeta {
        let pair = |&(key, value): &(&str, &str)| (key.to_owned(), value.to_owned());
        ObjectMeta {
            resource_version: Some("7".to_owned()),
            finalizers: Some(vec!["others".to_owned()]),
            annotations: Some(annotations.iter().map(pair).collect()),
            ..ObjectMeta::default()
        }
    }

    fn after(metadata: &ObjectMeta, patch: &Value) -> ObjectMeta {
        let mut value = serde_json::to_value(metadata).unwrap();
        super::super::merge::apply(&mut value, &patch["metadata"]);
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_create_is_open_until_it_is_made_or_failed() {
        let begun = after(&object(&[]), &begin(&object(&[]), at(0)));
        assert!(is_pending(&begun, at(0)));
        assert_eq!(holders(&begun), (true, true));
        for ended in [made(&begun, "id", at(1)), failed(&begun, at(1))] {
            assert_eq!(Annotations::of(&after(&begun, &ended)).open_create(), None, "{ended}");
        }
    }

    #[test]
    fn a_clock_that_is_set_back_leaves_nothing_open_and_nothing_closed() {
        let begun = after(&object(&[]), &begin(&object(&[]), at(100)));
        let ended = after(&begun, &failed(&begun, at(0)));
        assert_eq!(Annotations::of(&ended).open_create(), None);
        let again = after(&ended, &begin(&ended, at(1)));
        assert!(is_pending(&again, at(1)), "{again:?}");
    }

    #[test]
    fn every_patch_is_for_the_object_as_it_was_read() {
        let it = object(&[]);
        for patch in [begin(&it, at(0)), made(&it, "id", at(0)), failed(&it, at(0)), kept(&it), released(&it)]
        {
            assert_eq!(patch["metadata"]["resourceVersion"], "7", "{patch}");
        }
    }

    #[test]
    fn the_finalizers_of_others_stay() {
        let kept = after(&object(&[]), &kept(&object(&[])));
        assert_eq!(holders(&kept), (true, true));
        assert_eq!(holders(&after(&kept, &released(&kept))), (false, true));
    }
}
