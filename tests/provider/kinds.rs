//! Each kind, with the real loop, against the fake Infisical.

mod project;
