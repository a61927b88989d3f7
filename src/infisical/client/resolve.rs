//! To which addresses a name may lead.

use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::address::is_forbidden;

/// Why a name leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ResolveError {
    /// It has no address.
    #[error("the host name does not resolve")]
    NotFound,
    /// One of its addresses is one that credentials are never sent to.
    #[error("the host resolves to a forbidden address")]
    Forbidden,
}

/// The system's resolver, with an eye on what it finds. Checking the name
/// beforehand would not do: it can change between the check and its use.
///
/// It is not asked for a host behind a proxy, which resolves names itself.
pub(super) struct Resolver {
    /// What is looked up in place of the URL's host.
    pub(super) host: Option<String>,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let host = self.host.clone().unwrap_or_else(|| name.as_str().to_owned());
        Box::pin(async move {
            let found =
                tokio::net::lookup_host((host.as_str(), 0)).await.map_err(|_| ResolveError::NotFound)?;
            Ok(allowed(found)?)
        })
    }
}

/// All addresses, if none of them is forbidden and there is one.
fn allowed(found: impl Iterator<Item = SocketAddr>) -> Result<Addrs, ResolveError> {
    let addresses: Vec<_> = found.collect();
    if addresses.is_empty() {
        return Err(ResolveError::NotFound);
    }
    if addresses.iter().any(|address| is_forbidden(address.ip())) {
        return Err(ResolveError::Forbidden);
    }
    Ok(Box::new(addresses.into_iter()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_one_forbidden_address_is_refused_whole() {
        let addresses = |texts: &[&str]| {
            let parsed: Vec<SocketAddr> = texts.iter().map(|text| text.parse().unwrap()).collect();
            allowed(parsed.into_iter()).map(Iterator::count)
        };
        assert_eq!(addresses(&["10.0.0.1:0", "[::1]:0"]), Ok(2));
        assert_eq!(addresses(&["10.0.0.1:0", "169.254.169.254:0"]), Err(ResolveError::Forbidden));
        assert_eq!(addresses(&[]), Err(ResolveError::NotFound));
    }
}
