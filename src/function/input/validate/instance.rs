//! The instance: its readiness, its URL, its certificate.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use infisical::endpoint::Origin;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use url::Host;

use super::{
    super::{
        AllowedHost, CaKind, CaSource, EndpointSource, Instance, ReadinessCheck, Scheme, TlsSource, raw,
        raw::CheckType,
    },
    At, InputError, names,
};
use crate::contract::fieldpath::FieldPath;

/// The line that a certificate begins with.
pub const BEGIN: &str = "-----BEGIN CERTIFICATE-----";

/// The key under which Kubernetes and cert-manager keep certificates.
const DEFAULT_CA_KEY: &str = "ca.crt";

pub(super) fn instance(at: &At, raw: raw::Instance) -> Result<Instance, InputError> {
    let raw::Instance { resource, readiness_checks, endpoint: mut raw_endpoint } = raw;
    let resource = resource.map(|name| names::resource(&at.field("resource"), name)).transpose()?;
    let readiness_checks = readiness_checks
        .unwrap_or_default()
        .into_iter()
        .enumerate()
        .map(|(index, check)| readiness_check(&at.field("readinessChecks").index(index), check))
        .collect::<Result<Vec<_>, _>>()?;
    if resource.is_none() && !readiness_checks.is_empty() {
        return Err(at
            .field("readinessChecks")
            .problem("are of no use without resource; write that as well"));
    }
    let at = at.field("endpoint");
    let (tls, allowed_hosts) = (raw_endpoint.tls.take(), raw_endpoint.allowed_hosts.take());
    let endpoint = endpoint(&at, raw_endpoint)?;
    let tls = tls.map(|tls| tls_source(&at, tls, &endpoint)).transpose()?.unwrap_or_default();
    let allowed_hosts = self::allowed_hosts(&at, &allowed_hosts.unwrap_or_default(), &endpoint)?;
    Ok(Instance { resource, readiness_checks, endpoint, tls, allowed_hosts })
}

fn readiness_check(at: &At, raw: raw::ReadinessCheck) -> Result<ReadinessCheck, InputError> {
    let raw::ReadinessCheck { r#type, field_path, match_string, match_integer, match_condition } = raw;
    refuse_what_is_not_of_the_type(
        at,
        r#type,
        [
            ("fieldPath", field_path.is_some()),
            ("matchString", match_string.is_some()),
            ("matchInteger", match_integer.is_some()),
            ("matchCondition", match_condition.is_some()),
        ],
    )?;
    let missing = |name| at.field(name).problem(format!("is missing; the type {} needs it", r#type.as_str()));
    let path = || -> Result<FieldPath, InputError> {
        let text = field_path.as_deref().ok_or_else(|| missing("fieldPath"))?;
        at.field("fieldPath").field_path(text)
    };
    Ok(match r#type {
        CheckType::None => ReadinessCheck::None,
        CheckType::NonEmpty => ReadinessCheck::NonEmpty(path()?),
        CheckType::MatchTrue => ReadinessCheck::MatchTrue(path()?),
        CheckType::MatchFalse => ReadinessCheck::MatchFalse(path()?),
        CheckType::MatchString => ReadinessCheck::MatchString {
            path: path()?,
            value: match_string.ok_or_else(|| missing("matchString"))?,
        },
        CheckType::MatchInteger => ReadinessCheck::MatchInteger {
            path: path()?,
            value: match_integer.ok_or_else(|| missing("matchInteger"))?,
        },
        CheckType::MatchCondition => {
            let raw::MatchCondition { r#type: condition, status } =
                match_condition.ok_or_else(|| missing("matchCondition"))?;
            if condition.is_empty() || condition.contains(char::is_control) {
                let at = at.field("matchCondition").field("type");
                return Err(at.problem("is no type of a condition; write one such as \"Ready\""));
            }
            ReadinessCheck::MatchCondition { condition, status }
        }
    })
}

fn refuse_what_is_not_of_the_type(
    at: &At,
    r#type: CheckType,
    fields: [(&str, bool); 4],
) -> Result<(), InputError> {
    let used: &[&str] = match r#type {
        CheckType::None => &[],
        CheckType::NonEmpty | CheckType::MatchTrue | CheckType::MatchFalse => &["fieldPath"],
        CheckType::MatchString => &["fieldPath", "matchString"],
        CheckType::MatchInteger => &["fieldPath", "matchInteger"],
        CheckType::MatchCondition => &["matchCondition"],
    };
    match fields.iter().find(|(name, is_set)| *is_set && !used.contains(name)) {
        Some((name, _)) => Err(at.useless(name, &format!("the type {}", r#type.as_str()))),
        None => Ok(()),
    }
}

fn endpoint(at: &At, raw: raw::Endpoint) -> Result<EndpointSource, InputError> {
    let raw::Endpoint { url, from_composite_field_path, from_composed_resource, service, .. } = raw;
    at.at_most_one([
        ("url", url.is_some()),
        ("fromCompositeFieldPath", from_composite_field_path.is_some()),
        ("fromComposedResource", from_composed_resource.is_some()),
        ("service", service.is_some()),
    ])?;
    match (url, from_composite_field_path, from_composed_resource, service) {
        (Some(text), _, _, _) => self::url(&at.field("url"), &text),
        (_, Some(path), _, _) => {
            let path = at.field("fromCompositeFieldPath").field_path(&path)?;
            Ok(EndpointSource::FromCompositeFieldPath(path))
        }
        (_, _, Some(composed), _) => composed_resource(&at.field("fromComposedResource"), composed),
        (_, _, _, Some(raw)) => self::service(&at.field("service"), raw),
        (None, None, None, None) => Err(at
            .problem("has no url; write one of: url, fromCompositeFieldPath, fromComposedResource, service")),
    }
}

fn url(at: &At, text: &str) -> Result<EndpointSource, InputError> {
    Origin::parse(text).map(EndpointSource::Url).map_err(|error| at.problem(error.to_string()))
}

fn composed_resource(at: &At, raw: raw::FromComposedResource) -> Result<EndpointSource, InputError> {
    let raw::FromComposedResource { resource, field_path } = raw;
    Ok(EndpointSource::FromComposedResource {
        resource: names::resource(&at.field("resource"), resource)?,
        field_path: at.field("fieldPath").field_path(&field_path)?,
    })
}

fn service(at: &At, raw: raw::Service) -> Result<EndpointSource, InputError> {
    let raw::Service { resource, port, scheme } = raw;
    let resource = names::resource(&at.field("resource"), resource)?;
    match u16::try_from(port) {
        Ok(port) if port > 0 => {
            Ok(EndpointSource::Service { resource, port, scheme: scheme.unwrap_or_default() })
        }
        _ => Err(at.field("port").problem("is no port; write a number between 1 and 65535")),
    }
}

fn tls_source(at: &At, raw: raw::Tls, endpoint: &EndpointSource) -> Result<TlsSource, InputError> {
    match endpoint {
        EndpointSource::Url(origin) if !origin.as_str().starts_with("https:") => {
            return Err(at.useless("tls", "a url of http"));
        }
        EndpointSource::Service { scheme: Scheme::Http, .. } => {
            return Err(at.useless("tls", "a service of scheme http"));
        }
        // What a field holds is known when it is read.
        _ => {}
    }
    let at = at.field("tls");
    let raw::Tls { ca_bundle, ca_bundle_from, server_name, insecure_skip_verify } = raw;
    let ca = match (ca_bundle, ca_bundle_from) {
        (None, None) => None,
        (Some(_), Some(_)) => return Err(at.both("caBundle", "caBundleFrom")),
        (Some(pem), None) => Some(inline_ca(&at.field("caBundle"), pem)?),
        (None, Some(raw)) => Some(ca_from(&at.field("caBundleFrom"), raw)?),
    };
    let insecure_skip_verify = insecure_skip_verify.unwrap_or(false);
    if let (Some(ca), true) = (&ca, insecure_skip_verify) {
        let name = match ca {
            CaSource::Inline(_) => "caBundle",
            CaSource::From { .. } => "caBundleFrom",
        };
        return Err(at.both(name, "insecureSkipVerify"));
    }
    let server_name = server_name.map(|name| self::server_name(&at.field("serverName"), name)).transpose()?;
    Ok(TlsSource { ca, server_name, insecure_skip_verify })
}

fn inline_ca(at: &At, pem: String) -> Result<CaSource, InputError> {
    if is_certificate_bundle(&pem) {
        Ok(CaSource::Inline(pem))
    } else {
        Err(at.problem(format!("{}; write certificates, each from {BEGIN:?} on", is_no_bundle(&pem))))
    }
}

/// Whether a text is PEM with at least one certificate in it, and no other that
/// is broken. Whether a certificate is a good one is seen when it is used.
#[must_use]
pub fn is_certificate_bundle(pem: &str) -> bool {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    certificates.is_ok_and(|certificates| !certificates.is_empty())
}

/// What a text is that is no bundle of certificates, as a predicate. The `data`
/// of a Secret is base64, and is often copied as it is.
#[must_use]
pub fn is_no_bundle(text: &str) -> &'static str {
    let decoded = STANDARD.decode(text.split_whitespace().collect::<String>()).unwrap_or_default();
    if decoded.starts_with(b"-----BEGIN ") {
        "is the base64 of PEM, not PEM"
    } else {
        "is no PEM of certificates"
    }
}

fn ca_from(at: &At, raw: raw::CaBundleFrom) -> Result<CaSource, InputError> {
    let (kind, at, raw) = match (raw.config_map_ref, raw.secret_ref) {
        (Some(raw), None) => (CaKind::ConfigMap, at.field("configMapRef"), raw),
        (None, Some(raw)) => (CaKind::Secret, at.field("secretRef"), raw),
        (Some(_), Some(_)) => return Err(at.both("configMapRef", "secretRef")),
        (None, None) => return Err(at.problem("is empty; write one of: configMapRef, secretRef")),
    };
    let raw::KeyRef { name, namespace, key } = raw;
    Ok(CaSource::From {
        kind,
        name: names::subdomain(&at.field("name"), name)?,
        namespace: namespace.map(|name| names::label(&at.field("namespace"), name)).transpose()?,
        key: key
            .map_or_else(|| Ok(DEFAULT_CA_KEY.to_owned()), |key| names::secret_key(&at.field("key"), key))?,
    })
}

fn server_name(at: &At, name: String) -> Result<String, InputError> {
    match ServerName::try_from(name.as_str()) {
        Ok(_) => Ok(name),
        Err(_) => Err(at.problem("is no host; write one such as \"infisical.example.org\"")),
    }
}

fn allowed_hosts(
    at: &At,
    hosts: &[String],
    endpoint: &EndpointSource,
) -> Result<Vec<AllowedHost>, InputError> {
    let useless_with = match endpoint {
        EndpointSource::Url(_) => Some("url"),
        EndpointSource::Service { .. } => Some("service"),
        EndpointSource::FromCompositeFieldPath(_) | EndpointSource::FromComposedResource { .. } => None,
    };
    match useless_with {
        Some(with) if !hosts.is_empty() => return Err(at.useless("allowedHosts", with)),
        _ => {}
    }
    if hosts.is_empty() && matches!(endpoint, EndpointSource::FromCompositeFieldPath(_)) {
        // Who may write an XR is not who runs the platform, and the admin's
        // password goes to whatever host is named there.
        return Err(at.field("allowedHosts").problem(
            "is missing; whoever writes the XR chooses where the admin's password is sent, so list the hosts \
             that it may name, such as \"*.example.org\"",
        ));
    }
    let at = at.field("allowedHosts");
    hosts.iter().enumerate().map(|(index, host)| allowed_host(&at.index(index), host)).collect()
}

/// What an entry may look like, because the remedy is the same whatever is wrong.
const WRITE_A_HOST: &str = "write \"infisical.example.org\" for https on its default port, \"*.example.org\" for \
     all hosts below it, and scheme or port where they are others, such as \"infisical.example.org:8443\" or \
     \"http://infisical.tools.svc:8080\"";

fn allowed_host(at: &At, text: &str) -> Result<AllowedHost, InputError> {
    let wrong = |what: &str| at.problem(format!("{what}; {WRITE_A_HOST}"));
    let (scheme, rest) = match text.split_once("://") {
        None => (Scheme::Https, text),
        Some(("https", rest)) => (Scheme::Https, rest),
        Some(("http", rest)) => (Scheme::Http, rest),
        Some(_) => return Err(wrong("has another scheme than http and https")),
    };
    if rest.contains(['/', '?', '#', '@']) {
        return Err(wrong("has more in it than scheme, host and port"));
    }
    // A colon is also within the brackets of an address of IPv6.
    let (host, port) = match rest.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')) {
        None => (rest, scheme.port()),
        Some((host, port)) => match port.parse::<u16>() {
            Ok(port) if port > 0 => (host, port),
            _ => return Err(wrong("has no port between 1 and 65535 after the colon")),
        },
    };
    let (wildcard, host) = host.strip_prefix("*.").map_or(("", host), |domain| ("*.", domain));
    match Host::parse(host.strip_suffix('.').unwrap_or(host)) {
        Ok(Host::Domain(domain)) if domain.contains('*') => Err(wrong("is no host")),
        Ok(host @ Host::Domain(_)) => Ok(AllowedHost { scheme, host: format!("{wildcard}{host}"), port }),
        // Nothing is below an address.
        Ok(host) if wildcard.is_empty() => Ok(AllowedHost { scheme, host: host.to_string(), port }),
        _ => Err(wrong("is no host")),
    }
}
