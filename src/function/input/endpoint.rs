//! Where the instance is.

use std::fmt;

use infisical::endpoint::Origin;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de::Error as _};
use url::Host;

use super::{
    one_of::one_of,
    text::{Path, ResourceName, Url, checked},
    tls::TlsSource,
    wrong::Wrong,
};
use crate::contract::fieldpath::FieldPath;

/// Where an instance is, and the way to it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "EndpointFields")]
#[schemars(with = "EndpointFields")]
pub struct Endpoint {
    /// Where the URL comes from.
    pub source: EndpointSource,
    /// How its certificate is checked. Only ever set where https is possible.
    pub tls: TlsSource,
    /// The servers that a URL read from the cluster may name. Never empty for one
    /// that the XR's author chooses; empty elsewhere means any.
    pub allowed_hosts: Vec<AllowedHost>,
}

/// Where an instance's URL comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndpointSource {
    /// It is in the input.
    Url(Origin),
    /// A field of the XR holds it.
    FromCompositeFieldPath(FieldPath),
    /// A field of a composed resource holds it.
    FromComposedResource(FromComposedResource),
    /// It is made of the name and namespace of a composed Service.
    Service(Service),
}

/// A field of a composed resource.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FromComposedResource {
    /// The name of the composed resource in the pipeline.
    pub resource: ResourceName,
    /// The field.
    #[serde(deserialize_with = "checked::<Path, _, _>")]
    #[schemars(with = "Path")]
    pub field_path: FieldPath,
}

/// A port of a composed Service.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Service {
    /// The name of the composed Service in the pipeline.
    pub resource: ResourceName,
    /// The Service's port.
    #[serde(deserialize_with = "port")]
    #[schemars(with = "i64", range(min = 1, max = 65535))]
    pub port: u16,
    /// Default: http.
    #[serde(default)]
    pub scheme: Scheme,
}

fn port<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    match u16::try_from(i64::deserialize(deserializer)?) {
        Ok(port) if port > 0 => Ok(port),
        _ => Err(D::Error::custom(Wrong::new("is no port; write a number between 1 and 65535"))),
    }
}

/// The scheme of a Service's URL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// Plain HTTP, which is what Infisical itself speaks.
    #[default]
    Http,
    /// HTTP over TLS.
    Https,
}

impl Scheme {
    /// The scheme as a URL has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port that a URL of it means when it names none.
    fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// A server that a URL may name. Scheme and port belong to it: what listens on
/// another port of the same host is another's, and without TLS anybody's.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct AllowedHost {
    scheme: Scheme,
    /// A host, or all hosts below a domain: `*.example.org`.
    host: String,
    port: u16,
}

impl AllowedHost {
    /// Whether a server is meant.
    #[must_use]
    pub fn matches(&self, origin: &Origin) -> bool {
        let host = origin.host();
        let host = host.strip_suffix('.').unwrap_or(&host);
        let is_host = match self.host.strip_prefix('*') {
            Some(domain) => host.len() > domain.len() && host.ends_with(domain),
            None => host == self.host,
        };
        is_host && origin.scheme() == self.scheme.as_str() && origin.port() == self.port
    }
}

impl fmt::Display for AllowedHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.as_str(), self.host)?;
        if self.port == self.scheme.port() { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

/// What an entry may look like, because the remedy is the same whatever is wrong.
const WRITE_A_HOST: &str = "write \"infisical.example.org\" for https on its default port, \"*.example.org\" for \
     all hosts below it, and scheme or port where they are others, such as \"infisical.example.org:8443\" or \
     \"http://infisical.tools.svc:8080\"";

impl TryFrom<String> for AllowedHost {
    type Error = Wrong;

    fn try_from(text: String) -> Result<Self, Wrong> {
        let wrong = |what: &str| Wrong::new(format!("{what}; {WRITE_A_HOST}"));
        let (scheme, rest) = match text.split_once("://") {
            None => (Scheme::Https, &*text),
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
            Ok(host @ Host::Domain(_)) => Ok(Self { scheme, host: format!("{wildcard}{host}"), port }),
            // Nothing is below an address.
            Ok(host) if wildcard.is_empty() => Ok(Self { scheme, host: host.to_string(), port }),
            _ => Err(wrong("is no host")),
        }
    }
}

/// `instance.endpoint` as its author writes it.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EndpointFields {
    /// The URL, such as `https://infisical.example.org`.
    url: Option<Url>,
    /// The field of the XR that holds the URL. Needs allowedHosts.
    from_composite_field_path: Option<Path>,
    /// The composed resource that holds the URL.
    from_composed_resource: Option<FromComposedResource>,
    /// The composed Service that leads to the instance. Its name and namespace
    /// are read when it is there.
    service: Option<Service>,
    /// How the instance's certificate is checked. Default: it must be for the
    /// URL's host, and from a public authority.
    tls: Option<TlsSource>,
    /// The servers that a URL read from the XR or a composed resource may name:
    /// infisical.example.org is that host with https on its default port, and
    /// *.example.org all hosts below it. Another port or scheme is written with it:
    /// `infisical.example.org:8443`, `http://infisical.tools.svc:8080`. The admin's
    /// password and the token are sent to no other server.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    allowed_hosts: Vec<AllowedHost>,
}

impl TryFrom<EndpointFields> for Endpoint {
    type Error = Wrong;

    fn try_from(fields: EndpointFields) -> Result<Self, Wrong> {
        let source = one_of([
            ("url", fields.url.map(|url| EndpointSource::Url(url.into()))),
            (
                "fromCompositeFieldPath",
                fields
                    .from_composite_field_path
                    .map(|path| EndpointSource::FromCompositeFieldPath(path.into())),
            ),
            ("fromComposedResource", fields.from_composed_resource.map(EndpointSource::FromComposedResource)),
            ("service", fields.service.map(EndpointSource::Service)),
        ])?;
        let source = source.ok_or_else(|| {
            Wrong::new("has no url; write one of: url, fromCompositeFieldPath, fromComposedResource, service")
        })?;
        let (tls, allowed_hosts) = (fields.tls, fields.allowed_hosts);
        let http = match &source {
            EndpointSource::Url(origin) if origin.scheme() == "http" => Some("a url of http"),
            EndpointSource::Service(Service { scheme: Scheme::Http, .. }) => Some("a service of scheme http"),
            // What a field holds is known when it is read.
            _ => None,
        };
        if let Some(http) = http
            && tls.is_some()
        {
            return Err(Wrong::useless("tls", http));
        }
        match &source {
            EndpointSource::Url(_) if !allowed_hosts.is_empty() => Err(Wrong::useless("allowedHosts", "url")),
            EndpointSource::Service(_) if !allowed_hosts.is_empty() => {
                Err(Wrong::useless("allowedHosts", "service"))
            }
            // Who may write an XR is not who runs the platform, and the admin's
            // password goes to whatever host is named there.
            EndpointSource::FromCompositeFieldPath(_) if allowed_hosts.is_empty() => Err(Wrong::new(
                "is missing; whoever writes the XR chooses where the admin's password is sent, so list the \
                 hosts that it may name, such as \"*.example.org\"",
            )
            .at("allowedHosts")),
            _ => Ok(Self { source, tls: tls.unwrap_or_default(), allowed_hosts }),
        }
    }
}
