//! What docs/security.md says of rotating by hand, done as it says.

use std::time::Duration;

use fake_infisical::Variant;
use serde_json::json;

use crate::world::{Kind, VARIANTS, World, variant};

/// The admin's present password, as a credential of the step.
fn supply(world: &mut World, password: &str) {
    world.crossplane.input["admin"] = json!({"credentials": "admin"});
    let data = [("email", "platform@example.org"), ("password", password)];
    let data = data.map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec()));
    world.crossplane.credentials.insert("admin".to_owned(), data.into_iter().collect());
}

#[tokio::test]
async fn a_revoked_token_is_replaced_at_once_when_its_key_is_overwritten() {
    for of in VARIANTS {
        let mut world = World::connected(variant(of), Kind::Namespaced).await;
        let before = world.token();
        world.fake.revoke_all_tokens();
        world.put("token", "rotate");
        world.settle().await;
        assert!(world.crossplane.is_ready() && world.token_works(), "{of:?}: {}", world.story());
        assert_ne!(world.token(), before);
        assert!(!world.fake.token_works(&before));
    }
}

#[tokio::test]
async fn a_changed_admin_password_is_supplied_and_the_token_goes_on() {
    let mut world = World::connected(variant(Variant::Strict), Kind::Namespaced).await;
    let before = world.token();
    world.fake.change_passwords("marker-changed");
    supply(&mut world, "marker-changed");
    world.settle().await;
    assert!(world.crossplane.is_ready());
    assert_eq!(world.token(), before, "the token does not depend on the password");
    let kept = world.crossplane.secret("infisical-admin").unwrap();
    assert_ne!(kept["password"], "marker-changed", "the Secret is immutable and stays as it was");

    // The supplied one is what logs in when a token is needed.
    world.fake.revoke_all_tokens();
    world.live(Duration::from_mins(10)).await;
    assert!(world.crossplane.is_ready() && world.token_works(), "{}", world.story());
}
