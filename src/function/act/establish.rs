//! Gets a token that the server accepts, by whatever is there.
//!
//! Straight-line: a token that is there is tried first, an empty instance is
//! bootstrapped, a full one is logged in to. Whether and when is decided by the
//! plan. Every step may be the last before a crash, and starting again from the
//! top is always right.
//!
//! Rule 6, Rule 7 and Rule 15 are kept here.

use std::time::Duration;

use daemon::clock::Clock;
use infisical::{
    Client, Connect, Error, ErrorKind,
    api::{
        Bootstrap, BootstrapRefusal, CheckInstanceAdmin, ListAdminIdentities, ListOrganizations, ListTokens,
        Login as LogIn, LoginRefusal, MintToken, Organization, ReadConfig, ReadStatus, RenewToken,
        RevokeToken, SelectOrganization, VerifyToken,
    },
    claims::Claims,
    secret::{AccessToken, Credentials, Fingerprint, UserToken},
};
use jiff::Timestamp;

use crate::model::{
    connection::Connection,
    due::between,
    life::Life,
    problem::{Problem, ProblemKind},
    replicas::SWEPT_AFTER,
    work::{BOOTSTRAP_IDENTITY, Before, Establish, How, Login, MintedFor, OURS, Outcome},
};
use infisical::api::AdminIdentity;

/// After an answer that leaves open whether a bootstrap took effect, the server
/// is asked for its state after each of these. Bootstrap takes well under a
/// second, so that of another replica has ended by then.
const SETTLE: [Duration; 3] = [Duration::from_millis(300), Duration::from_secs(1), Duration::from_secs(3)];

/// Gets a token that the server accepts, or the problem that is in the way.
pub(super) async fn establish(connect: &dyn Connect, clock: &dyn Clock, work: &Establish) -> Outcome {
    let infisical = match connect.connect(&work.endpoint) {
        Ok(infisical) => infisical,
        Err(error) => {
            let problem = Problem::new(work.endpoint.origin(), ProblemKind::request(error));
            return Outcome { problem: Some(problem), ..Outcome::default() };
        }
    };
    let mut attempt = Run {
        infisical,
        clock,
        work,
        refused: Vec::new(),
        untested: None,
        swept: false,
        login: None,
        bootstrapped: false,
        of_bootstrap: None,
    };
    let result = attempt.run().await;
    let Run { refused, untested, swept, login, bootstrapped, of_bootstrap, .. } = attempt;
    let login = login.map(|login| login.map_err(|kind| Problem::new(work.endpoint.origin(), kind)));
    let (connection, problem, how) = match result {
        Ok(Some(Success { connection, problem, how })) => (Some(connection), problem, Some(how)),
        Ok(None) => (None, None, None),
        Err(kind) => (None, Some(Problem::new(work.endpoint.origin(), kind)), None),
    };
    Outcome { connection, problem, refused, untested, swept, login, bootstrapped, of_bootstrap, how }
}

/// Whether a token that works is an instance admin's; `None` where the server did not
/// tell.
pub(super) async fn is_instance_admin(infisical: &Client, token: &AccessToken) -> Option<bool> {
    match infisical.send(&CheckInstanceAdmin { token }).await {
        Ok(()) => Some(true),
        Err(error) => (error.kind == ErrorKind::Forbidden).then_some(false),
    }
}

struct Run<'a> {
    infisical: Client,
    clock: &'a dyn Clock,
    work: &'a Establish,
    refused: Vec<Fingerprint>,
    untested: Option<AccessToken>,
    swept: bool,
    login: Option<Result<(), ProblemKind>>,
    bootstrapped: bool,
    of_bootstrap: Option<Box<str>>,
}

struct Success {
    connection: Connection,
    problem: Option<Problem>,
    how: How,
}

impl Run<'_> {
    /// Nothing where an empty instance is left alone.
    async fn run(&mut self) -> Result<Option<Success>, ProblemKind> {
        for token in self.work.tokens() {
            let is_first = self.refused.is_empty();
            match self.verify(token).await {
                Ok(connection) => {
                    let mut success = self.keep(connection, is_first).await?;
                    // It can work and not be an instance admin's any more. Not
                    // knowing that is no reason not to hand it out either.
                    if !Claims::of(&success.connection.token).is_limited() {
                        success.connection.is_instance_admin =
                            is_instance_admin(&self.infisical, &success.connection.token).await;
                    }
                    return Ok(Some(success));
                }
                Err(Refusal::Token(_)) => self.refused.push(token.fingerprint()),
                Err(Refusal::Other(error)) => return Err(ProblemKind::request(error)),
            }
        }
        let config = self.infisical.send(&ReadConfig).await.map_err(ProblemKind::request)?;
        match (config.initialized, self.work.may_bootstrap) {
            (true, _) => self.log_in_and_mint().await.map(Some),
            (false, true) => self.bootstrap().await.map(Some),
            (false, false) => Ok(None),
        }
    }

    /// What becomes of a token that works.
    async fn keep(&mut self, connection: Connection, is_first: bool) -> Result<Success, ProblemKind> {
        if is_first && self.work.renew {
            return self.renew(connection).await;
        }
        let connection = self.preferred(connection).await;
        if self.is_due(&connection) {
            return self.renew(connection).await;
        }
        if is_first && self.work.sweep {
            self.swept = self.sweep(&connection).await.is_some();
        }
        Ok(Success { connection, problem: None, how: How::Verified })
    }

    /// Whether a token that is there works. One that may be used so many times only is
    /// not used up by asking: renewing it is refused to one that is revoked or used up,
    /// and is not counted (read in the source).
    async fn verify(&self, token: &AccessToken) -> Result<Connection, Refusal> {
        match self.work.limited.as_deref().filter(|known| known.token == *token) {
            Some(known) => {
                let at = self.clock.now();
                let renewed = self.infisical.send(&RenewToken { token }).await.map_err(Refusal::from)?;
                let (issued_at, shown) = (Claims::of(token).issued_at, Claims::of(&renewed).issued_at);
                let life = Life::found(issued_at, known.expires_at, shown, at);
                let life = life.filter(|_| self.known_life(token).is_none());
                let end_is_open = known.end_is_open && (shown.is_none() || known.expires_at.is_none());
                // Its right may have been revoked since, which is remembered elsewhere.
                Ok(Connection { life, end_is_open, is_instance_admin: None, ..known.clone() })
            }
            None => self.accept(token.clone(), Receipt::Found).await,
        }
    }

    /// Accepts a token that the server has issued just now for an organization.
    async fn accept_new(
        &self,
        token: AccessToken,
        organization: Organization,
        at: Timestamp,
    ) -> Result<Connection, Refusal> {
        let receipt = Receipt::Issued { at };
        if Claims::of(&token).is_limited() {
            self.infisical.send(&RenewToken { token: &token }).await.map_err(Refusal::from)?;
            return Ok(self.connection(token, organization, receipt).await);
        }
        self.accept(token, receipt).await
    }

    /// A token is handed out only after the server accepted it (Rule 6).
    async fn accept(&self, token: AccessToken, receipt: Receipt) -> Result<Connection, Refusal> {
        let organization =
            self.infisical.send(&VerifyToken { token: &token }).await.map_err(Refusal::from)?;
        Ok(self.connection(token, organization, receipt).await)
    }

    /// Whether a token has to be renewed, as far as it is known how long it lives.
    fn is_due(&self, connection: &Connection) -> bool {
        let renewal = self.life(connection).map(|life| life.nears_its_end(self.work.token_policy.renew_at));
        renewal.is_some_and(|renewal| renewal.is_over(self.clock.now()))
    }

    /// How long it lives: found out just now, or before.
    fn life(&self, connection: &Connection) -> Option<Life> {
        connection.life.or_else(|| self.known_life(&connection.token))
    }

    /// Of two tokens that work the one that every replica prefers. Whether the
    /// one of this process does is asked: another replica may have revoked it since.
    async fn preferred(&self, connection: Connection) -> Connection {
        match &self.work.own {
            Some(own) if own.is_preferred_to(&connection) => {
                self.accept(own.token.clone(), Receipt::Found).await.unwrap_or(connection)
            }
            _ => connection,
        }
    }

    /// A token that does not say when it ends lives as long as the server lets any
    /// live, and how much of its life has passed is known by the server's clock where
    /// this process has not had it from the start. Not knowing either is no reason not
    /// to hand it out.
    async fn connection(
        &self,
        token: AccessToken,
        organization: Organization,
        receipt: Receipt,
    ) -> Connection {
        let Claims { issued_at, expires_at, .. } = Claims::of(&token);
        let is_measured = self.known_life(&token).is_some();
        let asks = expires_at.is_none() || (receipt == Receipt::Found && !is_measured);
        let asked_at = self.clock.now();
        let asked = if asks { Some(self.infisical.send(&ReadStatus).await) } else { None };
        let end_is_open = matches!(asked, Some(Err(_)));
        let status = asked.and_then(Result::ok);
        let max_ttl = status.as_ref().and_then(|status| status.max_access_token_ttl);
        let origin = self.work.endpoint.origin().clone();
        let connection = Connection::new(token, origin, organization, max_ttl);
        let life = match receipt {
            Receipt::Issued { at } => Life::issued(issued_at, connection.expires_at, at),
            Receipt::Found if is_measured && expires_at.is_some() => None,
            // Whatever the clock here shows, no more than the whole life is left, and
            // what is renewed too early for it is renewed once.
            Receipt::Found => {
                let shown = status.and_then(|status| status.date);
                Life::found(issued_at, connection.expires_at, shown, asked_at)
            }
        };
        Connection { life, end_is_open, ..connection }
    }

    fn known_life(&self, token: &AccessToken) -> Option<Life> {
        let (measured, life) = self.work.measured?;
        (measured == token.fingerprint()).then_some(life)
    }

    /// A token that works is renewed; where that fails it is replaced, and where
    /// that fails as well it is kept: it still works.
    async fn renew(&mut self, connection: Connection) -> Result<Success, ProblemKind> {
        let at = self.clock.now();
        let renewed = match self.infisical.send(&RenewToken { token: &connection.token }).await {
            // It is judged by its effect: a token has an end beyond which it is not
            // renewed where its Token Auth has a maximum TTL.
            Ok(token) if self.is_in_vain(&token, &connection) => Err(ProblemKind::RenewedInVain),
            Ok(token) => {
                let organization = connection.organization();
                self.accept_new(token, organization, at).await.map_err(Refusal::into_kind)
            }
            Err(error) => Err(ProblemKind::request(error)),
        };
        match renewed {
            Ok(connection) => Ok(Success { connection, problem: None, how: How::Renewed }),
            Err(kind) if self.work.admin.is_none() => Ok(self.kept(connection, kind)),
            Err(kind) if passes_by_itself(&kind) && !self.ends_soon(&connection) => {
                Ok(self.kept(connection, kind))
            }
            Err(_) => match self.log_in_and_mint().await {
                Ok(success) => Ok(success),
                Err(kind) => Ok(self.kept(connection, kind)),
            },
        }
    }

    /// Whether a token that renewing returned ends no later than before, and would have to
    /// be renewed at once. All by the server's clock: where another replica has renewed it
    /// in the same second the end is the same, and far. The `iat` of what renewing returns
    /// is the time of that: it is signed anew, without the old one's
    /// (`signIdentityAccessToken` in Infisical's source).
    fn is_in_vain(&self, renewed: &AccessToken, before: &Connection) -> bool {
        let (renewed, claims) = (Claims::of(renewed), Claims::of(&before.token));
        let Some((end, end_before)) = renewed.expires_at.zip(before.expires_at) else { return false };
        let whole = claims.issued_at.map(|issued_at| between(issued_at, end_before));
        let left = renewed.issued_at.map(|issued_at| between(issued_at, end));
        let is_far = whole
            .zip(left)
            .is_some_and(|(whole, left)| left > whole.mul_f64(self.work.token_policy.renew_at));
        end <= end_before && !is_far
    }

    /// Whether so little of a token's life is left, a tenth, that there is no time
    /// to wait until renewing works again.
    fn ends_soon(&self, connection: &Connection) -> bool {
        self.life(connection).is_some_and(|life| life.has_less_left_than(10, self.clock.now()))
    }

    fn kept(&self, connection: Connection, kind: ProblemKind) -> Success {
        let problem = Some(Problem::new(self.work.endpoint.origin(), kind));
        Success { connection, problem, how: How::Kept }
    }

    fn admin(&self, initialized: bool) -> Result<&Credentials, ProblemKind> {
        let nothing = match (initialized, self.work.adopts) {
            (true, true) => ProblemKind::AdoptedTokenRefused,
            (false, _) if self.work.email.is_none() => ProblemKind::InstanceEmpty,
            (initialized, _) => ProblemKind::AdminSecretMissing { initialized },
        };
        self.work.admin.as_ref().ok_or(nothing)
    }

    async fn bootstrap(&mut self) -> Result<Success, ProblemKind> {
        let admin = self.admin(false)?.clone();
        let at = self.clock.now();
        let route = Bootstrap { admin: &admin, organization: &self.work.organization };
        let error = match self.infisical.send(&route).await {
            Ok(bootstrapped) => {
                self.bootstrapped = true;
                self.of_bootstrap = Some(bootstrapped.identity_id.into());
                return self.try_first_token(bootstrapped.token, Receipt::Issued { at }).await;
            }
            Err(error) => error,
        };
        match &error.kind {
            ErrorKind::InvalidRequest { fields } => {
                return Err(ProblemKind::InvalidRequest { fields: fields.clone() });
            }
            // By an earlier try whose answer was lost, by another replica, or by
            // somebody else; the login tells.
            ErrorKind::Refused(BootstrapRefusal::AlreadySetUp) => return self.log_in_and_mint().await,
            _ => {}
        }
        let user_exists = error.kind == ErrorKind::Refused(BootstrapRefusal::UserAlreadyExists);
        let may_be_under_way = user_exists || error.effect_is_unknown();
        if may_be_under_way && self.becomes_initialized().await {
            return self.log_in_and_mint().await;
        }
        Err(if user_exists {
            ProblemKind::PartiallyBootstrapped { email: admin.email, was_in_use: self.work.admin_was_in_use }
        } else {
            ProblemKind::request(error)
        })
    }

    /// The token that bootstrap returns is tried first and replaced when it is
    /// dead, as on a strict server. Where the server cannot be asked it is kept.
    async fn try_first_token(
        &mut self,
        token: AccessToken,
        receipt: Receipt,
    ) -> Result<Success, ProblemKind> {
        match self.accept(token.clone(), receipt).await {
            Ok(connection) => Ok(Success { connection, problem: None, how: How::Bootstrapped }),
            Err(Refusal::Token(_)) => self.log_in_and_mint().await,
            Err(Refusal::Other(error)) => {
                self.untested = Some(token);
                Err(ProblemKind::request(error))
            }
        }
    }

    /// Revokes tokens of ours that nobody has: they were minted by a try whose
    /// outcome was lost, or replaced by the present one. That one was seen in
    /// observed and works, so breaking comes after making. `None` where it has to
    /// be done again; a token more that is alive is no problem of the XR's.
    async fn sweep(&mut self, connection: &Connection) -> Option<()> {
        let (admin, identity) = (self.work.admin.as_ref()?, connection.identity_id.as_ref()?);
        // Not knowing which is ours is a reason to leave them all alone.
        let present = Claims::of(&connection.token).token_id?;
        let session = self.log_in(admin).await.ok()?;
        let select = |organization_id| SelectOrganization { session: &session, organization_id };
        let selected = match self.infisical.send(&select(&connection.organization_id)).await {
            // The identity can be of an organization that the admin is not in.
            Err(error) if error.kind == ErrorKind::Forbidden => {
                let own = self.infisical.send(&ListOrganizations { session: &session }).await.ok()?;
                self.infisical.send(&select(&own.first()?.id)).await.ok()?
            }
            selected => selected.ok()?,
        };
        if selected.mfa_required {
            self.login = Some(Err(ProblemKind::MfaRequired { email: admin.email.clone() }));
            return None;
        }
        // What the server's clock shows: by it the tokens' ages are told.
        let shown = Claims::issued_at(&selected.token)?;
        let list = ListTokens { session: &selected.token, identity_id: identity, offset: 0 };
        for token in self.infisical.send_pages(&list).await.ok()? {
            let is_old = between(token.created_at, shown) >= SWEPT_AFTER;
            if token.name == self.work.token_name && *token.id != *present && is_old && !token.revoked {
                let revoke = RevokeToken { session: &selected.token, token_id: &token.id };
                self.infisical.send(&revoke).await.ok()?;
                tracing::info!("revoked a token that an earlier try had left alive");
            }
        }
        Some(())
    }

    async fn becomes_initialized(&self) -> bool {
        for pause in SETTLE {
            self.clock.sleep(pause).await;
            if self.infisical.send(&ReadConfig).await.is_ok_and(|config| config.initialized) {
                return true;
            }
        }
        false
    }

    async fn log_in_and_mint(&mut self) -> Result<Success, ProblemKind> {
        let admin = self.admin(true)?.clone();
        if let Login::Refused(problem) = &self.work.login {
            return Err(problem.kind.clone());
        }
        let session = self.log_in(&admin).await?;
        let at = self.clock.now();
        let (token, organization, is_instance_admin) =
            self.mint(&admin, &session).await.inspect_err(|kind| {
                if matches!(kind, ProblemKind::MfaRequired { .. }) {
                    self.login = Some(Err(kind.clone()));
                }
            })?;
        let of_admin = organization.id.clone();
        match self.accept_new(token.clone(), organization, at).await {
            Ok(connection) => {
                // The list has the identities of every organization: one of that name may be
                // of somebody else's bootstrap.
                if connection.organization_id != of_admin || Claims::of(&connection.token).is_limited() {
                    self.of_bootstrap = None;
                }
                let is_instance_admin = Some(is_instance_admin);
                let connection = Connection { is_instance_admin, ..connection };
                Ok(Success { connection, problem: None, how: How::Minted })
            }
            Err(Refusal::Token(error)) => Err(match error.kind {
                ErrorKind::TokenRefused(refusal) => ProblemKind::MintedTokenRefused(refusal),
                _ => ProblemKind::request(error),
            }),
            Err(Refusal::Other(error)) => {
                self.untested = Some(token);
                Err(ProblemKind::request(error))
            }
        }
    }

    /// Notes what came of it: too many tries make the server ask for a captcha,
    /// so one that is refused is not repeated soon, whatever it was for.
    async fn log_in(&mut self, admin: &Credentials) -> Result<UserToken, ProblemKind> {
        let session = self.infisical.send(&LogIn { admin }).await;
        let session = session.map_err(|error| self.login_problem(admin, error));
        self.login = match &session {
            Ok(_) => Some(Ok(())),
            Err(ProblemKind::Request(_)) => None,
            Err(kind) => Some(Err(kind.clone())),
        };
        session
    }

    fn login_problem(&self, admin: &Credentials, error: Error<LoginRefusal>) -> ProblemKind {
        match login_problem(admin, error) {
            ProblemKind::AdminLoginRefused { email }
                if self.work.admin_is_generated && self.work.before == Before::None =>
            {
                ProblemKind::BootstrappedElsewhere { email, of: None }
            }
            kind => kind,
        }
    }

    /// Mints in the first of the admin's organizations that has an instance
    /// admin identity; the one that bootstrap made is asked first. The token, and
    /// whether it is an instance admin's.
    async fn mint(
        &mut self,
        admin: &Credentials,
        session: &UserToken,
    ) -> Result<(AccessToken, Organization, bool), ProblemKind> {
        let organizations = self.infisical.send(&ListOrganizations { session }).await;
        let mut organizations = organizations.map_err(ProblemKind::request)?;
        organizations.sort_by_key(|organization| organization.name != self.work.organization);
        let email = || admin.email.clone();
        let mut last = ProblemKind::NoOrganization { email: email() };
        for organization in organizations {
            let select = SelectOrganization { session, organization_id: &organization.id };
            let selected = self.infisical.send(&select).await.map_err(ProblemKind::request)?;
            if selected.mfa_required {
                last = ProblemKind::MfaRequired { email: email() };
                continue;
            }
            let session = &selected.token;
            let all = ListAdminIdentities { session, offset: 0 };
            let identities = match self.infisical.send_pages(&all).await {
                Ok(identities) => identities,
                Err(error) if error.kind == ErrorKind::Forbidden => {
                    return Err(ProblemKind::NotServerAdmin { email: email() });
                }
                Err(error) => return Err(ProblemKind::request(error)),
            };
            last = ProblemKind::NoInstanceAdmin;
            for identity in whose_token(&self.work.minted_for, &identities) {
                let mint = MintToken { session, identity_id: &identity.id, name: &self.work.token_name };
                match self.infisical.send(&mint).await {
                    Ok(minted) => {
                        let is_of_bootstrap = identity.name == BOOTSTRAP_IDENTITY;
                        self.of_bootstrap = is_of_bootstrap.then(|| identity.id.as_str().into());
                        return Ok((minted.token, organization, identity.is_instance_admin));
                    }
                    // An identity of another organization.
                    Err(error) if matches!(error.kind, ErrorKind::Forbidden | ErrorKind::NotFound) => {
                        last = ProblemKind::NoOrganization { email: email() };
                    }
                    // Read in the source: one without Token Auth is a 400. Bootstrap
                    // attaches it, a human who makes an instance admin need not.
                    Err(error) if matches!(error.kind, ErrorKind::Unexpected { status: 400 }) => {
                        last = ProblemKind::request(error);
                    }
                    Err(error) => return Err(ProblemKind::request(error)),
                }
            }
        }
        Err(last)
    }
}

/// Those of the listed identities whose token may be minted, the best first: the
/// connection's own, the one that bootstrap has made, then other instance admins.
fn whose_token<'a>(minted_for: &MintedFor, listed: &'a [AdminIdentity]) -> Vec<&'a AdminIdentity> {
    let rank = |identity: &AdminIdentity| {
        let is_own = minted_for.identity_id.as_ref() == Some(&identity.id);
        let is_of_bootstrap = identity.name == BOOTSTRAP_IDENTITY;
        // One that was made to have fewer rights is no admin of the organization,
        // whoever gave it the right.
        let is_other = identity.is_instance_admin && !identity.name.starts_with(OURS);
        let may = identity.is_instance_admin || minted_for.may_be_no_admin;
        if may && is_own {
            Some(0)
        } else if may && is_of_bootstrap {
            Some(if identity.is_instance_admin { 1 } else { 2 })
        } else {
            is_other.then_some(3)
        }
    };
    let mut ranked: Vec<_> = listed.iter().filter_map(|it| Some((rank(it)?, it))).collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, identity)| identity).collect()
}

/// What a login that did not succeed says.
pub(super) fn login_problem(admin: &Credentials, error: Error<LoginRefusal>) -> ProblemKind {
    let email = admin.email.clone();
    match error.kind {
        ErrorKind::Refused(refusal) => match refusal {
            LoginRefusal::InvalidCredentials => ProblemKind::AdminLoginRefused { email },
            LoginRefusal::CaptchaRequired => ProblemKind::CaptchaRequired { email },
            LoginRefusal::UserLocked => ProblemKind::AdminLocked { email },
            LoginRefusal::PasswordLoginDisabled => ProblemKind::PasswordLoginDisabled,
        },
        _ => ProblemKind::request(error),
    }
}

/// How this process came by a token.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Receipt {
    /// The server has issued it upon a request of this run, sent `at`.
    Issued {
        at: Timestamp,
    },
    Found,
}

/// Why a token was not accepted.
enum Refusal {
    /// The server says that it does not work.
    Token(Error),
    /// The server did not say.
    Other(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        // A server whose database was emptied may not know the token's identity.
        let is_refusal = matches!(error.kind, ErrorKind::TokenRefused(_) | ErrorKind::NotFound);
        if is_refusal { Self::Token(error) } else { Self::Other(error) }
    }
}

impl Refusal {
    fn into_kind(self) -> ProblemKind {
        match self {
            Self::Token(error) | Self::Other(error) => ProblemKind::request(error),
        }
    }
}

/// Whether another try at the same thing may well succeed.
fn passes_by_itself(kind: &ProblemKind) -> bool {
    match kind {
        ProblemKind::Request(error) => matches!(
            error.kind,
            ErrorKind::Unreachable(_) | ErrorKind::ServerError { .. } | ErrorKind::RateLimited { .. }
        ),
        _ => false,
    }
}
