//! The reasons of conditions and events: what each means, which status it gives to which
//! condition, and whether an event tells of it. What to do about each is in
//! `docs/conditions.md`, whose table is made of this one.

use super::condition::{ConditionType, Status};

/// What a reason comes of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Something that has to be in the cluster first.
    Waiting,
    /// Work of this function that has not come to its end.
    UnderWay,
    /// A request that failed in a way that passes by itself, or is nobody's answer.
    Request,
    /// A problem that is found at the server.
    Problem,
    /// What the server has said of the token or of the client secret.
    Answer,
    /// The input, or the schema of the XR.
    Author,
}

/// Whether an event tells of it when a condition gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// None: neither a success nor anything to mend.
    None,
    /// One of type `Normal`.
    Normal,
    /// One of type `Warning`.
    Warning,
}

type Said = &'static [(ConditionType, Status)];

const WAITING: Said =
    &[(ConditionType::Bootstrapped, Status::False), (ConditionType::TokenValid, Status::Unknown)];
const REQUEST: Said = &[
    (ConditionType::Bootstrapped, Status::False),
    (ConditionType::TokenValid, Status::Unknown),
    (ConditionType::HandedOff, Status::False),
    (ConditionType::HandedOff, Status::Unknown),
];
const BOOTSTRAPPED: Said = &[(ConditionType::Bootstrapped, Status::True)];
const NOT_BOOTSTRAPPED: Said = &[(ConditionType::Bootstrapped, Status::False)];
const EITHER: Said =
    &[(ConditionType::Bootstrapped, Status::True), (ConditionType::Bootstrapped, Status::False)];
const VALID: Said = &[(ConditionType::TokenValid, Status::True)];
const INVALID: Said = &[(ConditionType::TokenValid, Status::False)];
const ENDED: Said =
    &[(ConditionType::TokenValid, Status::False), (ConditionType::TokenValid, Status::Unknown)];
const NOT_ASKED: Said = &[(ConditionType::TokenValid, Status::Unknown)];
const HANDED_OFF: Said = &[(ConditionType::HandedOff, Status::True)];
const NOT_HANDED_OFF: Said = &[(ConditionType::HandedOff, Status::False)];
const LOCKED: Said =
    &[(ConditionType::HandedOff, Status::False), (ConditionType::HandedOff, Status::Unknown)];
const BOTH: Said = &[(ConditionType::Bootstrapped, Status::False), (ConditionType::HandedOff, Status::False)];
const DECLARED: Said = &[(ConditionType::StatusWritten, Status::True)];
const UNDECLARED: Said = &[(ConditionType::StatusWritten, Status::False)];
const NOWHERE: Said = &[];

macro_rules! reasons {
    ($(#[doc = $meaning:literal] $name:ident $text:literal $cause:ident $event:ident $said:ident;)*) => {
        /// The reason of a condition or an event.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Reason {
            $(#[doc = $meaning] $name,)*
        }

        impl Reason {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// As the XR has it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// Reads one. `None`: this function gives no such reason.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$name),)* _ => None }
            }

            /// What it means.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning.trim_ascii(),)* }
            }

            /// What it comes of.
            #[must_use]
            pub fn cause(self) -> Cause {
                match self { $(Self::$name => Cause::$cause,)* }
            }

            /// Whether an event tells of it.
            #[must_use]
            pub fn event(self) -> Event {
                match self { $(Self::$name => Event::$event,)* }
            }

            /// Which status it gives to which condition; none where only an event has it.
            #[must_use]
            pub fn said(self) -> &'static [(ConditionType, Status)] {
                match self { $(Self::$name => $said,)* }
            }
        }
    };
}

reasons! {
    /// The connection is in its Secret.
    Bootstrapped "Bootstrapped" Answer Normal BOOTSTRAPPED;
    /// The server accepts the token.
    Accepted "Accepted" Answer None VALID;
    /// Client ID and client secret are in their Secret, and work.
    HandedOff "HandedOff" Answer Normal HANDED_OFF;
    /// The XRD declares what was left out of the status before.
    FieldsDeclared "FieldsDeclared" Author Normal DECLARED;

    /// The composed instance is not ready.
    WaitingForInstance "WaitingForInstance" Waiting None NOT_BOOTSTRAPPED;
    /// The URL of the instance, or the CA bundle to check it by, is not known yet.
    WaitingForEndpoint "WaitingForEndpoint" Waiting None WAITING;
    /// What to call the organization is not known yet.
    WaitingForOrganization "WaitingForOrganization" Waiting None NOT_BOOTSTRAPPED;
    /// The admin's email or password is not there yet.
    WaitingForAdmin "WaitingForAdmin" Waiting None NOT_BOOTSTRAPPED;
    /// The token of the instance to adopt is not there yet.
    WaitingForAdoptedToken "WaitingForAdoptedToken" Waiting None NOT_BOOTSTRAPPED;
    /// Whether the claim that the XR names is its own is not known yet.
    WaitingForClaim "WaitingForClaim" Waiting None NOT_BOOTSTRAPPED;
    /// A Secret of somebody else goes away, whose name one of ours has.
    WaitingForSecret "WaitingForSecret" Waiting None BOTH;
    /// A Secret of somebody else has the name of one of ours.
    SecretTaken "SecretTaken" Waiting Warning BOTH;
    /// Crossplane was asked for resources that are not composed here.
    WaitingForRequirements "WaitingForRequirements" Waiting None WAITING;
    /// The admin's email and password are not seen in the cluster yet.
    PersistingAdmin "PersistingAdmin" Waiting None NOT_BOOTSTRAPPED;
    /// The instance is being bootstrapped or logged in to.
    Bootstrapping "Bootstrapping" UnderWay None NOT_BOOTSTRAPPED;
    /// The server is being asked about the token.
    Verifying "Verifying" UnderWay None NOT_ASKED;
    /// The connection has to stand before anything is handed off.
    WaitingForConnection "WaitingForConnection" UnderWay None NOT_HANDED_OFF;
    /// The identity or its client secret is being made.
    HandingOff "HandingOff" UnderWay None NOT_HANDED_OFF;
    /// Handing off is not asked for any more.
    NotAskedFor "NotAskedFor" Author None NOT_HANDED_OFF;
    /// There is no token in the connection Secret yet.
    NoToken "NoToken" UnderWay None INVALID;

    /// No connection to the server.
    Unreachable "Unreachable" Request Warning REQUEST;
    /// The TLS handshake failed.
    TlsFailed "TLSFailed" Request Warning REQUEST;
    /// The address is one to which no credentials go.
    AddressForbidden "AddressForbidden" Request Warning REQUEST;
    /// The server limits the rate of requests.
    RateLimited "RateLimited" Request Warning REQUEST;
    /// The server answers with 5xx.
    ServerError "ServerError" Request Warning REQUEST;
    /// The server answers with a redirect.
    Redirected "Redirected" Request Warning REQUEST;
    /// Something else than Infisical answers.
    NotInfisical "NotInfisical" Request Warning REQUEST;
    /// Infisical answers what this function does not expect.
    UnexpectedAnswer "UnexpectedAnswer" Request Warning REQUEST;

    /// Somebody else set the instance up.
    BootstrappedElsewhere "BootstrappedElsewhere" Problem Warning NOT_BOOTSTRAPPED;
    /// The admin's email and password are refused.
    AdminLoginRefused "AdminLoginRefused" Problem Warning NOT_BOOTSTRAPPED;
    /// A bootstrap was interrupted, and the admin's email is used up.
    PartiallyBootstrapped "PartiallyBootstrapped" Problem Warning NOT_BOOTSTRAPPED;
    /// The admin's login needs a second factor.
    MfaRequired "MFARequired" Problem Warning NOT_BOOTSTRAPPED;
    /// The admin's login needs a captcha.
    CaptchaRequired "CaptchaRequired" Problem Warning NOT_BOOTSTRAPPED;
    /// The admin is locked after failed logins.
    AdminLocked "AdminLocked" Problem Warning NOT_BOOTSTRAPPED;
    /// Login by email and password is switched off.
    PasswordLoginDisabled "PasswordLoginDisabled" Problem Warning NOT_BOOTSTRAPPED;
    /// The admin is no server admin.
    NotServerAdmin "NotServerAdmin" Problem Warning NOT_BOOTSTRAPPED;
    /// No identity has the instance admin right.
    NoInstanceAdmin "NoInstanceAdmin" Problem Warning NOT_BOOTSTRAPPED;
    /// The admin is in no organization with an instance admin identity.
    NoOrganization "NoOrganization" Problem Warning NOT_BOOTSTRAPPED;
    /// Renewing does not make the token live longer.
    MaxTtlReached "MaxTTLReached" Problem Warning NOT_BOOTSTRAPPED;
    /// The server refuses a token that it has just minted.
    MintedTokenRefused "MintedTokenRefused" Problem Warning BOTH;
    /// The server refuses what the input says.
    InvalidRequest "InvalidRequest" Problem Warning NOT_BOOTSTRAPPED;
    /// There is no admin Secret to get another token with.
    AdminSecretMissing "AdminSecretMissing" Problem Warning EITHER;
    /// The token of the adopted instance is refused, and there is no password.
    AdoptedTokenRefused "AdoptedTokenRefused" Problem Warning NOT_BOOTSTRAPPED;
    /// The instance is empty, and there is no email to set it up with.
    InstanceEmpty "InstanceEmpty" Problem Warning NOT_BOOTSTRAPPED;
    /// An instance that had been connected was empty, and was bootstrapped again.
    BootstrappedAgain "BootstrappedAgain" Answer Warning NOWHERE;
    /// The server refuses the token.
    TokenRefused "TokenRefused" Answer Warning INVALID;
    /// The token's life is over, or may be.
    TokenEnded "TokenEnded" Answer Warning ENDED;
    /// The server accepts the token, but it was not renewed.
    NotRenewed "NotRenewed" Answer Warning VALID;
    /// The server does not make an identity with that role.
    IdentityRefused "IdentityRefused" Problem Warning NOT_HANDED_OFF;
    /// There is no such project.
    ProjectMissing "ProjectMissing" Problem Warning NOT_HANDED_OFF;
    /// The server does not add the identity to a project.
    ProjectRefused "ProjectRefused" Problem Warning NOT_HANDED_OFF;
    /// The token may not manage identities.
    MayNotHandOff "MayNotHandOff" Problem Warning NOT_HANDED_OFF;
    /// The instance admin right is not revoked: it is not, or not known to be, that of the identity that bootstrap made.
    RightKept "RightKept" Problem Warning NOT_HANDED_OFF;
    /// The identity is locked after failed logins.
    IdentityLocked "IdentityLocked" Problem Warning LOCKED;
    /// The server refuses the client secret.
    ClientSecretRefused "ClientSecretRefused" Answer Warning NOT_HANDED_OFF;
    /// The token's identity is no instance admin any more.
    NotInstanceAdmin "NotInstanceAdmin" Answer Warning VALID;
    /// The XRD does not declare what is written to the status.
    FieldNotDeclared "FieldNotDeclared" Author Warning UNDECLARED;
    /// The input or the XR is wrong, and the pipeline cannot run.
    InvalidInput "InvalidInput" Author Warning NOWHERE;
}

impl Reason {
    /// Whether it is that of a problem with the server, which stands until the server was
    /// asked again.
    #[must_use]
    pub fn is_problem(self) -> bool {
        matches!(self.cause(), Cause::Request | Cause::Problem)
    }

    /// Whether it can be said of a condition with a status.
    #[must_use]
    pub fn is_of(self, condition: ConditionType, status: Status) -> bool {
        self.said().contains(&(condition, status))
    }
}
