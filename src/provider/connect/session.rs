//! A login on a server that is kept, and the one way in which routes are sent with it.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use daemon::clock::Clock;
use infisical::{
    Client, Connect, Error, ErrorKind,
    api::{ClientLogin, ClientLoginRefusal},
    route::{Method, Route},
    secret::{AccessToken, Fingerprint},
};
use tokio::sync::Mutex;

use super::{
    limiter::{Ended, Limiter},
    listing::Secrets,
    login::{Access, Login},
};
use crate::managed::external::{ExternalError, Failure};

/// Where a session's access comes from. It is read afresh before anything is concluded
/// from a token that is refused.
#[async_trait]
pub trait Source: Send + Sync {
    /// What the Secret says now.
    ///
    /// # Errors
    /// It is missing, or nothing can be made of it.
    async fn read(&self) -> Result<Access, ExternalError>;
}

/// How often resources are looked at where nobody says another time.
const POLL: Duration = Duration::from_mins(1);

/// What all sessions of a process share.
pub struct Shared {
    connect: Arc<dyn Connect>,
    clock: Arc<dyn Clock>,
    age: Duration,
    limiters: std::sync::Mutex<BTreeMap<String, Arc<Limiter>>>,
}

impl Shared {
    /// Nothing is known of any server.
    #[must_use]
    pub fn new(connect: Arc<dyn Connect>, clock: Arc<dyn Clock>) -> Self {
        Self { connect, clock, age: POLL * 9 / 10, limiters: std::sync::Mutex::default() }
    }

    /// The same, for resources that are polled as often as this.
    #[must_use]
    pub fn polled(self, every: Duration) -> Self {
        // A poll is a little earlier or later, and what is read in one is not for the next.
        Self { age: every * 9 / 10, ..self }
    }

    /// The limiter of a server: one for all that log in there.
    fn limiter(&self, origin: &str) -> Arc<Limiter> {
        let mut limiters = self.limiters.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        Arc::clone(limiters.entry(origin.to_owned()).or_default())
    }
}

/// A login on a server.
pub struct Session {
    source: Box<dyn Source>,
    shared: Arc<Shared>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    open: Option<Arc<Open>>,
    /// A login that was refused: another try with the same would lock the identity.
    refused: Option<Fingerprint>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

/// A session that is logged in.
pub struct Open {
    /// With what requests are authorized.
    pub token: AccessToken,
    /// What is known of the secrets in it.
    pub(super) secrets: Secrets,
    access: Access,
    client: Client,
    limiter: Arc<Limiter>,
    clock: Arc<dyn Clock>,
}

impl Session {
    /// One that is not logged in yet.
    #[must_use]
    pub fn new(source: Box<dyn Source>, shared: Arc<Shared>) -> Self {
        Self { source, shared, state: Mutex::default() }
    }

    /// The session, logged in.
    ///
    /// # Errors
    /// There is no access, or the login is refused.
    pub async fn open(&self) -> Result<Arc<Open>, ExternalError> {
        let mut state = self.state.lock().await;
        if let Some(open) = &state.open {
            return Ok(Arc::clone(open));
        }
        let access = self.source.read().await?;
        let open = self.log_in(&mut state, access).await?;
        state.open = Some(Arc::clone(&open));
        Ok(open)
    }

    /// Another login after a token was refused, where there can be one: the Secret has
    /// another, or the token of a login is over. `None` where the refusal stands.
    ///
    /// # Errors
    /// There is no access any more, or the login is refused.
    pub async fn again(&self, refused: &Open, failure: Failure) -> Result<Option<Arc<Open>>, ExternalError> {
        if matches!(failure, Failure::Refused | Failure::Exists) {
            return Ok(None);
        }
        let mut state = self.state.lock().await;
        if let Some(open) = state.open.as_ref().filter(|open| open.token != refused.token) {
            // Somebody else was faster.
            return Ok(Some(Arc::clone(open)));
        }
        let access = self.source.read().await?;
        let is_new = access != refused.access;
        let is_over = failure == Failure::TokenRefused && matches!(access.login, Login::Universal(_));
        if !is_new && !is_over {
            return Ok(None);
        }
        state.open = None;
        if failure == Failure::Unknown {
            // The server may be another by now; what was done on this one is looked for first.
            return Ok(None);
        }
        let open = self.log_in(&mut state, access).await?;
        state.open = Some(Arc::clone(&open));
        Ok(Some(open))
    }

    async fn log_in(&self, state: &mut State, access: Access) -> Result<Arc<Open>, ExternalError> {
        let fingerprint = access.login.fingerprint();
        if state.refused == Some(fingerprint) {
            let why = "the login was refused, and is tried again once the Secret has another";
            return Err(ExternalError::refused(why));
        }
        let client = self.shared.connect.connect(&access.endpoint)?;
        let mut open = Open {
            token: AccessToken::new(""),
            secrets: Secrets::new(Arc::clone(&self.shared.clock), self.shared.age),
            client,
            limiter: self.shared.limiter(access.endpoint.origin().as_str()),
            clock: Arc::clone(&self.shared.clock),
            access,
        };
        open.token = match &open.access.login {
            Login::Token(token) => token.clone(),
            Login::Universal(login) => open.send(&ClientLogin { login }).await.inspect_err(|error| {
                if error.kind == ErrorKind::Refused(ClientLoginRefusal::InvalidCredentials) {
                    state.refused = Some(fingerprint);
                }
            })?,
        };
        Ok(Arc::new(open))
    }
}

impl Open {
    /// Where the server is.
    #[must_use]
    pub fn host(&self) -> &str {
        self.access.endpoint.origin().as_str()
    }

    /// Sends a route, when the server is to be asked.
    ///
    /// # Errors
    /// There is no usable answer, or it is a refusal.
    pub async fn send<R: Route>(&self, route: &R) -> Result<R::Answer, Error<R::Refusal>> {
        // Held until the answer is there.
        let _write = if R::METHOD == Method::Get { None } else { self.limiter.write().await };
        self.limiter.admit(self.clock.now()).map_err(|kind| Error::new(R::WHAT, of_route(kind)))?;
        let answer = self.client.send(route).await;
        let ended = match &answer {
            Err(Error { kind: ErrorKind::RateLimited { retry_after }, .. }) => Ended::Limited(*retry_after),
            Err(Error { kind: ErrorKind::Unreachable(why), .. }) => Ended::Silent(why.clone()),
            _ => Ended::Answered,
        };
        self.limiter.learn(&ended, self.clock.now());
        answer
    }
}

/// What a request that was not sent would have been answered with.
fn of_route<R>(closed: super::limiter::Closed) -> ErrorKind<R> {
    match closed.why {
        None => ErrorKind::RateLimited { retry_after: Some(closed.wait) },
        Some(why) => ErrorKind::Unreachable(why),
    }
}
