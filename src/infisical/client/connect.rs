//! Makes clients for endpoints.
//!
//! Everything that holds for all requests is set here: time limits, TLS, no
//! redirects, which proxy, and to which addresses a name may lead. Connections
//! are shared between the clients of one TLS setting.

use std::{
    collections::VecDeque,
    fmt,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hyper_util::client::proxy::matcher::Matcher;
use prometheus_client::registry::Registry;
use rustls::pki_types::ServerName;
use url::Url;

use super::{
    http::{HttpExchange, Limits, Target},
    resolve::Resolver,
    send::Client,
    tls,
};
use crate::{
    endpoint::{Endpoint, Origin, Tls},
    error::{Error, ErrorKind},
    metrics::Requests,
};

/// Makes a [`Client`] for an endpoint.
pub trait Connect: Send + Sync + 'static {
    /// A client of the server at `endpoint`. No request is made.
    ///
    /// # Errors
    /// The endpoint's TLS settings cannot be used.
    fn connect(&self, endpoint: &Endpoint) -> Result<Client, Error>;
}

/// TLS settings whose connections are kept. A control plane has a handful of
/// private CAs; a client that is made anew only costs a handshake.
const KEPT_CLIENTS: usize = 32;

/// How long an idle connection is kept. Node closes one after five seconds by
/// default; a request must not meet it just then.
const KEPT_CONNECTION: Duration = Duration::from_secs(4);

/// What decides whether two endpoints can share connections.
#[derive(Clone, PartialEq, Eq)]
struct Settings {
    tls: Option<Tls>,
    direct: bool,
    /// The host that is looked up whatever the URL's is.
    host: Option<String>,
}

/// Makes clients that talk HTTP.
pub struct Connector {
    limits: Limits,
    /// What its clients call themselves.
    user_agent: &'static str,
    counted: Requests,
    /// The oldest at the front.
    kept: Mutex<VecDeque<(Settings, reqwest::Client)>>,
}

impl Default for Connector {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Connector {
    /// A connector whose clients keep to `limits`.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let user_agent = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));
        Self { limits, user_agent, counted: Requests::default(), kept: Mutex::default() }
    }

    /// The same, whose clients name the program that they are part of.
    #[must_use]
    pub fn with_user_agent(self, user_agent: &'static str) -> Self {
        Self { user_agent, ..self }
    }

    /// Adds what its clients count to a registry.
    pub fn register_metrics(&self, registry: &mut Registry) {
        self.counted.register(registry);
    }

    fn shared(&self, settings: &Settings) -> Result<reqwest::Client, &'static str> {
        // A panic while the lock is held leaves a valid list behind.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, client)) = kept.iter().find(|(of, _)| of == settings) {
            return Ok(client.clone());
        }
        let client = build(settings, self.limits, self.user_agent)?;
        if kept.len() >= KEPT_CLIENTS {
            kept.pop_front();
        }
        kept.push_back((settings.clone(), client.clone()));
        Ok(client)
    }
}

impl Connect for Connector {
    fn connect(&self, endpoint: &Endpoint) -> Result<Client, Error> {
        let fail = |what| Error::new("set up the connection", ErrorKind::InvalidTls(what));
        let origin = endpoint.origin();
        let tls = (origin.scheme() == "https").then(|| endpoint.tls().clone());
        let mut settings = Settings { tls, direct: is_cluster_internal(origin), host: None };
        let mut target = Target { base: origin.to_string(), host: None };
        if let Some(base) = under_another_name(origin, &settings).map_err(fail)? {
            target = Target { base, host: origin.as_str().strip_prefix("https://").map(str::to_owned) };
            settings.host = Some(origin.host().trim_matches(['[', ']']).to_owned());
            settings.direct = true;
        }
        let client = self.shared(&settings).map_err(fail)?;
        Ok(Client::new(HttpExchange::new(client, target, self.limits, self.counted.clone())))
    }
}

fn build(settings: &Settings, limits: Limits, user_agent: &str) -> Result<reqwest::Client, &'static str> {
    let mut builder = reqwest::Client::builder()
        .user_agent(user_agent)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        .pool_idle_timeout(KEPT_CONNECTION)
        .connect_timeout(limits.connect)
        .dns_resolver(Arc::new(Resolver { host: settings.host.clone() }))
        .tls_backend_preconfigured(tls::config(settings.tls.as_ref())?);
    if settings.direct {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|_| "they do not fit together")
}

/// The base of a URL whose host is the name that the server is to be asked for: TLS
/// says the URL's host in its hello, by which a server picks its certificate.
///
/// Behind a proxy the URL stays as it is, because it says where the proxy connects to;
/// there the name is only what the certificate must have. TLS has no hello for an
/// address.
fn under_another_name(origin: &Origin, settings: &Settings) -> Result<Option<String>, &'static str> {
    let Some(tls) = &settings.tls else { return Ok(None) };
    let Some(ServerName::DnsName(name)) = tls::name(tls)? else { return Ok(None) };
    if !settings.direct && is_proxied(origin) {
        return Ok(None);
    }
    let base = format!("https://{}:{}", name.as_ref(), origin.port());
    // A URL allows less in a host than TLS does in a name, and reads numbers as an
    // address, which would be connected to.
    match Url::parse(&base) {
        Ok(base) if base.domain().is_some_and(|domain| domain.eq_ignore_ascii_case(name.as_ref())) => {
            Ok(Some(base.origin().ascii_serialization()))
        }
        _ => Err("the server name is no host name"),
    }
}

/// Whether the environment has a proxy for a server.
fn is_proxied(origin: &Origin) -> bool {
    let uri = origin.as_str().parse::<http::Uri>();
    uri.is_ok_and(|uri| Matcher::from_env().intercept(&uri).is_some())
}

/// Whether a host is inside the cluster, where no proxy is needed.
///
/// For all others the usual `HTTPS_PROXY` and `NO_PROXY` hold. A password must
/// not go to a proxy only because somebody forgot `.svc` in `NO_PROXY`.
fn is_cluster_internal(origin: &Origin) -> bool {
    let host = origin.host();
    if let Ok(address) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
        return match address {
            IpAddr::V4(v4) => v4.is_loopback() || v4.is_private(),
            IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local(),
        };
    }
    let labels: Vec<&str> = host.trim_end_matches('.').split('.').collect();
    // `service`, or `service.namespace.svc` with or without the cluster's
    // domain, whatever that is.
    labels.len() == 1 || labels.iter().skip(2).any(|label| *label == "svc")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(url: &str, tls: Tls) -> Endpoint {
        Endpoint::new(Origin::parse(url).unwrap(), tls)
    }

    #[test]
    fn hosts_in_the_cluster_are_reached_without_a_proxy() {
        let table = [
            ("http://infisical:8080", true),
            ("http://infisical.tools.svc:8080", true),
            ("http://infisical.tools.svc.cluster.local", true),
            ("http://10.1.2.3:8080", true),
            ("http://127.0.0.1", true),
            ("http://[fd00::1]:8080", true),
            ("https://[2001:db8::1]", false),
            ("https://svc.example.org", false),
            ("https://infisical.example.org", false),
            ("https://93.184.216.34", false),
        ];
        for (url, internal) in table {
            assert_eq!(is_cluster_internal(&Origin::parse(url).unwrap()), internal, "{url}");
        }
    }

    #[test]
    fn clients_are_kept_per_tls_setting_and_only_so_many() {
        let connector = Connector::default();
        let skip = Tls { insecure_skip_verify: true, ..Tls::default() };
        for url in ["https://a.example.org", "https://b.example.org"] {
            connector.connect(&endpoint(url, skip.clone())).unwrap();
        }
        assert_eq!(connector.kept.lock().unwrap().len(), 1);
        for number in 0..2 * KEPT_CLIENTS {
            let server_name = Some(format!("n{number}.example.org"));
            connector
                .connect(&endpoint("https://a.example.org", Tls { server_name, ..skip.clone() }))
                .unwrap();
        }
        assert_eq!(connector.kept.lock().unwrap().len(), KEPT_CLIENTS);
    }

    #[test]
    fn tls_settings_that_cannot_work_are_named_before_any_request() {
        let table = [
            ("not PEM", Tls { ca_bundle: Some("marker".to_owned()), ..Tls::default() }),
            (
                "PEM of garbage",
                Tls {
                    ca_bundle: Some(
                        "-----BEGIN CERTIFICATE-----\nbWFya2Vy\n-----END CERTIFICATE-----\n".to_owned(),
                    ),
                    ..Tls::default()
                },
            ),
            ("no host name", Tls { server_name: Some("a b".to_owned()), ..Tls::default() }),
            ("an address in disguise", Tls { server_name: Some("0xa9fea9fe".to_owned()), ..Tls::default() }),
        ];
        for (name, tls) in table {
            let error =
                Connector::default().connect(&endpoint("https://a.example.org", tls)).map(drop).unwrap_err();
            assert!(matches!(error.kind, ErrorKind::InvalidTls(_)), "{name}: {error}");
            assert!(!error.to_string().contains("marker"), "{name}: {error}");
        }
    }

    #[test]
    fn http_needs_no_certificates() {
        let tls = Tls { ca_bundle: Some("not PEM".to_owned()), ..Tls::default() };
        Connector::default().connect(&endpoint("http://infisical:8080", tls)).unwrap();
    }
}
