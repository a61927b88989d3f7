//! Kubernetes Auth of an identity.

use fake_infisical::{Settings, Variant};
use provider_infisical::api::{identity::Identity, kubernetes_auth::KubernetesAuth};
use serde_json::{Value, json};

use super::{identity::own_id, universal_auth::identity};
use crate::live::{Live, Object, POLL, with_each_fault};

const CA: &str = "-----BEGIN CERTIFICATE-----\nMIID\n-----END CERTIFICATE-----\n";

/// A server that may connect to private addresses.
fn live() -> Live {
    Live::with(Settings {
        variant: Variant::Lenient,
        permission_lag: 0,
        allow_internal_ip_connections: true,
        ..Settings::default()
    })
}

fn apply<'a>(live: &'a Live, parameters: &Value) -> Object<'a, KubernetesAuth> {
    let mut wanted =
        json!({ "identityIdRef": { "name": "app" }, "kubernetesHost": "https://kubernetes.default.svc" });
    wanted.as_object_mut().unwrap().extend(parameters.as_object().unwrap().clone());
    live.apply::<KubernetesAuth>("login", &wanted)
}

fn path(id: &str) -> String {
    format!("/api/v1/auth/kubernetes-auth/identities/{id}")
}

fn attached(live: &Live, id: &str) -> Value {
    live.by_hand("GET", &path(id), &Value::Null)["identityKubernetesAuth"].clone()
}

fn methods(live: &Live, id: &str) -> Value {
    live.by_hand("GET", &format!("/api/v1/identities/{id}"), &Value::Null)["identity"]["identity"]["authMethods"]
        .clone()
}

#[tokio::test(start_paused = true)]
async fn it_is_attached_changed_and_removed() {
    let live = live();
    let id = identity(&live, "app").await;
    let login = apply(
        &live,
        &json!({
            "kubernetesCaCertificate": CA,
            "allowedNamespaces": ["team-a", "team-b"],
            "allowedServiceAccountNames": ["app"],
            "tokenReviewerMode": "api",
        }),
    );
    login.ready().await;
    assert_eq!(login.external_name().as_ref(), Some(&id));
    let made = attached(&live, &id);
    assert_eq!((&made["allowedNamespaces"], &made["caCert"]), (&json!("team-a,team-b"), &json!(CA.trim())));
    assert_eq!(login.observed().verify_tls_certificate, Some(true), "the server's choice is shown");
    let table = [
        (
            json!({ "kubernetesHost": "https://10.0.0.1:6443" }),
            "kubernetesHost",
            json!("https://10.0.0.1:6443"),
        ),
        (json!({ "verifyTlsCertificate": false }), "verifyTlsCertificate", json!(false)),
        (json!({ "kubernetesCaCertificate": "" }), "caCert", json!("")),
        (json!({ "allowedNamespaces": [] }), "allowedNamespaces", json!("")),
        (json!({ "allowedServiceAccountNames": ["app", "job"] }), "allowedNames", json!("app,job")),
        (json!({ "allowedAudience": "infisical" }), "allowedAudience", json!("infisical")),
        (json!({ "accessTokenTtl": 600, "accessTokenMaxTtl": 600 }), "accessTokenTTL", json!(600)),
        (json!({ "accessTokenNumUsesLimit": 3 }), "accessTokenNumUsesLimit", json!(3)),
        (
            json!({ "accessTokenTrustedIps": [{ "ipAddress": "::/0" }] }),
            "accessTokenTrustedIps",
            json!([{ "type": "ipv6", "prefix": 0, "ipAddress": "::" }]),
        ),
    ];
    for (change, field, expected) in table {
        login.change(&change).ready().await;
        assert_eq!(attached(&live, &id)[field], expected, "{change}");
    }
    // The order of names and white space are nothing to write for.
    live.by_hand("PATCH", &path(&id), &json!({ "allowedNames": "job, app" }));
    login.steady().await;
    login.delete().settle().await;
    assert_eq!(methods(&live, &id), json!([]));
}

#[tokio::test(start_paused = true)]
async fn what_the_server_cannot_reach_is_refused_with_what_to_do() {
    let live = Live::new();
    let id = identity(&live, "app").await;
    let login = apply(&live, &json!({ "kubernetesHost": "https://10.0.0.1:6443" }));
    login.reconcile().await;
    let said = login.conditions().pop().unwrap();
    assert!(said.contains("ALLOW_INTERNAL_IP_CONNECTIONS=true"), "{said}");
    login.change(&json!({ "kubernetesHost": "https://203.0.113.7:9" })).reconcile().await;
    let said = login.conditions().pop().unwrap();
    assert!(said.ends_with("the server cannot connect to the Kubernetes API server"), "{said}");
    assert_eq!(methods(&live, &id), json!([]));
    login.change(&json!({ "kubernetesHost": "https://203.0.113.7:6443" })).ready().await;
}

#[tokio::test(start_paused = true)]
async fn the_token_of_a_reviewer_that_somebody_wrote_stays_and_is_shown_nowhere() {
    let live = live();
    let id = identity(&live, "app").await;
    let login = apply(&live, &json!({}));
    login.ready().await;
    live.by_hand("PATCH", &path(&id), &json!({ "tokenReviewerJwt": "marker-jwt" }));
    login.change(&json!({ "allowedAudience": "a" })).ready().await;
    assert_eq!(attached(&live, &id)["tokenReviewerJwt"], "marker-jwt");
    let object = serde_json::to_string(&login.get().unwrap()).unwrap();
    assert!(!object.contains("marker"), "{object}");
}

#[tokio::test(start_paused = true)]
async fn it_is_made_again_and_follows_its_identity() {
    let live = live();
    let before = identity(&live, "app").await;
    let login = apply(&live, &json!({ "allowedNamespaces": ["a"] }));
    login.ready().await;
    live.by_hand("DELETE", &path(&before), &Value::Null);
    live.pass(POLL).await;
    login.ready().await;
    assert_eq!(attached(&live, &before)["allowedNamespaces"], "a");
    live.by_hand("DELETE", &format!("/api/v1/identities/{before}"), &Value::Null);
    live.object::<Identity>("app").settle().await;
    login.ready().await;
    assert_eq!(login.external_name(), live.object::<Identity>("app").external_name());
    // In any order of deletion.
    live.object::<Identity>("app").delete().settle().await;
    login.delete().settle().await;
    assert!(login.get().is_none());
}

#[tokio::test(start_paused = true)]
async fn one_that_somebody_else_attached_is_not_touched_until_it_is_imported() {
    let live = live();
    let id = identity(&live, "app").await;
    let body = json!({
        "kubernetesHost": "https://10.0.0.1", "allowedNamespaces": "x", "allowedNames": "", "allowedAudience": "",
    });
    live.by_hand("POST", &path(&id), &body);
    let login = apply(&live, &json!({ "allowedNamespaces": ["a"] }));
    login.settle().await;
    assert!(login.conditions()[0].contains("was not made by this object"), "{:?}", login.conditions());
    assert_eq!(attached(&live, &id)["allowedNamespaces"], "x");
    login.annotate("crossplane.io/external-name", &id).ready().await;
    assert_eq!(attached(&live, &id)["allowedNamespaces"], "a");
}

#[tokio::test(start_paused = true)]
async fn what_is_cut_off_anywhere_attaches_it_once_and_removes_it() {
    let prepare = async |live: &Live| {
        identity(live, "app").await;
    };
    let public = json!({ "kubernetesHost": "https://203.0.113.7:6443" });
    let scene = async |live: &Live| {
        apply(live, &public).settle().await;
    };
    with_each_fault(prepare, scene, async |live, case| {
        let login = live.object::<KubernetesAuth>("login");
        let id = live.object::<Identity>("app").external_name().unwrap();
        login.ready().await;
        assert_eq!(methods(live, &id), json!(["kubernetes-auth"]), "{case}");
        login.delete().settle().await;
        assert_eq!(methods(live, &id), json!([]), "{case}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn nobody_adds_a_login_to_the_identity_that_the_provider_logs_in_with() {
    let live = live();
    let own = own_id(&live);
    let before = methods(&live, &own);
    let login = live.apply::<KubernetesAuth>(
        "login",
        &json!({ "identityId": own, "kubernetesHost": "https://kubernetes.default.svc" }),
    );
    login.reconcile().await;
    let said = login.conditions().pop().unwrap();
    assert!(said.contains("create failed") && said.contains("the provider itself logs in with"), "{said}");
    assert_eq!(methods(&live, &own), before);
    login.delete().settle().await;
    assert!(login.get().is_none());
}
