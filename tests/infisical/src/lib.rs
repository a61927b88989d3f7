//! In-process Infisical.
