//! Crossplane's part: an XR is created, its instance becomes ready, and the
//! function is called until the XR is.

use std::{collections::BTreeMap, error::Error, time::Duration};

use fake_crossplane::{Crossplane, Reconciled};
use infisical::{Connect as _, api::VerifyToken, client::Connector, secret::AccessToken};
use serde_json::json;

use crate::{report::Timeline, stage::Stage};

/// For how long Crossplane's deadline lets a call run.
const DEADLINE: Duration = Duration::from_mins(1);

/// When the play is given up.
const LIMIT: Duration = Duration::from_mins(3);

/// How it ended.
pub(crate) struct Outcome {
    /// The XR, as it is in the cluster.
    pub(crate) crossplane: Crossplane,
    /// The decoded Secrets by their name in the pipeline.
    pub(crate) secrets: BTreeMap<String, BTreeMap<String, String>>,
    /// The name of the organization whose token it is, or the server's refusal.
    pub(crate) token: Result<String, String>,
    /// How often the fake was asked to bootstrap itself, and how often it did.
    pub(crate) bootstraps: Option<(usize, usize)>,
}

/// Plays it.
pub(crate) async fn play(
    stage: &Stage,
    legacy: bool,
    timeline: &mut Timeline,
) -> Result<Outcome, Box<dyn Error>> {
    let mut crossplane = crossplane(legacy, stage.infisical.origin().as_str());
    timeline.tell(&stage.cast);
    timeline.tell(&format!("XR \"{}\" is created", text(&crossplane.xr["metadata"]["name"])));

    until_at_rest(stage, &mut crossplane, timeline).await?;
    timeline.tell("the instance's Deployment becomes available");
    crossplane.make_available("infisical");
    let limit = tokio::time::Instant::now() + LIMIT;
    loop {
        until_at_rest(stage, &mut crossplane, timeline).await?;
        if crossplane.is_ready() || tokio::time::Instant::now() > limit {
            break;
        }
        // Nothing polls: the step said when it wants to be called again.
        let ttl = u64::try_from(crossplane.ttl.unwrap_or(1))?;
        timeline.tell(&format!("called again in {ttl} s, as the response's ttl says"));
        tokio::time::sleep(Duration::from_secs(ttl)).await;
    }

    let secrets: BTreeMap<_, _> = ["infisical-admin", "infisical-connection"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), crossplane.secret(name)?)))
        .collect();
    let token = try_token(stage, &secrets).await;
    match &token {
        Ok(organization) => timeline.tell(&format!("the server accepts the token, of \"{organization}\"")),
        Err(refusal) => timeline.tell(&format!("there is no token that the server accepts: {refusal}")),
    }
    Ok(Outcome { crossplane, secrets, token, bootstraps: stage.bootstraps() })
}

/// Reconciles as Crossplane does after each change, until there is none.
async fn until_at_rest(
    stage: &Stage,
    crossplane: &mut Crossplane,
    timeline: &mut Timeline,
) -> Result<(), Box<dyn Error>> {
    loop {
        let before = crossplane.clone();
        let mut client = stage.function.clone();
        let reconciled = crossplane
            .reconcile(async |request| {
                let mut request = tonic::Request::new(request);
                request.set_timeout(DEADLINE);
                client.run_function(request).await.map(tonic::Response::into_inner)
            })
            .await?;
        timeline.compare(&before, crossplane);
        match reconciled {
            Reconciled::Applied { changed: true } => {}
            Reconciled::Applied { changed: false } => return Ok(()),
            Reconciled::Fatal(message) | Reconciled::Refused(message) => return Err(message.into()),
            Reconciled::Unstable => return Err("the step's requirements do not come to rest".into()),
        }
    }
}

/// Asks the server about the token in the Secret, as whoever uses it would.
async fn try_token(
    stage: &Stage,
    secrets: &BTreeMap<String, BTreeMap<String, String>>,
) -> Result<String, String> {
    let token = secrets.get("infisical-connection").and_then(|secret| secret.get("token"));
    let token = AccessToken::new(token.ok_or("the connection Secret has none")?.as_str());
    let server = Connector::default().connect(&stage.infisical).map_err(|error| error.to_string())?;
    let organization =
        server.send(&VerifyToken { token: &token }).await.map_err(|error| error.to_string())?;
    Ok(organization.name)
}

fn crossplane(legacy: bool, url: &str) -> Crossplane {
    let input = json!({
        "apiVersion": "infisical.fn.crossplane.io/v1beta1",
        "kind": "Bootstrap",
        "instance": {"resource": "infisical", "endpoint": {"url": url}},
        "admin": {"email": "platform@example.org"},
    });
    let xr = if legacy {
        json!({
            "apiVersion": "example.org/v1",
            "kind": "XInfisical",
            "metadata": {"name": "vault-pz7n7"},
            "spec": {"claimRef": {
                "apiVersion": "example.org/v1", "kind": "Infisical", "namespace": "team-a", "name": "vault",
            }},
        })
    } else {
        json!({
            "apiVersion": "example.org/v1",
            "kind": "Infisical",
            "metadata": {"name": "vault", "namespace": "team-a"},
            "spec": {"crossplane": {"compositionRef": {"name": "infisical"}}},
        })
    };
    let deployment = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "vault", "namespace": "team-a"},
        "spec": {"replicas": 1},
    });
    Crossplane::new(xr, input).composing("infisical", deployment)
}

fn text(value: &serde_json::Value) -> &str {
    value.as_str().unwrap_or_default()
}
