//! Whether the connection's identity is the one that bootstrap has made.
//!
//! Only that one is ever stripped of its instance admin right. A token can be anybody's:
//! one that a person has put into the Secret, or that of an instance that somebody else
//! set up. What a Secret says of an identity is no proof, since who may write there is
//! not who may choose. Proof is that this process saw bootstrap make it, or that the
//! admin's credentials are let in, the server lists it by the name that bootstrap gives,
//! and the admin is in its organization: the generated password is one that nobody has set
//! but our own bootstrap, and who supplies credentials has said whose instance it is.
//!
//! Rule 15 is kept here.

use infisical::{
    Error, ErrorKind,
    api::{ListAdminIdentities, ListOrganizations, Login as LogIn, SelectOrganization, VerifyToken},
    secret::{Credentials, UserToken},
};

use super::{super::establish::login_problem, Run};
use crate::model::{
    problem::{Problem, ProblemKind, RightKept},
    work::{BOOTSTRAP_IDENTITY, Login},
};

impl Run<'_> {
    /// An error where the identity is another, or where that cannot be told.
    pub(super) async fn see_that_bootstrap_made(&mut self, identity: &str) -> Result<(), ProblemKind> {
        if self.work.adopts {
            return Err(ProblemKind::RightKept(RightKept::Adopted));
        }
        if self.work.of_bootstrap.as_deref() == Some(identity) {
            return Ok(());
        }
        let admin = self.work.admin.clone().filter(|_| self.work.login == Login::Allowed);
        let admin = admin.ok_or(ProblemKind::RightKept(RightKept::Unknown))?;
        let session = self.log_in(&admin).await?;
        if !self.is_listed(&session, identity).await? {
            return Err(ProblemKind::RightKept(RightKept::Another));
        }
        self.outcome.of_bootstrap = Some(identity.into());
        Ok(())
    }

    async fn log_in(&mut self, admin: &Credentials) -> Result<UserToken, ProblemKind> {
        let result = self.infisical.send(&LogIn { admin }).await;
        let result = result.map_err(|error| login_problem(admin, error));
        let problem = |kind: &ProblemKind| Problem::new(self.work.endpoint.origin(), kind.clone());
        self.outcome.login = match &result {
            Ok(_) => Some(Ok(())),
            Err(ProblemKind::Request(_)) => None,
            Err(kind) => Some(Err(problem(kind))),
        };
        result.map_err(|kind| match kind {
            ProblemKind::Request(_) => kind,
            _ => ProblemKind::RightKept(RightKept::Unknown),
        })
    }

    /// Whether the server lists it under the name that bootstrap gives, and the admin is in
    /// its organization: where our bootstrap was cut off and somebody else's came after, there
    /// are two of that name.
    async fn is_listed(&self, session: &UserToken, identity: &str) -> Result<bool, ProblemKind> {
        let token = &self.work.token;
        let own = self.infisical.send(&VerifyToken { token }).await.map_err(ProblemKind::request)?;
        let organizations = self.infisical.send(&ListOrganizations { session }).await;
        let organizations = organizations.map_err(ProblemKind::request)?;
        if organizations.iter().all(|organization| organization.id != own.id) {
            return Ok(false);
        }
        for organization in organizations {
            let select = SelectOrganization { session, organization_id: &organization.id };
            let selected = self.infisical.send(&select).await.map_err(ProblemKind::request)?;
            if selected.mfa_required {
                continue;
            }
            let list = ListAdminIdentities { session: &selected.token, offset: 0 };
            let listed = self.infisical.send_pages(&list).await.map_err(of_listing)?;
            return Ok(listed
                .iter()
                .any(|listed| listed.id == identity && listed.name == BOOTSTRAP_IDENTITY));
        }
        Err(ProblemKind::RightKept(RightKept::Unknown))
    }
}

fn of_listing(error: Error) -> ProblemKind {
    match error.kind {
        ErrorKind::Forbidden => ProblemKind::RightKept(RightKept::Unknown),
        _ => ProblemKind::request(error),
    }
}
