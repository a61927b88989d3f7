//! A stand-in for function-go-templating, which cannot be had as a module.

use std::time::Duration;

use fake_crossplane::{
    structs::decode,
    templates::{NAME, READY, render},
};
use function_infisical::{
    contract::proto::v1::{Ready, RunFunctionRequest, RunFunctionResponse},
    server::RunFunction,
};
use serde_json::{Map, Value, json};
use tonic::Status;

use super::{answer, composite};

pub(crate) struct Templates;

impl RunFunction for Templates {
    async fn run_function(
        &self,
        request: RunFunctionRequest,
        _: Option<Duration>,
    ) -> Result<RunFunctionResponse, Status> {
        let input = decode(request.input.as_deref().unwrap_or_default());
        let template = input["inline"]["template"].as_str().unwrap_or_default();
        let rendered = render(template, &as_data(&request)).map_err(Status::invalid_argument)?;
        let documents: Vec<Value> = serde_saphyr::from_multiple(&rendered)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        let documents = documents.into_iter().filter(Value::is_object);
        Ok(answer(request, documents.map(named).collect::<Result<Vec<_>, _>>()?))
    }

    async fn drain(&self) {}
}

/// What a template sees of a request.
fn as_data(request: &RunFunctionRequest) -> Value {
    let observed = request.observed.iter().flat_map(|observed| &observed.resources);
    let resources: Map<_, _> = observed
        .map(|(name, it)| {
            (name.clone(), json!({"resource": decode(it.resource.as_deref().unwrap_or_default())}))
        })
        .collect();
    json!({"observed": {"composite": {"resource": composite(request)}, "resources": resources}})
}

/// Takes the name off a document, and what it says of its readiness.
fn named(mut document: Value) -> Result<(String, Value, Ready), Status> {
    let annotations = document["metadata"]["annotations"].as_object_mut();
    let mut take = annotations.map(|annotations| [NAME, READY].map(|name| annotations.remove(name)));
    let [name, ready] = take.take().unwrap_or_default();
    let name = name.as_ref().and_then(Value::as_str).map(str::to_owned);
    let name = name.ok_or_else(|| Status::invalid_argument("a resource without a name"))?;
    let ready = if ready == Some("True".into()) { Ready::True } else { Ready::Unspecified };
    Ok((name, document, ready))
}
