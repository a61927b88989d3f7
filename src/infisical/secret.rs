//! The types of what must never be printed: passwords and tokens.
//!
//! None of them has `Display`, `Serialize` or a `Debug` that shows its value,
//! and their memory is zeroed when they go. `expose` is called in two places
//! only: where an Infisical request is written and where a Secret's data is.
//! [`Fingerprint`] is what is kept to recognise a value without holding it.

use std::{fmt, sync::OnceLock};

use rand::CryptoRng;
use ring::digest::{Context, Digest, SHA256, SHA256_OUTPUT_LEN, digest};
use secrecy::{ExposeSecret as _, SecretString};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// Characters of a generated password. Letters and digits only, so that no
/// shell, URL or YAML that a person pastes it into changes it.
const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Length of a generated password: 32 characters of 62 carry 190 bits.
const GENERATED_LENGTH: usize = 32;

macro_rules! secret {
    ($(#[$doc:meta])* $name:ident $($fingerprint:ident)?) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name {
            value: SecretString,
            $(
                /// Made when it is asked for, which is several times in a call.
                $fingerprint: OnceLock<Fingerprint>,
            )?
        }

        impl $name {
            /// Takes a value over; the caller's copy is the caller's to zero.
            #[must_use]
            pub fn new(value: impl Into<String>) -> Self {
                Self { value: SecretString::from(value.into()), $($fingerprint: OnceLock::new())? }
            }

            /// The value itself. Every caller says in a comment why it may.
            #[must_use]
            pub fn expose(&self) -> &str {
                self.value.expose_secret()
            }

            $(
                /// What recognises this value without holding it.
                #[must_use]
                pub fn $fingerprint(&self) -> Fingerprint {
                    *self.$fingerprint.get_or_init(|| Fingerprint::of(self.expose().as_bytes()))
                }
            )?
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(redacted)"))
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.expose().as_bytes().ct_eq(other.expose().as_bytes()).into()
            }
        }

        impl Eq for $name {}
    };
}

secret! {
    /// The password of an instance admin.
    Password
}

secret! {
    /// A machine identity's access token: what the connection Secret holds.
    AccessToken fingerprint
}

secret! {
    /// The session of a logged-in user, which only mints and revokes tokens.
    UserToken
}

secret! {
    /// The client secret of a machine identity's Universal Auth.
    ClientSecret
}

secret! {
    /// The value of a secret that Infisical keeps.
    SecretValue fingerprint
}

secret! {
    /// The token with which Infisical has Kubernetes review tokens.
    ReviewerToken
}

impl SecretValue {
    /// The value as the server stores it: the white space of JavaScript at both ends goes,
    /// but for one newline at the end (recorded).
    #[must_use]
    pub fn as_stored(&self) -> Self {
        let is_space = |c: char| (c.is_whitespace() && c != '\u{85}') || c == '\u{feff}';
        // Exposed: to a copy that is a secret too.
        let value = self.expose();
        let trimmed = value.trim_matches(is_space);
        let mut stored = Zeroizing::new(String::with_capacity(value.len() + 1));
        stored.push_str(trimmed);
        if value.ends_with('\n') {
            stored.push('\n');
        }
        Self::new(stored.as_str())
    }
}

impl Password {
    /// Draws a new password.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut drawn = Zeroizing::new(String::with_capacity(GENERATED_LENGTH));
        while drawn.len() < GENERATED_LENGTH {
            // Six bits at a time; the two values past the alphabet are drawn
            // again, so that every character is equally likely.
            let index = usize::from((rng.next_u32() & 0x3f) as u8);
            if let Some(&character) = ALPHABET.get(index) {
                drawn.push(char::from(character));
            }
        }
        Self::new(drawn.as_str())
    }
}

/// SHA-256 of a secret. Shown by nobody, compared only.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; SHA256_OUTPUT_LEN]);

impl Fingerprint {
    fn of(bytes: &[u8]) -> Self {
        Self::from(digest(&SHA256, bytes))
    }

    /// Of what is there, each part with its length, so that no two are alike.
    pub(crate) fn of_parts(parts: &[Option<&[u8]>]) -> Self {
        let mut hash = Context::new(&SHA256);
        for part in parts {
            hash.update(&[u8::from(part.is_some())]);
            let part = part.unwrap_or_default();
            hash.update(&part.len().to_le_bytes());
            hash.update(part);
        }
        Self::from(hash.finish())
    }

    fn of_pair(name: &str, secret: &str) -> Self {
        let mut hash = Context::new(&SHA256);
        hash.update(name.as_bytes());
        hash.update(&[0]);
        hash.update(secret.as_bytes());
        Self::from(hash.finish())
    }
}

impl From<Digest> for Fingerprint {
    fn from(digest: Digest) -> Self {
        let mut bytes = [0; SHA256_OUTPUT_LEN];
        bytes.copy_from_slice(digest.as_ref());
        Self(bytes)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint(redacted)")
    }
}

/// The email and password of an instance admin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The login, in the lower case in which Infisical stores it.
    pub email: Email,
    /// The password.
    pub password: Password,
}

impl Credentials {
    /// What recognises this pair without holding the password.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of_pair(self.email.as_str(), self.password.expose())
    }
}

/// What a machine identity logs in with. The client ID is no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UniversalAuth {
    /// The client ID, a UUID.
    pub client_id: String,
    /// The client secret.
    pub client_secret: ClientSecret,
}

impl UniversalAuth {
    /// What recognises this pair without holding the secret.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of_pair(&self.client_id, self.client_secret.expose())
    }
}

/// Characters of an email address, at most: a path of RFC 5321 has 256 with its
/// brackets.
const EMAIL_LONGEST: usize = 254;

/// An email address that Infisical accepts. Not a secret: conditions name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Email(Box<str>);

/// Why an email address is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EmailError {
    /// A 422 of `POST /api/v1/admin/bootstrap` (recorded for white space).
    #[error("white space is around it or in it")]
    WhiteSpace,
    /// Longer than an address can be.
    #[error("it is longer than 254 characters")]
    TooLong,
    /// No `@`, or nothing before it.
    #[error("it has no name before an \"@\"")]
    NoName,
    /// Nothing after the `@`, or no dot in it.
    #[error("it has no domain with a dot after the \"@\"")]
    NoDomain,
    /// A character that an address cannot have, or dots where none may be.
    #[error("it has a character or a dot where an address can have none")]
    BadCharacter,
}

impl Email {
    /// Parses an address as Infisical's validation does, and folds it to the
    /// lower case in which Infisical stores it.
    ///
    /// # Errors
    /// What is wrong with the address, without repeating it.
    pub fn parse(text: &str) -> Result<Self, EmailError> {
        if text.chars().any(char::is_whitespace) {
            return Err(EmailError::WhiteSpace);
        }
        if text.len() > EMAIL_LONGEST {
            return Err(EmailError::TooLong);
        }
        let (name, domain) = text.rsplit_once('@').ok_or(EmailError::NoName)?;
        if name.is_empty() {
            return Err(EmailError::NoName);
        }
        let name_ok = name.chars().all(|c| c.is_ascii_alphanumeric() || "_'+-.".contains(c))
            && !name.starts_with('.')
            && !name.ends_with(['.', '\''])
            && !name.contains("..");
        let labels: Vec<&str> = domain.split('.').collect();
        let last = labels.last().copied().unwrap_or_default();
        if labels.len() < 2 || last.len() < 2 || labels.iter().any(|label| label.is_empty()) {
            return Err(EmailError::NoDomain);
        }
        let domain_ok = last.chars().all(|c| c.is_ascii_alphabetic())
            && labels.iter().all(|label| {
                label.starts_with(|c: char| c.is_ascii_alphanumeric())
                    && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            });
        if name_ok && domain_ok {
            Ok(Self(text.to_ascii_lowercase().into()))
        } else {
            Err(EmailError::BadCharacter)
        }
    }

    /// The address in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng as _, rngs::StdRng};

    use super::*;

    #[test]
    fn a_secret_cannot_be_printed_by_accident() {
        let credentials = Credentials {
            email: Email::parse("Admin@Example.org").unwrap(),
            password: Password::new("marker-password"),
        };
        let printed = format!("{credentials:?} {:?}", AccessToken::new("marker-token"));
        assert!(!printed.contains("marker"), "{printed}");
        assert!(printed.contains("admin@example.org"), "the email is no secret: {printed}");
    }

    #[test]
    fn a_generated_password_has_its_length_and_only_letters_and_digits() {
        let mut rng = StdRng::seed_from_u64(7);
        let one = Password::generate(&mut rng);
        let other = Password::generate(&mut rng);
        assert_eq!(one.expose().len(), GENERATED_LENGTH);
        assert!(one.expose().bytes().all(|b| ALPHABET.contains(&b)));
        assert!(one != other);
    }

    #[test]
    fn emails_that_infisical_refuses_are_refused_with_the_reason() {
        use EmailError::{BadCharacter, NoDomain, NoName, WhiteSpace};
        let table = [
            ("not-an-email", Err(NoName)),
            ("@example.org", Err(NoName)),
            (" a@example.org", Err(WhiteSpace)),
            ("a@example.org\n", Err(WhiteSpace)),
            ("a b@example.org", Err(WhiteSpace)),
            ("a@example", Err(NoDomain)),
            ("a@", Err(NoDomain)),
            ("a@example.", Err(NoDomain)),
            ("a..b@example.org", Err(BadCharacter)),
            (".a@example.org", Err(BadCharacter)),
            ("a@exa_mple.org", Err(BadCharacter)),
            ("ä@example.org", Err(BadCharacter)),
            ("a@b@example.org", Err(BadCharacter)),
            ("Platform+1@Example.ORG", Ok("platform+1@example.org")),
        ];
        for (text, expected) in table {
            let parsed = Email::parse(text);
            assert_eq!(parsed.as_ref().map(Email::as_str).map_err(|e| *e), expected, "{text:?}");
        }
    }
}
