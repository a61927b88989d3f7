//! The routes of Infisical's API, a file for each noun: how each is asked, what it
//! answers and which refusals it has of its own.
//!
//! Of an answer the fields that are used are read and no others: servers add some with
//! every release. Bodies and headers are where secrets are exposed: what is written
//! there goes to the server that it belongs to, and nowhere else.

mod admin;
mod environments;
mod folders;
mod identities;
mod kubernetes_auth;
mod login;
mod memberships;
mod organizations;
mod privileges;
mod project_identities;
mod projects;
mod refusal;
mod secrets;
mod status;
mod token_auth;
mod token_terms;
mod tokens;
mod universal_auth;

pub use admin::{
    AdminIdentity, Bootstrap, BootstrapRefusal, Bootstrapped, CheckInstanceAdmin, Config,
    ListAdminIdentities, NotInstanceAdmin, ReadConfig, RevokeInstanceAdmin,
};
pub use environments::{
    CreateEnvironment, DeleteEnvironment, Environment, ReadEnvironment, RestoreEnvironment, UpdateEnvironment,
};
pub use folders::{CreateFolder, DeleteFolder, Folder, FolderInPlace, ListFolders, ReadFolder, UpdateFolder};
pub use identities::{
    CreateIdentity, CreateMarkedIdentity, DeleteIdentity, Identity, ListIdentities, ListedIdentity, Metadata,
    ReadIdentity, SearchIdentities, UpdateIdentity, VerifyToken,
};
pub use kubernetes_auth::{
    AttachKubernetesAuth, KubernetesAuthSettings, ReadKubernetesAuth, RemoveKubernetesAuth,
    UpdateKubernetesAuth,
};
pub use login::{Login, LoginRefusal};
pub use memberships::{
    CreateMembership, DeleteMembership, IdentityMembership, ListMemberships, MembershipRole, ReadMembership,
    Temporary, UpdateMembership,
};
pub use organizations::{
    ListOrganizations, Organization, SelectOrganization, SelectRefusal, SelectedOrganization,
};
pub use privileges::{
    CreatePrivilege, DeletePrivilege, ListPrivileges, Privilege, ReadPrivilege, ReadPrivilegeBySlug,
    UpdatePrivilege,
};
pub use project_identities::{
    CreateProjectOwnIdentity, DeleteProjectOwnIdentity, ListProjectOwnIdentities, ProjectOwnIdentity,
    ReadProjectOwnIdentity, UpdateProjectOwnIdentity,
};
pub use projects::{
    AddToProject, CreateProject, DeleteProject, FindProject, ListProjects, NoSuchProject, NotAMember,
    Project, ProjectEnvironment, ReadProject, ReadProjectBySlug, ReadProjectMembership, UpdateProject,
};
pub use refusal::ResourceRefusal;
pub use secrets::{
    AttachedTag, BatchSecret, CreateSecret, CreateSecrets, DeleteSecret, DeleteSecrets, ListSecrets,
    MissingSecrets, ReadSecret, Secret, SecretContent, SecretPlace, UpdateSecret, UpdateSecrets,
};
pub use status::{ReadStatus, Status};
pub use token_auth::{ListTokens, ListedToken, MintToken, MintedToken, RevokeToken};
pub use token_terms::{TokenTerms, TrustedAddress};
pub use tokens::{EndToken, RenewToken};
pub use universal_auth::{
    AttachUniversalAuth, AttachedUniversalAuth, ClientLogin, ClientLoginRefusal, ClientSecretState,
    ConfigureUniversalAuth, CreateClientSecret, CreateLimitedClientSecret, CreatedClientSecret,
    ListClientSecretStates, ListClientSecrets, ListedClientSecret, NotAttached, ReadClientSecret,
    ReadUniversalAuth, ReadUniversalAuthSettings, RemoveUniversalAuth, RevokeClientSecret,
    UniversalAuthSettings, UpdateUniversalAuth,
};
