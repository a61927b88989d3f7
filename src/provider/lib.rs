//! The provider: managed resources for Infisical, each the size of what a team asks for.
//!
//! `api` is what authors write and read: the kinds and their CRDs. `managed` is what
//! all kinds have in common: what a managed resource may do, what its conditions say,
//! where its references lead. Neither has I/O, a clock or randomness; these come in as
//! values.

pub mod api;
pub mod managed;
