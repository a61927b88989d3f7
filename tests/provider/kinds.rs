//! Each kind, with the real loop, against the fake Infisical.

mod client_secret;
mod identity;
mod kubernetes_auth;
mod membership;
mod project;
mod universal_auth;
