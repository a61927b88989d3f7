//! The client of Infisical's HTTP API.
//!
//! [`Client`] knows the routes: it builds requests and reads answers, both
//! without I/O, and leaves the sending to an [`Exchange`]. [`HttpExchange`] is
//! the real one; a simulation supplies another. [`Connector`] makes clients
//! for endpoints.
//!
//! One call of a method is one request per page: nothing here retries, follows
//! a redirect, or lets a body into an error or a log line.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::Instant;

use crate::{
    AdminIdentity, Bootstrapped, Config, Error, ErrorKind, Infisical, ListedToken, MintedToken, Organization,
    SelectedOrganization, Status,
    secret::{AccessToken, Credentials, UserToken},
};

mod answer;
mod connect;
mod decoding;
mod exchange;
mod identities;
mod request;
mod tls;
mod wire;

pub use answer::Response;
pub use connect::{Connector, Limits};
pub use exchange::HttpExchange;
pub use request::{Operation, Request};

/// The client that talks HTTP.
pub type HttpClient = Client<HttpExchange>;

/// Pages of a list that are asked for at most: a hundred thousand identities or
/// tokens, of which those that were revoked stay in the list. A server that never
/// ends a list must not keep us for ever.
const MAX_PAGES: usize = 1_000;

/// Sends one request and brings back its answer.
///
/// An implementation sends a request once, adds nothing to it that changes
/// its meaning, and follows no redirect.
#[async_trait]
pub trait Exchange: Send + Sync {
    /// Sends `request`.
    ///
    /// # Errors
    /// There is no answer, or one that is longer than
    /// [`Operation::longest_answer`].
    async fn send(&self, request: Request) -> Result<Response, ErrorKind>;
}

/// The routes of Infisical over some [`Exchange`].
#[derive(Clone, Debug)]
pub struct Client<E> {
    exchange: E,
}

impl<E: Exchange> Client<E> {
    /// A client that sends its requests over `exchange`.
    #[must_use]
    pub fn new(exchange: E) -> Self {
        Self { exchange }
    }

    /// Sends one request and reads its answer.
    async fn call<T: serde::de::DeserializeOwned>(
        &self,
        request: Result<Request, ErrorKind>,
        operation: Operation,
    ) -> Result<T, Error> {
        let fail = |kind| Error::new(operation.describe(), kind);
        let request = request.map_err(fail)?;
        let started = Instant::now();
        let answer = self.exchange.send(request).await;
        log(operation, &answer, started);
        answer.and_then(|response| answer::decode(operation, &response)).map_err(fail)
    }

    /// Asks for pages until one is not full.
    async fn pages<P, T>(
        &self,
        operation: Operation,
        page: impl Fn(usize) -> Result<Request, ErrorKind> + Send + Sync,
    ) -> Result<Vec<T>, Error>
    where
        P: serde::de::DeserializeOwned + Into<Vec<T>> + Send,
        T: PartialEq + Send,
    {
        let mut all: Vec<T> = Vec::new();
        for number in 0..MAX_PAGES {
            let items: Vec<T> = self.call::<P>(page(number * request::PAGE), operation).await?.into();
            let last = items.len() < request::PAGE;
            // A server that does not know pages gives the same ones for ever.
            if !last && all.ends_with(&items) {
                break;
            }
            all.extend(items);
            if last {
                return Ok(all);
            }
        }
        let kind = ErrorKind::NotInfisical { status: 200, what: "its list has no end" };
        Err(Error::new(operation.describe(), kind))
    }
}

/// One line per request: never an id, a token or a body.
fn log(operation: Operation, answer: &Result<Response, ErrorKind>, started: Instant) {
    let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let route = operation.template();
    let operation = operation.describe();
    match answer {
        Ok(response) => {
            tracing::debug!(operation, route, status = response.status, elapsed_ms, "Infisical answered");
        }
        Err(error) => tracing::debug!(operation, route, %error, elapsed_ms, "Infisical did not answer"),
    }
}

#[async_trait]
impl<E: Exchange> Infisical for Client<E> {
    async fn status(&self) -> Result<Status, Error> {
        self.call::<wire::Status>(Ok(request::status()), Operation::Status).await.map(Into::into)
    }

    async fn config(&self) -> Result<Config, Error> {
        self.call::<wire::ConfigAnswer>(Ok(request::config()), Operation::Config).await.map(Into::into)
    }

    async fn bootstrap(&self, admin: &Credentials, organization: &str) -> Result<Bootstrapped, Error> {
        let request = request::bootstrap(admin, organization);
        self.call::<wire::BootstrapAnswer>(request, Operation::Bootstrap).await.map(Into::into)
    }

    async fn login(&self, admin: &Credentials) -> Result<UserToken, Error> {
        let answer = self.call::<wire::LoginAnswer>(request::login(admin), Operation::Login).await?;
        Ok(answer.access_token)
    }

    async fn organizations(&self, session: &UserToken) -> Result<Vec<Organization>, Error> {
        let request = request::organizations(session);
        self.call::<wire::Organizations>(request, Operation::Organizations).await.map(Into::into)
    }

    async fn select_organization(
        &self,
        session: &UserToken,
        organization_id: &str,
    ) -> Result<SelectedOrganization, Error> {
        let request = request::select_organization(session, organization_id);
        self.call::<wire::SelectAnswer>(request, Operation::SelectOrganization).await.map(Into::into)
    }

    async fn admin_identities(&self, session: &UserToken) -> Result<Vec<AdminIdentity>, Error> {
        self.pages::<wire::AdminIdentities, _>(Operation::AdminIdentities, |offset| {
            request::admin_identities(session, offset)
        })
        .await
    }

    async fn mint_token(
        &self,
        session: &UserToken,
        identity_id: &str,
        name: &str,
    ) -> Result<MintedToken, Error> {
        let request = request::mint_token(session, identity_id, name);
        self.call::<wire::MintAnswer>(request, Operation::MintToken).await.map(Into::into)
    }

    async fn list_tokens(&self, session: &UserToken, identity_id: &str) -> Result<Vec<ListedToken>, Error> {
        self.pages::<wire::Tokens, _>(Operation::ListTokens, |offset| {
            request::list_tokens(session, identity_id, offset)
        })
        .await
    }

    async fn revoke_token(&self, session: &UserToken, token_id: &str) -> Result<(), Error> {
        let request = request::revoke_token(session, token_id);
        let wire::Done {} = self.call(request, Operation::RevokeToken).await?;
        Ok(())
    }

    async fn renew_token(&self, token: &AccessToken) -> Result<AccessToken, Error> {
        let request = request::renew_token(token);
        let answer = self.call::<wire::RenewAnswer>(request, Operation::RenewToken).await?;
        Ok(answer.access_token)
    }

    async fn identity_details(&self, token: &AccessToken) -> Result<Organization, Error> {
        let request = request::identity_details(token);
        self.call::<wire::DetailsAnswer>(request, Operation::IdentityDetails).await.map(Into::into)
    }

    async fn is_instance_admin(&self, token: &AccessToken) -> Result<bool, Error> {
        let request = request::is_instance_admin(token);
        match self.call::<serde::de::IgnoredAny>(request, Operation::InstanceAdmin).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind == ErrorKind::Forbidden => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// So that a client and whoever watches its exchange can share it.
#[async_trait]
impl<E: Exchange + ?Sized> Exchange for Arc<E> {
    async fn send(&self, request: Request) -> Result<Response, ErrorKind> {
        (**self).send(request).await
    }
}
