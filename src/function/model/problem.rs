//! What keeps a token from being had, in the words that a person reads.
//!
//! One problem is one reason of a condition. Its text is a function of the
//! problem alone, so that the same state gives the same bytes, and says what is
//! and then what to do.

use std::{fmt::Display, time::Duration};

use infisical::{
    AnyError, Error, ErrorKind,
    endpoint::Origin,
    error::{TokenRefusal, Transport},
    secret::Email,
};

use crate::{
    input::ProjectSlug,
    model::{reason::Reason, xr::Neighbour},
};

/// Why there is no working token, and of which server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub origin: Origin,
    pub kind: ProblemKind,
}

/// Why there is no working token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ProblemKind {
    /// A request failed in a way that passes by itself, or is nobody's answer.
    Request(AnyError),
    /// Somebody else set the instance up, and our password is not the admin's.
    BootstrappedElsewhere {
        /// The email that was tried.
        email: Email,
        /// The XR whose instance it is, if that is known and may be said.
        of: Option<Box<Neighbour>>,
    },
    /// The admin's email and password, which once worked or were supplied, are
    /// refused.
    AdminLoginRefused {
        /// The email that was tried.
        email: Email,
    },
    /// The user exists, but the instance is not set up: a bootstrap that was
    /// interrupted. The same email is refused for ever.
    PartiallyBootstrapped {
        /// The email that is used up.
        email: Email,
        /// Whether a server has let the admin in, or may have: then its password is
        /// kept, whatever the input says.
        was_in_use: bool,
    },
    /// Only a human can log in: second factor.
    MfaRequired { email: Email },
    /// Only a human can log in: captcha.
    CaptchaRequired { email: Email },
    /// The account is locked after failed logins.
    AdminLocked { email: Email },
    /// Login by email and password is switched off.
    PasswordLoginDisabled,
    /// The user is not a server admin (any more).
    NotServerAdmin { email: Email },
    /// No identity has the instance admin right (any more).
    NoInstanceAdmin,
    /// The server renews the token, and what it gives ends no later.
    RenewedInVain,
    /// The server mints tokens that it then refuses.
    MintedTokenRefused(TokenRefusal),
    /// The token is dead and there is no password to get another with.
    AdminSecretMissing {
        /// Whether the instance is set up; if not, a new password will do.
        initialized: bool,
    },
    /// The token of `input.adopt` is dead or gone, and there is no password either.
    AdoptedTokenRefused,
    /// The instance is not set up, and there is no email to do so with.
    InstanceEmpty,
    /// The server refuses what it was given (422).
    InvalidRequest {
        /// The fields that it names.
        fields: Vec<String>,
    },
    /// The organizations of the admin hold no instance admin identity.
    NoOrganization { email: Email },
    /// The server does not make an identity with that role.
    IdentityRefused { role: String },
    /// The identity that was made is locked after failed logins.
    IdentityLocked,
    /// There is no project with that slug (yet), or the XR has no slug (yet).
    ProjectMissing { project: ProjectSlug },
    /// The server does not add the identity to a project.
    ProjectRefused {
        project: String,
        /// The slug of the role there.
        role: String,
    },
    /// The connection's token may not manage identities.
    MayNotHandOff,
    /// The instance admin right is not revoked: the connection's identity is not, or not
    /// known to be, the one that bootstrap has made.
    RightKept(RightKept),
}

/// Why the instance admin right of the connection's identity is not revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RightKept {
    /// The instance is one that somebody else set up.
    Adopted,
    /// It is another identity's.
    Another,
    /// The login that would tell cannot be had.
    Unknown,
}

/// For how long an identity is locked (recorded as `lockoutDurationSeconds`).
const LOCKED_FOR: Duration = Duration::from_mins(5);

/// How soon it is worth trying again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retry {
    /// It may pass any moment.
    Soon,
    /// When the server says.
    After(Duration),
    /// A human has to do something first, or each try does harm.
    Rarely,
}

/// What stands before the name of another XR in the message of `BootstrappedElsewhere`.
const IS_INSTANCE_OF: &str = " is the instance of ";

/// Whether a message of `BootstrappedElsewhere` names an XR.
pub(crate) fn names_an_xr(message: &str) -> bool {
    message.contains(IS_INSTANCE_OF)
}

impl ProblemKind {
    /// A request that failed, of whichever route.
    pub(crate) fn request<R: Display>(error: Error<R>) -> Self {
        Self::Request(error.in_words())
    }

    /// Whether it says that an interrupted bootstrap has used an email up.
    pub(crate) fn uses_up(&self, own: &Email) -> bool {
        matches!(self, Self::PartiallyBootstrapped { email, .. } if email == own)
    }
}

impl Problem {
    /// A problem of a server.
    #[must_use]
    pub(crate) fn new(origin: &Origin, kind: ProblemKind) -> Self {
        Self { origin: origin.clone(), kind }
    }

    /// How soon it is worth trying again.
    #[must_use]
    pub(crate) fn retry(&self) -> Retry {
        match &self.kind {
            ProblemKind::Request(error) => match error.kind {
                ErrorKind::RateLimited { retry_after: Some(after) } => Retry::After(after),
                _ => Retry::Soon,
            },
            // Another replica's bootstrap looks the same while it is under way.
            ProblemKind::PartiallyBootstrapped { .. }
            | ProblemKind::AdminSecretMissing { initialized: false }
            // Somebody else sets it up.
            | ProblemKind::InstanceEmpty
            // It may be composed beside.
            | ProblemKind::ProjectMissing { .. } => Retry::Soon,
            // Another token or password is tried at once.
            ProblemKind::AdminSecretMissing { initialized: true } | ProblemKind::AdoptedTokenRefused => {
                Retry::Rarely
            }
            ProblemKind::BootstrappedElsewhere { .. }
            | ProblemKind::AdminLoginRefused { .. }
            | ProblemKind::MfaRequired { .. }
            | ProblemKind::CaptchaRequired { .. }
            | ProblemKind::AdminLocked { .. }
            | ProblemKind::PasswordLoginDisabled
            | ProblemKind::NotServerAdmin { .. }
            | ProblemKind::NoInstanceAdmin
            | ProblemKind::RenewedInVain
            | ProblemKind::MintedTokenRefused(_)
            | ProblemKind::InvalidRequest { .. }
            | ProblemKind::NoOrganization { .. }
            | ProblemKind::IdentityRefused { .. }
            | ProblemKind::ProjectRefused { .. }
            | ProblemKind::MayNotHandOff
            | ProblemKind::RightKept(_) => Retry::Rarely,
            ProblemKind::IdentityLocked => Retry::After(LOCKED_FOR),
        }
    }

    /// That an instance does not answer, which another request has shown.
    #[must_use]
    pub(crate) fn told(origin: &Origin, operation: &'static str, error: ErrorKind<String>) -> Self {
        Self::new(origin, ProblemKind::Request(Error::new(operation, error)))
    }

    /// Why there was no answer, where that says nothing of what was asked: it is so for
    /// every XR. A gateway answers in the place of an instance that is gone.
    #[must_use]
    pub(crate) fn silence(&self) -> Option<&AnyError> {
        let ProblemKind::Request(error) = &self.kind else { return None };
        match error.kind {
            ErrorKind::Unreachable(_) | ErrorKind::ServerError { status: 502..=504 } => Some(error),
            _ => None,
        }
    }

    /// Whether the server could not be asked: what is persisted stands.
    #[must_use]
    pub(crate) fn is_unreachable(&self) -> bool {
        matches!(self.kind, ProblemKind::Request(_))
    }

    /// Whether nobody could say whose the right is that is not revoked.
    #[must_use]
    pub(crate) fn cannot_tell_whose_right(&self) -> bool {
        self.kind == ProblemKind::RightKept(RightKept::Unknown)
    }

    /// The reason of the condition.
    #[must_use]
    pub(crate) fn reason(&self) -> Reason {
        match &self.kind {
            ProblemKind::Request(error) => request_reason(&error.kind),
            ProblemKind::BootstrappedElsewhere { .. } => Reason::BootstrappedElsewhere,
            ProblemKind::AdminLoginRefused { .. } => Reason::AdminLoginRefused,
            ProblemKind::PartiallyBootstrapped { .. } => Reason::PartiallyBootstrapped,
            ProblemKind::MfaRequired { .. } => Reason::MfaRequired,
            ProblemKind::CaptchaRequired { .. } => Reason::CaptchaRequired,
            ProblemKind::AdminLocked { .. } => Reason::AdminLocked,
            ProblemKind::PasswordLoginDisabled => Reason::PasswordLoginDisabled,
            ProblemKind::NotServerAdmin { .. } => Reason::NotServerAdmin,
            ProblemKind::NoInstanceAdmin => Reason::NoInstanceAdmin,
            ProblemKind::RenewedInVain => Reason::MaxTtlReached,
            ProblemKind::MintedTokenRefused(_) => Reason::MintedTokenRefused,
            ProblemKind::AdminSecretMissing { .. } => Reason::AdminSecretMissing,
            ProblemKind::AdoptedTokenRefused => Reason::AdoptedTokenRefused,
            ProblemKind::InstanceEmpty => Reason::InstanceEmpty,
            ProblemKind::InvalidRequest { .. } => Reason::InvalidRequest,
            ProblemKind::NoOrganization { .. } => Reason::NoOrganization,
            ProblemKind::IdentityRefused { .. } => Reason::IdentityRefused,
            ProblemKind::IdentityLocked => Reason::IdentityLocked,
            ProblemKind::ProjectMissing { .. } => Reason::ProjectMissing,
            ProblemKind::ProjectRefused { .. } => Reason::ProjectRefused,
            ProblemKind::MayNotHandOff => Reason::MayNotHandOff,
            ProblemKind::RightKept(_) => Reason::RightKept,
        }
    }

    /// The message of the condition: what is, then what to do.
    #[must_use]
    #[expect(clippy::too_many_lines, reason = "a table: a message for each problem")]
    pub(crate) fn message(&self) -> String {
        let origin = &self.origin;
        match &self.kind {
            ProblemKind::Request(error) => {
                format!("Infisical at {origin} could not be used: {error}{}", request_remedy(&error.kind))
            }
            ProblemKind::BootstrappedElsewhere { email, of: Some(neighbour) } => format!(
                "Infisical at {origin}{IS_INSTANCE_OF}{neighbour} already: it does not know the generated password of \
                 {email}. Point this XR at an instance of its own. If both are to share this one, supply the admin's \
                 email and password with input.admin.credentials or input.admin.secretRef, or a token of an instance \
                 admin with input.adopt"
            ),
            ProblemKind::BootstrappedElsewhere { email, of: None } => format!(
                "Infisical at {origin} was set up by somebody else: it does not know the generated password of {email}. \
                 Supply the admin's email and password with input.admin.credentials or input.admin.secretRef, or a \
                 token of an instance admin with input.adopt"
            ),
            ProblemKind::AdminLoginRefused { email } => format!(
                "Infisical at {origin} refuses the email {email} with the password that is kept for it. Supply the \
                 present password with input.admin.credentials or input.admin.secretRef"
            ),
            ProblemKind::PartiallyBootstrapped { email, was_in_use: true } => format!(
                "A bootstrap of Infisical at {origin} was interrupted: the user {email} exists, but the instance is \
                 not set up, and refuses that email for ever. Give Infisical an empty database or restore its backup: \
                 the password of {email} has been in use, so it is kept"
            ),
            ProblemKind::PartiallyBootstrapped { email, was_in_use: false } => format!(
                "A bootstrap of Infisical at {origin} was interrupted: the user {email} exists, but the instance is \
                 not set up, and refuses that email for ever. Write another address into input.admin.email, or give \
                 Infisical an empty database"
            ),
            ProblemKind::MfaRequired { email } => format!(
                "Infisical at {origin} asks {email} for a second factor. Switch MFA off for that user and for the \
                 organization, or supply a token of an instance admin, with input.adopt or in the connection Secret"
            ),
            ProblemKind::CaptchaRequired { email } => format!(
                "Infisical at {origin} asks {email} for a captcha after failed logins. Log in once in its web \
                 interface"
            ),
            ProblemKind::AdminLocked { email } => format!(
                "Infisical at {origin} has locked the user {email} after failed logins. Unlock it by the link that \
                 it was sent, or wait until the lock ends"
            ),
            ProblemKind::PasswordLoginDisabled => format!(
                "Infisical at {origin} does not allow login by email and password. Allow it in the server admin's \
                 settings, or supply a token of an instance admin, with input.adopt or in the connection Secret"
            ),
            ProblemKind::NotServerAdmin { email } => format!(
                "The user {email} is not a server admin of Infisical at {origin}. Make it one, or supply the email \
                 and password of one"
            ),
            ProblemKind::NoInstanceAdmin => format!(
                "No identity of Infisical at {origin} is an instance admin any more. Give one the right in the \
                 server admin's settings"
            ),
            ProblemKind::RenewedInVain => format!(
                "Infisical at {origin} renews the token, but not beyond the end that it has: its identity's Token Auth \
                 has a maximum TTL (accessTokenMaxTTL). Raise that and put a new token of the identity into the \
                 connection Secret, or supply the admin's email and password with input.admin.credentials or \
                 input.admin.secretRef, by which another token is had"
            ),
            ProblemKind::MintedTokenRefused(refusal) => format!(
                "Infisical at {origin} mints tokens that it then refuses: the token is {refusal}. Check its clock, \
                 its MAX_MACHINE_IDENTITY_TOKEN_AGE and the trusted IPs of the identity's token auth"
            ),
            ProblemKind::AdminSecretMissing { initialized: true } => format!(
                "The token for Infisical at {origin} does not work any more, and the admin Secret that would get \
                 another is gone. Supply the admin's email and password with input.admin.credentials or \
                 input.admin.secretRef"
            ),
            ProblemKind::AdminSecretMissing { initialized: false } => {
                format!("Infisical at {origin} is empty; a new admin password is made for it")
            }
            ProblemKind::AdoptedTokenRefused => format!(
                "No token works for Infisical at {origin}: that of input.adopt.secretRef is refused or not there, and \
                 there is no password to get another with. Put a token of an instance admin into that Secret, or supply \
                 the admin's email and password with input.admin.credentials or input.admin.secretRef"
            ),
            ProblemKind::InstanceEmpty => format!(
                "Infisical at {origin} is empty, as after the loss of its database, and there is no admin to set it up \
                 with. Write input.admin.email, or supply the admin's email and password with input.admin.credentials or \
                 input.admin.secretRef; or restore its database"
            ),
            ProblemKind::InvalidRequest { fields } => format!(
                "Infisical at {origin} refuses what it was given for {}. Change it in the input",
                fields.join(", ")
            ),
            ProblemKind::NoOrganization { email } => format!(
                "The user {email} of Infisical at {origin} is in no organization with an instance admin identity. \
                 Add it to the one that bootstrap made"
            ),
            ProblemKind::IdentityRefused { role } => format!(
                "Infisical at {origin} does not make an identity with the organization role {role}. Write the slug of a \
                 role that the organization has, and not more rights than the connection's token, into \
                 input.handOff.role, and see whether its plan allows another identity"
            ),
            ProblemKind::IdentityLocked => format!(
                "Infisical at {origin} has locked the identity of input.handOff for some minutes after failed logins. \
                 Look for who logs in with an earlier client secret"
            ),
            ProblemKind::ProjectMissing { project: ProjectSlug::FromCompositeFieldPath(path) } => format!(
                "{path} of the composite resource has no value yet, and input.handOff.projects takes the slug of a \
                 project in Infisical at {origin} from it. Set that field, or take the project out of the input"
            ),
            ProblemKind::ProjectMissing { project: ProjectSlug::Literal(project) } => format!(
                "Infisical at {origin} has no project with the slug {project} in the organization. Make it, or take it \
                 out of input.handOff.projects"
            ),
            ProblemKind::ProjectRefused { project, role } => format!(
                "Infisical at {origin} does not let the connection's identity add another to the project {project} with \
                 the role {role}. Make the connection's identity an admin of that project, and see whether the role \
                 is one of the project's"
            ),
            ProblemKind::RightKept(why) => {
                let why = match why {
                    RightKept::Adopted => {
                        "input.adopt names the token of an instance that somebody else set up"
                    }
                    RightKept::Another => {
                        "the token in the connection Secret is not of the identity that bootstrap made"
                    }
                    RightKept::Unknown => {
                        "without the admin's login nothing tells whether bootstrap made the identity of the token in \
                         the connection Secret"
                    }
                };
                format!(
                    "The instance admin right was not revoked in Infisical at {origin}, because {why}. Take it from \
                     that identity in the server admin's settings, or write Keep into input.handOff.instanceAdmin"
                )
            }
            ProblemKind::MayNotHandOff => format!(
                "The token in the connection Secret may not manage the identities of its organization in Infisical at \
                 {origin}. Give its identity the organization role admin, or put a token of one that has it into that \
                 Secret"
            ),
        }
    }
}

fn request_reason(kind: &ErrorKind<String>) -> Reason {
    match kind {
        ErrorKind::Unreachable(Transport::Tls(_)) | ErrorKind::InvalidTls(_) => Reason::TlsFailed,
        ErrorKind::Unreachable(Transport::Forbidden) => Reason::AddressForbidden,
        ErrorKind::Unreachable(_) => Reason::Unreachable,
        ErrorKind::RateLimited { .. } => Reason::RateLimited,
        ErrorKind::ServerError { .. } => Reason::ServerError,
        ErrorKind::Redirected { .. } => Reason::Redirected,
        ErrorKind::NotInfisical { .. } => Reason::NotInfisical,
        ErrorKind::Refused(_)
        | ErrorKind::InvalidRequest { .. }
        | ErrorKind::TokenRefused(_)
        | ErrorKind::Forbidden
        | ErrorKind::NotFound
        | ErrorKind::Unexpected { .. } => Reason::UnexpectedAnswer,
    }
}

fn request_remedy(kind: &ErrorKind<String>) -> &'static str {
    match kind {
        ErrorKind::Unreachable(Transport::Tls(_)) | ErrorKind::InvalidTls(_) => {
            ". Check input.instance.endpoint.tls against the server's certificate"
        }
        ErrorKind::Redirected { .. } => {
            ". Redirects are not followed, since credentials would go along: name that place as the endpoint"
        }
        ErrorKind::NotInfisical { .. } => {
            ". Check whether the endpoint is Infisical's, and what is in front of it"
        }
        _ => ". What is persisted stands, and it is tried again",
    }
}
