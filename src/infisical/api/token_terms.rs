//! What all ways to log in of a machine identity have.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How long the tokens of a way to log in live, and from where they may be used. A value
/// that is none is the server's to choose, or stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenTerms {
    /// Seconds that a token lives until it is renewed; 0: as long as the server lets any.
    #[serde(rename = "accessTokenTTL", skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u64>,
    /// Seconds after which it is not renewed any more.
    #[serde(rename = "accessTokenMaxTTL", skip_serializing_if = "Option::is_none")]
    pub max_ttl: Option<u64>,
    /// How often it may be used; 0: without a limit.
    #[serde(rename = "accessTokenNumUsesLimit", skip_serializing_if = "Option::is_none")]
    pub uses_limit: Option<u64>,
    /// Seconds within which it is to be renewed, time and again; 0: not so. It stands for
    /// both TTLs.
    #[serde(rename = "accessTokenPeriod", skip_serializing_if = "Option::is_none")]
    pub period: Option<u64>,
    /// From where it may be used. All but everywhere needs a licence.
    #[serde(rename = "accessTokenTrustedIps", skip_serializing_if = "Option::is_none")]
    pub trusted_addresses: Option<Vec<TrustedAddress>>,
}

/// An address or a network: `10.0.0.0/8`, `::/0`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TrustedAddress(pub String);

impl Serialize for TrustedAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Written<'a> {
            ip_address: &'a str,
        }
        Written { ip_address: &self.0 }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for TrustedAddress {
    /// It is read back in two parts.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Read {
            ip_address: String,
            prefix: Option<u8>,
        }
        let Read { ip_address, prefix } = Read::deserialize(deserializer)?;
        Ok(Self(prefix.map_or(ip_address.clone(), |prefix| format!("{ip_address}/{prefix}"))))
    }
}
