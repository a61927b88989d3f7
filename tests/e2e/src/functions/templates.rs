//! A stand-in for function-go-templating, which cannot be had as a module.
//!
//! It knows the few actions that the examples use and refuses all others.

use std::time::Duration;

use fake_crossplane::structs::{decode, encode};
use function_infisical::{
    proto::v1::{Resource, ResponseMeta, RunFunctionRequest, RunFunctionResponse},
    server::RunFunction,
};
use serde_json::Value;
use tonic::Status;

/// The annotation by which a template names a composed resource.
const NAME: &str = "gotemplating.fn.crossplane.io/composition-resource-name";

pub(crate) struct Templates;

#[async_trait::async_trait]
impl RunFunction for Templates {
    async fn run_function(
        &self,
        request: RunFunctionRequest,
        _: Option<Duration>,
    ) -> Result<RunFunctionResponse, Status> {
        let input = decode(request.input.as_deref().unwrap_or_default());
        let composite = request.observed.and_then(|observed| observed.composite);
        let xr = decode(composite.and_then(|xr| xr.resource).as_deref().unwrap_or_default());
        let template = input["inline"]["template"].as_str().unwrap_or_default();
        let rendered = render(template, &xr).map_err(Status::invalid_argument)?;
        let documents: Vec<Value> = serde_saphyr::from_multiple(&rendered)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        let mut desired = request.desired.unwrap_or_default();
        for mut document in documents.into_iter().filter(Value::is_object) {
            let annotations = document["metadata"]["annotations"].as_object_mut();
            let name = annotations.and_then(|annotations| annotations.remove(NAME));
            let name = name.ok_or_else(|| Status::invalid_argument("a resource without a name"))?;
            let resource = Resource { resource: Some(encode(&document)), ..Resource::default() };
            desired.insert(name.as_str().unwrap_or_default(), &resource);
        }
        let tag = request.meta.unwrap_or_default().tag;
        Ok(RunFunctionResponse {
            meta: Some(ResponseMeta { tag, ttl: None }),
            desired: Some(desired),
            context: request.context,
            ..RunFunctionResponse::default()
        })
    }

    async fn drain(&self) {}
}

fn render(template: &str, xr: &Value) -> Result<String, String> {
    let mut rendered = String::new();
    let mut rest = template;
    while let Some((text, after)) = rest.split_once("{{") {
        let (action, after) = after.split_once("}}").ok_or("an action that does not end")?;
        rendered += text;
        rendered += &evaluate(action.trim_matches(['-', ' ']), xr)?;
        rest = after;
    }
    Ok(rendered + rest)
}

fn evaluate(action: &str, xr: &Value) -> Result<String, String> {
    if action == "$xr := .observed.composite.resource" {
        return Ok(String::new());
    }
    if let Some(name) = action.strip_prefix("setResourceNameAnnotation ") {
        return Ok(format!("{NAME}: {name}"));
    }
    let value = action.strip_prefix("$xr.").and_then(|path| {
        path.split('.').try_fold(xr, |value, field| value.get(field))?.as_str().map(str::to_owned)
    });
    value.ok_or_else(|| format!("{action}: the harness does not know this action, or it has no value"))
}
