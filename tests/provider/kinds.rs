//! Each kind, with the real loop, against the fake Infisical.

mod client_secret;
mod environment;
mod folder;
mod identity;
mod kubernetes_auth;
mod membership;
mod project;
mod secret;
mod universal_auth;
