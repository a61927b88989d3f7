//! Where the instance is, out of what the input names.
//!
//! An address that comes from the XR was written by its author, who is not the
//! platform team: credentials go to it only if the input allows its host.

use infisical::endpoint::{Endpoint, Origin, Tls};

use super::{
    ObserveError, Required, Waiting,
    request::{nobody_composes, observed},
    requirements::Sought,
};
use crate::{
    contract::{
        composed_secret::SecretData,
        fieldpath::FieldPath,
        manifest::{Manifest, PathError},
        proto::v1::RunFunctionRequest,
    },
    input::{
        AllowedHost, BEGIN, CaKind, CaSource, EndpointSource, FromComposedResource, Instance, Service,
        TlsSource, is_certificate_bundle, is_no_bundle,
    },
};

/// The requirement that brings the CA bundle.
const CA_REQUIREMENT: &str = "infisical-ca-bundle";

/// The endpoint that the input describes, or what of it is not there yet.
pub(super) fn observe(
    request: &RunFunctionRequest,
    composite: Manifest<'_>,
    instance: &Instance,
    required: &mut Required<'_>,
) -> Result<Result<Endpoint, Waiting>, ObserveError> {
    // The CA bundle is required whether the address is known or not, so that
    // both are there by the time that the second is.
    let tls = tls(&instance.endpoint.tls, required)?;
    let origin = origin(request, composite, instance)?;
    if let Ok(origin) = &origin
        && origin.as_str().starts_with("http:")
        && instance.endpoint.tls != TlsSource::default()
    {
        return Err(ObserveError::Value {
            field: "input.instance.endpoint.tls".to_owned(),
            what: format!("is set, but {origin} is not https; take one of the two away or change it"),
        });
    }
    Ok(origin.and_then(|origin| Ok(Endpoint::new(origin, tls?))))
}

fn origin(
    request: &RunFunctionRequest,
    composite: Manifest<'_>,
    instance: &Instance,
) -> Result<Result<Origin, Waiting>, ObserveError> {
    match &instance.endpoint.source {
        EndpointSource::Url(origin) => Ok(Ok(origin.clone())),
        EndpointSource::FromCompositeFieldPath(path) => {
            let field = "input.instance.endpoint.fromCompositeFieldPath";
            let origin = read(composite, path, field, "the composite resource")?;
            if let Ok(origin) = &origin {
                check_allowed(origin, &instance.endpoint.allowed_hosts, path, "the composite resource")?;
            }
            Ok(origin)
        }
        EndpointSource::FromComposedResource(FromComposedResource { resource, field_path }) => {
            let field = "input.instance.endpoint.fromComposedResource.fieldPath";
            let whose = format!("composed resource \"{}\"", resource.as_str());
            match observed(request, resource.as_str()) {
                Some(manifest) => {
                    let origin = read(manifest, field_path, field, &whose)?;
                    // Without a list any is allowed: the Composition made that resource.
                    if let Ok(origin) = &origin
                        && !instance.endpoint.allowed_hosts.is_empty()
                    {
                        check_allowed(origin, &instance.endpoint.allowed_hosts, field_path, &whose)?;
                    }
                    Ok(origin)
                }
                None => {
                    let field = "input.instance.endpoint.fromComposedResource.resource";
                    Ok(Err(Waiting::Endpoint(not_observed(request, resource.as_str(), field))))
                }
            }
        }
        EndpointSource::Service(Service { resource, port, scheme }) => {
            let name = resource.as_str();
            let Some(manifest) = observed(request, name) else {
                let field = "input.instance.endpoint.service.resource";
                return Ok(Err(Waiting::Endpoint(not_observed(request, name, field))));
            };
            Ok(service(manifest, name, *port, scheme.as_str()))
        }
    }
}

/// Whether a composed resource is to come, or never will.
fn not_observed(request: &RunFunctionRequest, name: &str, field: &str) -> String {
    if request.desired.as_ref().is_some_and(|desired| desired.resource(name).is_some()) {
        format!("composed resource \"{name}\" is not observed yet")
    } else {
        nobody_composes(request, name, field)
    }
}

/// A URL out of a field.
fn read(
    manifest: Manifest<'_>,
    path: &FieldPath,
    field: &str,
    whose: &str,
) -> Result<Result<Origin, Waiting>, ObserveError> {
    let wrong = |what: String| ObserveError::Value { field: field.to_owned(), what };
    match manifest.string_at(path) {
        Ok(text) if text.trim().is_empty() => {
            Ok(Err(Waiting::Endpoint(format!("{path} of {whose} is empty"))))
        }
        Ok(text) => match Origin::parse(text) {
            Ok(origin) => Ok(Ok(origin)),
            Err(error) => Err(wrong(format!("{path} of {whose} is not the URL of a server: {error}"))),
        },
        Err(PathError::NotFound { .. }) => {
            Ok(Err(Waiting::Endpoint(format!("{path} of {whose} has no value yet"))))
        }
        Err(error) => Err(wrong(format!("{whose}: {error}"))),
    }
}

fn check_allowed(
    origin: &Origin,
    allowed: &[AllowedHost],
    path: &FieldPath,
    whose: &str,
) -> Result<(), ObserveError> {
    if allowed.iter().any(|allowed| allowed.matches(origin)) {
        return Ok(());
    }
    let allowed: Vec<String> = allowed.iter().map(ToString::to_string).collect();
    Err(ObserveError::Value {
        field: "input.instance.endpoint.allowedHosts".to_owned(),
        what: format!(
            "{path} of {whose} names {origin}, which is not among what is allowed ({}); credentials are not \
             sent there",
            allowed.join(", ")
        ),
    })
}

/// A Service's name inside the cluster, without the cluster's domain, which
/// only the resolver of a Pod knows.
fn service(service: Manifest<'_>, resource: &str, port: u16, scheme: &str) -> Result<Origin, Waiting> {
    let waiting = |what: &str| Waiting::Endpoint(format!("composed resource \"{resource}\" {what}"));
    if service.kind() != Some("Service") {
        return Err(waiting("is not a Service; name one in input.instance.endpoint.service.resource"));
    }
    let name = service.name().ok_or_else(|| waiting("has no name"))?;
    let namespace = service.namespace().ok_or_else(|| waiting("has no namespace"))?;
    Origin::parse(&format!("{scheme}://{name}.{namespace}.svc:{port}"))
        .map_err(|error| waiting(&format!("has no usable name: {error}")))
}

fn tls(source: &TlsSource, required: &mut Required<'_>) -> Result<Result<Tls, Waiting>, ObserveError> {
    let ca_bundle = match &source.ca {
        None => None,
        Some(CaSource::Inline(pem)) => Some(pem.clone()),
        Some(CaSource::From { kind, name, namespace, key }) => {
            let wanted = (kind_of(*kind), name.as_str(), namespace.as_deref());
            let Sought { manifest, place } = match required.object(CA_REQUIREMENT, wanted, field_of(*kind))? {
                Ok(sought) => sought,
                Err(waiting) => return Ok(Err(waiting)),
            };
            match ca_from(manifest, *kind, key) {
                Some(pem) if is_certificate_bundle(&pem) => Some(pem),
                Some(other) => {
                    return Err(ObserveError::Value {
                        field: "input.instance.endpoint.tls.caBundleFrom".to_owned(),
                        what: format!(
                            "what {} {place} has under key \"{key}\" {}; put certificates there, each from {BEGIN:?} on",
                            kind_of(*kind),
                            is_no_bundle(&other)
                        ),
                    });
                }
                None => {
                    let what = format!(
                        "the CA bundle is not there: {} {place} with key \"{key}\" \
                         (input.instance.endpoint.tls.caBundleFrom)",
                        kind_of(*kind),
                    );
                    return Ok(Err(Waiting::Endpoint(what)));
                }
            }
        }
    };
    Ok(Ok(Tls {
        ca_bundle,
        server_name: source.server_name.clone(),
        insecure_skip_verify: source.insecure_skip_verify,
    }))
}

fn kind_of(kind: CaKind) -> &'static str {
    match kind {
        CaKind::ConfigMap => "ConfigMap",
        CaKind::Secret => "Secret",
    }
}

fn field_of(kind: CaKind) -> &'static str {
    match kind {
        CaKind::ConfigMap => "input.instance.endpoint.tls.caBundleFrom.configMapRef",
        CaKind::Secret => "input.instance.endpoint.tls.caBundleFrom.secretRef",
    }
}

fn ca_from(object: Option<Manifest<'_>>, kind: CaKind, key: &str) -> Option<String> {
    let object = object?;
    match kind {
        CaKind::ConfigMap => object.object("data")?.string(key).map(str::to_owned),
        CaKind::Secret => SecretData::read(object).text(key).map(str::to_owned),
    }
}
