//! Hands off: an identity with fewer rights, and then the instance admin right.
//!
//! Straight-line, as `establish` is: every step may be the last before a crash,
//! and starting again from the top is always right. An identity is looked for by
//! its name before one is made; a client secret that was lost on the way is made
//! anew, and the lost one is revoked later. The right is given up last, in a run
//! in which the server has let the client secret in that the cluster has.
//!
//! Rule 6 and Rule 15 are kept here.

use std::fmt::Display;

use infisical::{
    AnyError, Client, Connect, Error, ErrorKind,
    api::{
        AddToProject, AttachUniversalAuth, ClientLogin, ClientLoginRefusal, CreateClientSecret,
        CreateIdentity, DeleteIdentity, EndToken, FindProject, ListClientSecrets, ListIdentities,
        NoSuchProject, NotAMember, NotAttached, NotInstanceAdmin, ReadProjectMembership, ReadUniversalAuth,
        RevokeClientSecret, RevokeInstanceAdmin, VerifyToken,
    },
    claims::Claims,
    secret::UniversalAuth,
};
use jiff::Timestamp;

use super::establish::is_instance_admin;
use crate::{
    input::ProjectSlug,
    model::{
        due::between,
        hand_off::{HandOff, HandOffOutcome},
        identity::Identity,
        problem::{Problem, ProblemKind},
        replicas::SWEPT_AFTER,
    },
};

mod memory;
mod right;

/// Hands off, or says what is in the way.
pub(super) async fn hand_off(connect: &dyn Connect, work: &HandOff) -> HandOffOutcome {
    let problem = |kind| Some(Problem::new(work.endpoint.origin(), kind));
    let infisical = match connect.connect(&work.endpoint) {
        Ok(infisical) => infisical,
        Err(error) => {
            return HandOffOutcome { problem: problem(ProblemKind::request(error)), ..Default::default() };
        }
    };
    let mut run = Run { infisical, work, outcome: HandOffOutcome::default(), shown: None };
    if let Err(kind) = run.run().await {
        let is_refused = |kind: &ErrorKind<String>| matches!(kind, ErrorKind::TokenRefused(_));
        run.outcome.token_refused = matches!(&kind, ProblemKind::Request(error) if is_refused(&error.kind));
        run.outcome.problem = problem(kind);
    }
    run.outcome
}

/// A project that the server has.
struct FoundProject<'a> {
    slug: &'a str,
    id: String,
    role: &'a str,
}

struct Run<'a> {
    infisical: Client,
    work: &'a HandOff,
    outcome: HandOffOutcome,
    /// What the server's clock showed at the last login.
    shown: Option<Timestamp>,
}

impl<'a> Run<'a> {
    async fn run(&mut self) -> Result<(), ProblemKind> {
        let projects = self.projects().await;
        if self.work.is_fresh
            && let Err(kind) = projects
        {
            // Waiting for a project leaves no token of a login behind each time.
            return Err(kind);
        }
        let identity = match self.try_logins().await? {
            Some(identity) => identity,
            None => self.make_and_try().await?,
        };
        let is_seen = self.work.seen == Some(identity.login.fingerprint());
        self.outcome.identity = Some(identity.clone());
        self.join(&identity, &projects?).await?;
        self.outcome.joined = true;
        // Never before: what replaces the right is in the cluster, and works.
        if is_seen && self.work.revoke {
            self.give_up_the_right().await?;
        }
        if is_seen && self.work.sweep {
            self.outcome.swept = self.sweep(&identity).await.is_some();
        }
        Ok(())
    }

    async fn try_logins(&mut self) -> Result<Option<Identity>, ProblemKind> {
        for login in &self.work.logins {
            match self.accept(login).await {
                Ok(identity) => return Ok(Some(identity)),
                Err(error) if error.kind == ErrorKind::Refused(ClientLoginRefusal::InvalidCredentials) => {
                    self.outcome.refused.push(login.fingerprint());
                }
                Err(error) => return Err(of_login(error)),
            }
        }
        Ok(None)
    }

    /// What is handed out was accepted by the server (Rule 6).
    async fn accept(&mut self, login: &UniversalAuth) -> Result<Identity, Error<ClientLoginRefusal>> {
        let token = self.infisical.send(&ClientLogin { login }).await?;
        let organization = self.infisical.send(&VerifyToken { token: &token }).await;
        // It was asked for to see that the login works. One that is not ended has an
        // end of its own.
        self.infisical.send(&EndToken { token: &token }).await.ok();
        let organization = organization.map_err(Error::of_route)?;
        let Claims { client_secret_id, identity_id, issued_at, .. } = Claims::of(&token);
        self.shown = issued_at;
        let origin = self.work.endpoint.origin().clone();
        Ok(Identity { login: login.clone(), client_secret_id, id: identity_id, origin, organization })
    }

    async fn make_and_try(&mut self) -> Result<Identity, ProblemKind> {
        let login = self.make().await?;
        match self.accept(&login).await {
            Ok(identity) => {
                self.outcome.made = true;
                Ok(identity)
            }
            Err(error) => {
                self.outcome.untested = Some(login);
                Err(of_login(error))
            }
        }
    }

    /// A new client secret. Whatever of the way there has been gone already is
    /// found again.
    async fn make(&self) -> Result<UniversalAuth, ProblemKind> {
        let (infisical, token) = (&self.infisical, &self.work.token);
        let organization = infisical.send(&VerifyToken { token }).await.map_err(of_managing)?;
        let id = match self.find(&organization.id).await? {
            Some(id) => id,
            None => self.create(&organization.id).await?,
        };
        let identity_id = &id;
        let client_id = match infisical.send(&ReadUniversalAuth { token, identity_id }).await {
            Ok(client_id) => client_id,
            Err(error) if error.kind == ErrorKind::Refused(NotAttached) => {
                let attached = infisical.send(&AttachUniversalAuth { token, identity_id }).await;
                attached.map_err(of_managing)?
            }
            Err(error) => return Err(of_managing(error)),
        };
        let create = CreateClientSecret { token, identity_id, description: &self.work.name };
        let created = infisical.send(&create).await.map_err(of_managing)?;
        Ok(UniversalAuth { client_id, client_secret: created.client_secret })
    }

    /// The identity that is known, or the oldest of its name: every replica takes
    /// the same one.
    async fn find(&self, organization_id: &str) -> Result<Option<String>, ProblemKind> {
        let list = ListIdentities { token: &self.work.token, organization_id };
        let mut listed = self.infisical.send(&list).await.map_err(of_managing)?;
        if let Some(known) = &self.work.identity_id
            && listed.iter().any(|identity| identity.id == *known)
        {
            return Ok(Some(known.clone()));
        }
        listed.retain(|identity| identity.name == self.work.name);
        listed.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        Ok(listed.into_iter().next().map(|identity| identity.id))
    }

    async fn create(&self, organization_id: &str) -> Result<String, ProblemKind> {
        let HandOff { token, name, role, .. } = self.work;
        let made = self.infisical.send(&CreateIdentity { token, organization_id, name, role }).await;
        let made = made.map_err(|error| match error.kind {
            // Read in the source: a role that is not there, a plan without custom
            // roles or with no identity left, more rights than the token's own.
            ErrorKind::Forbidden
            | ErrorKind::NotFound
            | ErrorKind::Unexpected { .. }
            | ErrorKind::InvalidRequest { .. } => ProblemKind::IdentityRefused { role: role.clone() },
            _ => ProblemKind::request(error),
        })?;
        // Another replica may have made one in the same moment.
        Ok(self.find(organization_id).await?.unwrap_or(made))
    }

    /// The projects, as far as they are there.
    async fn projects(&self) -> Result<Vec<FoundProject<'a>>, ProblemKind> {
        let work: &'a HandOff = self.work;
        let mut projects = Vec::with_capacity(work.projects.len());
        for project in work.projects.iter() {
            let missing = || ProblemKind::ProjectMissing { project: project.slug.clone() };
            let ProjectSlug::Literal(slug) = &project.slug else { return Err(missing()) };
            let found = self.infisical.send(&FindProject { token: &work.token, slug }).await;
            let id = found.map_err(|error| match error.kind {
                ErrorKind::Refused(NoSuchProject) => missing(),
                _ => of_project(error.in_words(), slug, &project.role),
            })?;
            projects.push(FoundProject { slug, id, role: &project.role });
        }
        Ok(projects)
    }

    /// Makes the identity a member of the projects. One that it is a member of
    /// already stays as it is: somebody may have given it another role there.
    async fn join(&self, identity: &Identity, projects: &[FoundProject<'_>]) -> Result<(), ProblemKind> {
        let (infisical, token) = (&self.infisical, &self.work.token);
        for FoundProject { slug, id: project, role } in projects {
            let refused = |error: AnyError| of_project(error, slug, role);
            let id = identity.id.as_ref().ok_or(ProblemKind::MayNotHandOff)?;
            if self.is_member(project, id).await.map_err(refused)? {
                continue;
            }
            let add = AddToProject { token, project_id: project, identity_id: id, role };
            if let Err(error) = infisical.send(&add).await {
                // Another replica may have added it in the same moment, which is
                // refused like anything else.
                if !self.is_member(project, id).await.map_err(refused)? {
                    return Err(refused(error.in_words()));
                }
            }
        }
        Ok(())
    }

    async fn is_member(&self, project_id: &str, identity_id: &str) -> Result<bool, AnyError> {
        let route = ReadProjectMembership { token: &self.work.token, project_id, identity_id };
        match self.infisical.send(&route).await {
            Ok(()) => Ok(true),
            Err(error) if error.kind == ErrorKind::Refused(NotAMember) => Ok(false),
            Err(error) => Err(error.in_words()),
        }
    }

    /// The connection's own identity gives up its right, if it is the one that bootstrap
    /// has made; its token goes on working for the organization (recorded). `Forbidden`
    /// is the answer to one that has lost it already.
    async fn give_up_the_right(&mut self) -> Result<(), ProblemKind> {
        let token = &self.work.token;
        let identity = Claims::of(token).identity_id.ok_or(ProblemKind::MayNotHandOff)?;
        if let Err(kind) = self.see_that_bootstrap_made(&identity).await {
            // Another replica, which knows whose it is, may have revoked it since.
            self.outcome.right_is_gone = is_instance_admin(&self.infisical, token).await == Some(false);
            return if self.outcome.right_is_gone { Ok(()) } else { Err(kind) };
        }
        match self.infisical.send(&RevokeInstanceAdmin { token, identity_id: &identity }).await {
            Ok(()) => {}
            Err(error)
                if matches!(error.kind, ErrorKind::Forbidden | ErrorKind::Refused(NotInstanceAdmin)) => {}
            Err(error) => return Err(ProblemKind::request(error)),
        }
        tracing::info!("the instance admin right of the connection's identity is revoked");
        self.outcome.right_is_gone = true;
        Ok(())
    }

    /// Ends what nobody has: client secrets of ours of which the outcome was lost
    /// or that were replaced, and identities that another replica has made at the
    /// same time. The present one was seen in observed and works, so breaking comes
    /// after making. `None` where it has to be done again, which is no problem of
    /// the XR's.
    async fn sweep(&self, identity: &Identity) -> Option<()> {
        let (infisical, token) = (&self.infisical, &self.work.token);
        // Not knowing which is ours is a reason to leave them all alone.
        let (present, id) = (identity.client_secret_id.as_ref()?, identity.id.as_ref()?);
        let shown = self.shown?;
        let is_old = |created_at| between(created_at, shown) >= SWEPT_AFTER;
        for secret in infisical.send(&ListClientSecrets { token, identity_id: id }).await.ok()? {
            let is_ours = secret.description == self.work.name && !secret.revoked;
            if is_ours && secret.id != *present && is_old(secret.created_at) {
                let revoke = RevokeClientSecret { token, identity_id: id, client_secret_id: &secret.id };
                infisical.send(&revoke).await.ok()?;
                tracing::info!("revoked a client secret that an earlier try had left alive");
            }
        }
        let list = ListIdentities { token, organization_id: &identity.organization.id };
        let mut listed = infisical.send(&list).await.ok()?;
        listed.retain(|listed| listed.name == self.work.name);
        // One that somebody else supplied is no reason to end ours.
        if listed.iter().any(|listed| listed.id == *id) {
            for surplus in listed.iter().filter(|listed| listed.id != *id && is_old(listed.created_at)) {
                infisical.send(&DeleteIdentity { token, identity_id: &surplus.id }).await.ok()?;
                tracing::info!("deleted an identity that an earlier try had left");
            }
        }
        Some(())
    }
}

fn of_login(error: Error<ClientLoginRefusal>) -> ProblemKind {
    match error.kind {
        ErrorKind::Refused(ClientLoginRefusal::IdentityLocked) => ProblemKind::IdentityLocked,
        // What the server says of a token that it has just given out is nothing
        // that it says of the connection's.
        ErrorKind::TokenRefused(refusal) => ProblemKind::MintedTokenRefused(refusal),
        _ => ProblemKind::request(error),
    }
}

fn of_project(error: AnyError, slug: &str, role: &str) -> ProblemKind {
    match error.kind {
        // Read in the source: no member of the project, a role that is not there, or
        // one with more rights than the connection's identity has in the project.
        ErrorKind::Forbidden
        | ErrorKind::NotFound
        | ErrorKind::Unexpected { .. }
        | ErrorKind::InvalidRequest { .. } => {
            ProblemKind::ProjectRefused { project: slug.to_owned(), role: role.to_owned() }
        }
        _ => ProblemKind::Request(error),
    }
}

fn of_managing<R: Display>(error: Error<R>) -> ProblemKind {
    match error.kind {
        ErrorKind::Forbidden => ProblemKind::MayNotHandOff,
        _ => ProblemKind::request(error),
    }
}
