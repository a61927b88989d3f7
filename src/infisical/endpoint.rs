//! Where an Infisical server is and how its certificate is checked.
//!
//! An [`Endpoint`] that exists is one that requests may go to: the scheme is
//! http or https, there is a host, no user info, no path, and the host is not
//! one that credentials are never sent to.

use std::{fmt, sync::Arc};

use url::Url;

use crate::{address, secret::Fingerprint};

/// The base URL of a server plus how its certificate is checked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    origin: Origin,
    tls: Tls,
}

/// Scheme, host and port: what `host` in a connection Secret says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(Arc<str>);

/// How the server's certificate is checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tls {
    /// PEM certificates to trust in place of the public ones.
    pub ca_bundle: Option<String>,
    /// The name that the server is asked for and that its certificate must have, where
    /// it is not the URL's host.
    pub server_name: Option<String>,
    /// Whether any certificate will do.
    pub insecure_skip_verify: bool,
}

/// Why a URL is not one of a server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// It does not parse.
    #[error("it is no URL; write one such as \"https://infisical.example.org\"")]
    NotAUrl,
    /// Neither http nor https.
    #[error("its scheme is {0:?}; write \"http\" or \"https\"")]
    Scheme(String),
    /// A user name or password in it.
    #[error("it has a user name or password in it; take them out")]
    UserInfo,
    /// Something after the host.
    #[error("it has a {what} after the host, and Infisical has none; write only {origin:?}")]
    MoreThanAHost {
        /// What it has: a path, query or fragment.
        what: &'static str,
        /// The URL without it.
        origin: String,
    },
    /// A link-local or metadata address.
    #[error("its host is a link-local or metadata address, to which no credentials are sent")]
    Forbidden,
}

impl Origin {
    /// Parses a base URL.
    ///
    /// # Errors
    /// What is wrong with it and what to write; user info is never repeated.
    pub fn parse(text: &str) -> Result<Self, OriginError> {
        let url = Url::parse(text.trim()).map_err(|_| OriginError::NotAUrl)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(OriginError::Scheme(url.scheme().to_owned()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(OriginError::UserInfo);
        }
        let origin = url.origin().ascii_serialization();
        let more = [
            ("path", !matches!(url.path(), "" | "/")),
            ("query", url.query().is_some()),
            ("fragment", url.fragment().is_some()),
        ];
        if let Some((what, _)) = more.into_iter().find(|(_, is_there)| *is_there) {
            return Err(OriginError::MoreThanAHost { what, origin });
        }
        if host_is_forbidden(&url) { Err(OriginError::Forbidden) } else { Ok(Self(origin.into())) }
    }

    /// `scheme://host[:port]`, without a default port and without a slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `http` or `https`.
    #[must_use]
    pub fn scheme(&self) -> &str {
        self.0.split_once(':').map_or("", |(scheme, _)| scheme)
    }

    /// The host alone.
    #[must_use]
    pub fn host(&self) -> String {
        Url::parse(&self.0).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
    }

    /// The port, whether it is written or its scheme's own.
    #[must_use]
    pub fn port(&self) -> u16 {
        Url::parse(&self.0).ok().and_then(|url| url.port_or_known_default()).unwrap_or_default()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn host_is_forbidden(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address::is_forbidden(address.into()),
        Some(url::Host::Ipv6(address)) => address::is_forbidden(address.into()),
        Some(url::Host::Domain(name)) => {
            // Google's metadata server, which is asked for by name.
            let name = name.trim_end_matches('.');
            ["metadata.google.internal", "metadata.goog"].iter().any(|known| name.eq_ignore_ascii_case(known))
        }
        None => true,
    }
}

impl Tls {
    /// What tells one way of checking from another; `None` for the default one.
    #[must_use]
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        let Self { ca_bundle, server_name, insecure_skip_verify } = self;
        let is_default = ca_bundle.is_none() && server_name.is_none() && !insecure_skip_verify;
        let [ca_bundle, server_name] =
            [ca_bundle, server_name].map(|text| text.as_deref().map(str::as_bytes));
        let parts = [ca_bundle, server_name, insecure_skip_verify.then_some(&[])];
        (!is_default).then(|| Fingerprint::of_parts(&parts))
    }
}

impl Endpoint {
    /// Puts the two together.
    #[must_use]
    pub fn new(origin: Origin, tls: Tls) -> Self {
        Self { origin, tls }
    }

    /// The server's base URL.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// How its certificate is checked.
    #[must_use]
    pub fn tls(&self) -> &Tls {
        &self.tls
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_is_cut_to_its_origin_and_anything_more_is_refused() {
        let more = |what| Err(OriginError::MoreThanAHost { what, origin: "https://infisical".to_owned() });
        let table = [
            ("http://infisical:8080", Ok("http://infisical:8080")),
            ("HTTPS://Infisical.Example.org:443/", Ok("https://infisical.example.org")),
            ("infisical:8080", Err(OriginError::Scheme("infisical".to_owned()))),
            ("infisical", Err(OriginError::NotAUrl)),
            ("ftp://infisical", Err(OriginError::Scheme("ftp".to_owned()))),
            ("https://user:word@infisical", Err(OriginError::UserInfo)),
            ("https://infisical/api", more("path")),
            ("https://infisical/?a=b", more("query")),
            ("https://infisical#a", more("fragment")),
            ("http://169.254.169.254", Err(OriginError::Forbidden)),
            ("http://[fe80::1]", Err(OriginError::Forbidden)),
            ("http://[::ffff:169.254.169.254]", Err(OriginError::Forbidden)),
            ("http://[fd00:ec2::254]", Err(OriginError::Forbidden)),
            ("http://metadata.google.internal", Err(OriginError::Forbidden)),
            ("http://2852039166", Err(OriginError::Forbidden)),
            ("http://0.0.0.0", Err(OriginError::Forbidden)),
            ("http://100.100.100.200", Err(OriginError::Forbidden)),
            ("http://192.0.0.192", Err(OriginError::Forbidden)),
            ("http://168.63.129.16", Err(OriginError::Forbidden)),
            ("http://[::ffff:168.63.129.16]", Err(OriginError::Forbidden)),
            ("http://[fd20:ce::254]", Err(OriginError::Forbidden)),
            ("http://[fd00:c1::a9fe:a9fe]", Err(OriginError::Forbidden)),
            ("http://[fd00:100::100:200]", Err(OriginError::Forbidden)),
            ("http://[fd00:42::42]", Err(OriginError::Forbidden)),
            ("http://[fd00:a9fe:a9fe::1]", Err(OriginError::Forbidden)),
            ("http://metadata.goog", Err(OriginError::Forbidden)),
            ("http://[fd20:ce::253]", Ok("http://[fd20:ce::253]")),
            ("http://168.63.129.17", Ok("http://168.63.129.17")),
            ("http://[64:ff9b::a9fe:a9fe]", Err(OriginError::Forbidden)),
            ("http://[64:ff9b::a00:1]", Ok("http://[64:ff9b::a00:1]")),
        ];
        for (text, expected) in table {
            let parsed = Origin::parse(text);
            assert_eq!(parsed.as_ref().map(Origin::as_str), expected.as_ref().copied(), "{text}");
        }
    }
}
