//! Each kind, with the real loop, against the fake Infisical.

mod environment;
mod folder;
mod membership;
mod project;
mod secret;
