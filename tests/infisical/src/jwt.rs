//! Tokens that look like Infisical's and cannot be made up.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// Why a text is no token of this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// It is no JWT.
    Malformed,
    /// Another server signed it, or nobody.
    Signature,
}

/// A JWT with these claims. The signature is a hash with the key in front,
/// which is enough for a fake.
pub(crate) fn sign(key: &[u8], claims: &Value) -> String {
    let header = URL_SAFE_NO_PAD.encode(json!({ "alg": "HS256", "typ": "JWT" }).to_string());
    let payload = URL_SAFE_NO_PAD.encode(claims.to_string());
    let signed = format!("{header}.{payload}");
    let signature = signature(key, &signed);
    format!("{signed}.{signature}")
}

/// The claims of a JWT that was signed with the key.
pub(crate) fn verify(key: &[u8], token: &str) -> Result<Value, Flaw> {
    let (signed, given) = token.rsplit_once('.').ok_or(Flaw::Malformed)?;
    let (_, payload) = signed.split_once('.').ok_or(Flaw::Malformed)?;
    let bytes = URL_SAFE_NO_PAD.decode(payload).map_err(|_| Flaw::Malformed)?;
    let claims = serde_json::from_slice(&bytes).map_err(|_| Flaw::Malformed)?;
    if signature(key, signed) == given { Ok(claims) } else { Err(Flaw::Signature) }
}

/// Sets a claim.
pub(crate) fn set(claims: &mut Value, name: &str, value: impl Into<Value>) {
    if let Some(fields) = claims.as_object_mut() {
        fields.insert(name.to_owned(), value.into());
    }
}

fn signature(key: &[u8], signed: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(key);
    hash.update(signed.as_bytes());
    URL_SAFE_NO_PAD.encode(hash.finalize())
}
