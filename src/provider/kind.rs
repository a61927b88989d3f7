//! The kinds: a file for each, with what differs, what is shown, and which routes.

mod client_secret;
mod identity;
mod kubernetes_auth;
mod outcome;
mod project;
mod token_terms;
mod universal_auth;
