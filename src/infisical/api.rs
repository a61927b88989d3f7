//! The routes of Infisical's API, a file for each noun: how each is asked, what it
//! answers and which refusals it has of its own.
//!
//! Of an answer the fields that are used are read and no others: servers add some with
//! every release. Bodies and headers are where secrets are exposed: what is written
//! there goes to the server that it belongs to, and nowhere else.

mod admin;
mod identities;
mod login;
mod organizations;
mod projects;
mod status;
mod token_auth;
mod tokens;
mod universal_auth;

pub use admin::{
    AdminIdentity, Bootstrap, BootstrapRefusal, Bootstrapped, CheckInstanceAdmin, Config,
    ListAdminIdentities, NotInstanceAdmin, ReadConfig, RevokeInstanceAdmin,
};
pub use identities::{CreateIdentity, DeleteIdentity, ListIdentities, ListedIdentity, VerifyToken};
pub use login::{Login, LoginRefusal};
pub use organizations::{
    ListOrganizations, Organization, SelectOrganization, SelectRefusal, SelectedOrganization,
};
pub use projects::{AddToProject, FindProject, NoSuchProject, NotAMember, ReadProjectMembership};
pub use status::{ReadStatus, Status};
pub use token_auth::{ListTokens, ListedToken, MintToken, MintedToken, RevokeToken};
pub use tokens::{EndToken, RenewToken};
pub use universal_auth::{
    AttachUniversalAuth, ClientLogin, ClientLoginRefusal, CreateClientSecret, CreatedClientSecret,
    ListClientSecrets, ListedClientSecret, NotAttached, ReadUniversalAuth, RevokeClientSecret,
};
