//! HTTP client of Infisical.
