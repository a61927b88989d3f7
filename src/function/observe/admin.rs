//! The admin's email and password: supplied by the platform team, or generated
//! and persisted by this function; and a token that is there already.

use infisical::secret::{AccessToken, Credentials, Email, Password};

use super::{
    ADMIN_RESOURCE, ObserveError, Required, Waiting,
    request::{no_value_yet, observed, text_of},
    requirements::Sought,
};
use crate::{
    contract::{
        composed_secret::SecretData,
        manifest::Manifest,
        proto::v1::{RunFunctionRequest, credentials::Source},
    },
    input::{Admin, Adopt, EmailSource, NameSource},
};

/// The requirement that brings the Secret of `admin.secretRef`.
const SECRET_REQUIREMENT: &str = "infisical-admin-credentials";

/// The requirement that brings the Secret of `adopt.secretRef`.
const ADOPT_REQUIREMENT: &str = "infisical-adopted-token";

/// The keys of the admin Secret that this function composes.
const EMAIL_KEY: &str = "email";
/// See [`EMAIL_KEY`].
const PASSWORD_KEY: &str = "password";

/// Where the admin's email and password come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AdminSource {
    /// The password is generated and persisted first.
    Generated {
        /// The email, or that it is not known yet.
        email: Result<Email, Waiting>,
    },
    /// The platform team supplies them, or has yet to.
    Supplied(Result<Credentials, Waiting>),
    /// Nobody does: the token of an instance that is adopted is all that there is.
    None,
}

/// What the input says of the admin, with what of it is there.
pub(super) fn observe(
    request: &RunFunctionRequest,
    composite: Manifest<'_>,
    admin: Option<&Admin>,
    required: &mut Required<'_>,
) -> Result<AdminSource, ObserveError> {
    let Some(admin) = admin else { return Ok(AdminSource::None) };
    match admin {
        Admin::Generated { email } => Ok(AdminSource::Generated { email: read_email(composite, email)? }),
        Admin::Credential { name, email } => {
            let data = step_credential(request, name)?;
            let supplied = supply(composite, &data, ("email", "password"), email.as_ref(), &|key| {
                format!(
                    "step credential \"{name}\" (input.admin.credentials) has nothing under key \"{key}\"; add that \
                     key to the Secret that the step's credentials name"
                )
            })?;
            Ok(AdminSource::Supplied(supplied))
        }
        Admin::SecretRef { name, namespace, email_key, password_key, email } => {
            let field = "input.admin.secretRef.nameFromCompositeFieldPath";
            let name = match secret_name(composite, name, field)? {
                Ok(name) => name,
                Err(what) => return Ok(AdminSource::Supplied(Err(Waiting::Admin(what)))),
            };
            let wanted = ("Secret", name.as_str(), namespace.as_deref());
            let sought = required.object(SECRET_REQUIREMENT, wanted, "input.admin.secretRef")?;
            let Sought { manifest, place } = match sought {
                Ok(sought) => sought,
                Err(waiting) => return Ok(AdminSource::Supplied(Err(waiting))),
            };
            let Some(secret) = manifest else {
                let what = format!(
                    "Secret {place} (input.admin.secretRef) is not there; make it, or correct its name or namespace"
                );
                return Ok(AdminSource::Supplied(Err(Waiting::Admin(what))));
            };
            let data = SecretData::read(secret);
            let supplied = supply(composite, &data, (email_key, password_key), email.as_ref(), &|key| {
                let field = if key == password_key { "passwordKey" } else { "emailKey" };
                format!(
                    "Secret {place} (input.admin.secretRef) has nothing under key \"{key}\"; add that key, or write \
                     the one that it has into input.admin.secretRef.{field}"
                )
            })?;
            Ok(AdminSource::Supplied(supplied))
        }
    }
}

/// The email and password in the admin Secret that this function composed.
pub(super) fn persisted(request: &RunFunctionRequest) -> Option<Credentials> {
    let data = SecretData::read(observed(request, ADMIN_RESOURCE)?);
    let email = Email::parse(data.text(EMAIL_KEY)?).ok()?;
    Some(Credentials { email, password: Password::new(data.text(PASSWORD_KEY)?) })
}

fn step_credential(request: &RunFunctionRequest, name: &str) -> Result<SecretData, ObserveError> {
    match request.credentials.get(name).and_then(|credentials| credentials.source.as_ref()) {
        Some(Source::CredentialData(data)) => Ok(SecretData::from_bytes(&data.data)),
        None => Err(ObserveError::Value {
            field: "input.admin.credentials".to_owned(),
            what: format!(
                "the step has no credential \"{name}\"; add it under credentials of this step of the pipeline"
            ),
        }),
    }
}

/// Email and password out of supplied data. The email may come from the input
/// instead, and where it comes from both they must be the same: it never changes.
fn supply(
    composite: Manifest<'_>,
    data: &SecretData,
    (email_key, password_key): (&str, &str),
    email: Option<&EmailSource>,
    missing: &dyn Fn(&str) -> String,
) -> Result<Result<Credentials, Waiting>, ObserveError> {
    let given = match email {
        None => None,
        Some(source) => match read_email(composite, source)? {
            Ok(email) => Some(email),
            Err(waiting) => return Ok(Err(waiting)),
        },
    };
    let supplied = match data.text(email_key) {
        None => None,
        Some(text) => Some(Email::parse(text).map_err(|error| ObserveError::Value {
            field: "input.admin".to_owned(),
            what: format!("the email under key \"{email_key}\" of the supplied credentials is none: {error}"),
        })?),
    };
    if let (Some(given), Some(supplied)) = (&given, &supplied)
        && given != supplied
    {
        return Err(ObserveError::Value {
            field: "input.admin.email".to_owned(),
            what: format!("is \"{given}\", but the supplied credentials have another; keep one of them"),
        });
    }
    let Some(email) = given.or(supplied) else { return Ok(Err(Waiting::Admin(missing(email_key)))) };
    let Some(password) = data.text(password_key) else {
        return Ok(Err(Waiting::Admin(missing(password_key))));
    };
    Ok(Ok(Credentials { email, password: Password::new(password) }))
}

fn read_email(composite: Manifest<'_>, source: &EmailSource) -> Result<Result<Email, Waiting>, ObserveError> {
    let path = match source {
        EmailSource::Literal(email) => return Ok(Ok(email.clone())),
        EmailSource::FromCompositeFieldPath(path) => path,
    };
    let field = "input.admin.emailFromCompositeFieldPath";
    let Some(text) = text_of(composite, path, field)? else {
        return Ok(Err(Waiting::Admin(no_value_yet(path))));
    };
    Email::parse(text).map(Ok).map_err(|error| ObserveError::Value {
        field: field.to_owned(),
        what: format!("{path} of the composite resource is \"{text}\", which is no email address: {error}"),
    })
}

/// The token of an instance that somebody else bootstrapped.
pub(super) fn adopted(
    composite: Manifest<'_>,
    adopt: &Adopt,
    required: &mut Required<'_>,
) -> Result<Result<AccessToken, Waiting>, ObserveError> {
    let field = "input.adopt.secretRef.nameFromCompositeFieldPath";
    let name = match secret_name(composite, &adopt.name, field)? {
        Ok(name) => name,
        Err(what) => return Ok(Err(Waiting::AdoptedToken(what))),
    };
    let key = &adopt.key;
    let wanted = ("Secret", name.as_str(), adopt.namespace.as_deref());
    let Sought { manifest, place } =
        match required.object(ADOPT_REQUIREMENT, wanted, "input.adopt.secretRef")? {
            Ok(sought) => sought,
            Err(waiting) => return Ok(Err(waiting)),
        };
    let waiting =
        |what: &str| Waiting::AdoptedToken(format!("Secret {place} (input.adopt.secretRef) {what}"));
    let Some(secret) = manifest else {
        return Ok(Err(waiting("is not there; make it, or correct its name or namespace")));
    };
    match SecretData::read(secret).text(key) {
        Some(token) => Ok(Ok(AccessToken::new(token))),
        None => Ok(Err(waiting(&format!(
            "has nothing under key \"{key}\"; add that key, or write the one that has the token into \
             input.adopt.secretRef.key"
        )))),
    }
}

/// The name of a Secret, or that the XR does not say it yet.
fn secret_name(
    composite: Manifest<'_>,
    name: &NameSource,
    field: &str,
) -> Result<Result<String, String>, ObserveError> {
    let path = match name {
        NameSource::Literal(name) => return Ok(Ok(name.clone())),
        NameSource::FromCompositeFieldPath(path) => path,
    };
    Ok(match text_of(composite, path, field)?.filter(|name| !name.is_empty()) {
        Some(name) => Ok(name.to_owned()),
        None => Err(no_value_yet(path)),
    })
}
