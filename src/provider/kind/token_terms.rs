//! What all ways to log in have in common: lives of tokens and trusted addresses.

use std::collections::BTreeSet;

use infisical::api::{TokenTerms, TrustedAddress};

use crate::api::token_terms::TrustedIp;

/// What the author wrote, as it is sent.
pub(super) fn wanted_addresses(wanted: Option<&[TrustedIp]>) -> Option<Vec<TrustedAddress>> {
    wanted.map(|wanted| wanted.iter().map(|it| TrustedAddress(it.ip_address.trim().to_owned())).collect())
}

/// What is shown of trusted addresses, in one order.
pub(super) fn shown_addresses(seen: Option<&[TrustedAddress]>) -> Vec<TrustedIp> {
    let shown: BTreeSet<_> = seen.unwrap_or_default().iter().map(|it| it.0.clone()).collect();
    shown.into_iter().map(|ip_address| TrustedIp { ip_address }).collect()
}

/// What is wanted, where the server has another value.
pub(super) fn other<T: PartialEq>(wanted: Option<T>, seen: Option<&T>) -> Option<T> {
    wanted.filter(|wanted| Some(wanted) != seen)
}

/// The addresses that are wanted, where the server trusts others. They are sets, and an
/// address is a network of one.
pub(super) fn other_addresses(
    wanted: Option<Vec<TrustedAddress>>,
    seen: Option<&[TrustedAddress]>,
) -> Option<Vec<TrustedAddress>> {
    let set = |all: &[TrustedAddress]| -> BTreeSet<String> { all.iter().map(|it| network(&it.0)).collect() };
    wanted.filter(|wanted| set(wanted) != set(seen.unwrap_or_default()))
}

fn network(address: &str) -> String {
    let address = address.to_ascii_lowercase();
    let bits = if address.contains(':') { "/128" } else { "/32" };
    address.strip_suffix(bits).map(str::to_owned).unwrap_or(address)
}

/// The terms that are wanted, where the server has others.
pub(super) fn other_terms(wanted: TokenTerms, seen: &TokenTerms) -> TokenTerms {
    let most = (wanted.ttl, wanted.max_ttl);
    let mut terms = TokenTerms {
        ttl: other(wanted.ttl, seen.ttl.as_ref()),
        max_ttl: other(wanted.max_ttl, seen.max_ttl.as_ref()),
        uses_limit: other(wanted.uses_limit, seen.uses_limit.as_ref()),
        period: other(wanted.period, seen.period.as_ref()),
        trusted_addresses: other_addresses(wanted.trusted_addresses, seen.trusted_addresses.as_deref()),
    };
    if terms.ttl.is_some() || terms.max_ttl.is_some() {
        // The server looks at whether the two fit.
        (terms.ttl, terms.max_ttl) = most;
    }
    terms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(all: &[&str]) -> Vec<TrustedAddress> {
        all.iter().map(|&it| TrustedAddress(it.to_owned())).collect()
    }

    #[test]
    fn addresses_are_sets_and_an_address_is_a_network_of_one() {
        let seen = addresses(&["0.0.0.0/0", "10.0.0.1/32", "fd00::1/128"]);
        let table = [
            (&["10.0.0.1", "0.0.0.0/0", "FD00::1"][..], true),
            (&["0.0.0.0/0", "0.0.0.0/0", "10.0.0.1/32", "fd00::1"], true),
            (&["0.0.0.0/0"], false),
            (&["0.0.0.0/0", "10.0.0.1/31", "fd00::1"], false),
        ];
        for (wanted, is_same) in table {
            let wanted = addresses(wanted);
            assert_eq!(other_addresses(Some(wanted.clone()), Some(&seen)).is_none(), is_same, "{wanted:?}");
        }
        assert_eq!(other_addresses(None, Some(&seen)), None);
    }

    #[test]
    fn both_lives_go_together() {
        let seen = TokenTerms { ttl: Some(60), max_ttl: Some(60), ..TokenTerms::default() };
        let wanted = TokenTerms { ttl: Some(60), max_ttl: Some(120), ..TokenTerms::default() };
        assert_eq!(other_terms(wanted.clone(), &seen), wanted);
        assert_eq!(other_terms(seen.clone(), &seen), TokenTerms::default());
        let only_one = TokenTerms { ttl: Some(30), ..TokenTerms::default() };
        assert_eq!(other_terms(only_one.clone(), &seen), only_one);
    }
}
