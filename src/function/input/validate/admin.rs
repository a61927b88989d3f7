//! The instance admin, and the token of one. Of the values here only an email is repeated in an error.

use infisical::secret::Email;

use super::{
    super::{Admin, Adopt, EmailSource, NameSource, raw},
    At, InputError, names,
};

pub(super) fn admin(at: &At, raw: Option<raw::Admin>, adopts: bool) -> Result<Option<Admin>, InputError> {
    match raw {
        Some(raw) => self::given(at, raw, adopts).map(Some),
        None if adopts => Ok(None),
        None => Err(at.problem("is missing; write one with an email, or adopt with the Secret of a token")),
    }
}

fn given(at: &At, raw: raw::Admin, adopts: bool) -> Result<Admin, InputError> {
    let or_none = if adopts { ", or leave admin out beside adopt" } else { "" };
    let email = email(at, raw.email.as_deref(), raw.email_from_composite_field_path.as_deref())?;
    match (raw.credentials, raw.secret_ref) {
        (Some(_), Some(_)) => Err(at.both("credentials", "secretRef")),
        (Some(name), None) => Ok(Admin::Credential { name: credential(at, name)?, email }),
        (None, Some(secret)) => secret_ref(&at.field("secretRef"), secret, email),
        (None, None) => email.map(|email| Admin::Generated { email }).ok_or_else(|| {
            at.problem(format!(
                "has no email; write email or emailFromCompositeFieldPath, or credentials or secretRef{or_none}"
            ))
        }),
    }
}

fn email(at: &At, email: Option<&str>, path: Option<&str>) -> Result<Option<EmailSource>, InputError> {
    match (email, path) {
        (None, None) => Ok(None),
        (Some(email), None) => match Email::parse(email) {
            Ok(email) => Ok(Some(EmailSource::Literal(email))),
            Err(error) => Err(at.field("email").problem(format!(
                "{email:?} is no email address: {error}; write one such as \"platform@example.org\""
            ))),
        },
        (None, Some(path)) => {
            let path = at.field("emailFromCompositeFieldPath").unrepeated_field_path(path)?;
            Ok(Some(EmailSource::FromCompositeFieldPath(path)))
        }
        (Some(_), Some(_)) => Err(at.both("email", "emailFromCompositeFieldPath")),
    }
}

fn credential(at: &At, name: String) -> Result<String, InputError> {
    if name.is_empty() || name.contains(char::is_control) {
        Err(at.field("credentials").problem("is no name; write that of a credential of the pipeline step"))
    } else {
        Ok(name)
    }
}

fn secret_ref(at: &At, raw: raw::AdminSecretRef, email: Option<EmailSource>) -> Result<Admin, InputError> {
    let name = name_source(at, raw.name, raw.name_from_composite_field_path)?;
    let namespace = raw.namespace.map(|name| names::label(&at.field("namespace"), name)).transpose()?;
    let key = |field, key: Option<String>, default: &str| {
        key.map_or_else(|| Ok(default.to_owned()), |key| names::secret_key(&at.field(field), key))
    };
    Ok(Admin::SecretRef {
        name,
        namespace,
        email_key: key("emailKey", raw.email_key, "email")?,
        password_key: key("passwordKey", raw.password_key, "password")?,
        email,
    })
}

pub(super) fn adopt(at: &At, raw: raw::Adopt) -> Result<Adopt, InputError> {
    let raw::AdoptSecretRef { name, name_from_composite_field_path, namespace, key } = raw.secret_ref;
    let key = key.unwrap_or_else(|| "token".to_owned());
    Ok(Adopt {
        name: name_source(at, name, name_from_composite_field_path)?,
        namespace: namespace.map(|name| names::label(&at.field("namespace"), name)).transpose()?,
        key: names::secret_key(&at.field("key"), key)?,
    })
}

fn name_source(at: &At, name: Option<String>, path: Option<String>) -> Result<NameSource, InputError> {
    match (name, path) {
        (Some(name), None) => Ok(NameSource::Literal(names::subdomain(&at.field("name"), name)?)),
        (None, Some(path)) => {
            let path = at.field("nameFromCompositeFieldPath").unrepeated_field_path(&path)?;
            Ok(NameSource::FromCompositeFieldPath(path))
        }
        (Some(_), Some(_)) => Err(at.both("name", "nameFromCompositeFieldPath")),
        (None, None) => Err(at.problem("has no name; write name or nameFromCompositeFieldPath")),
    }
}
