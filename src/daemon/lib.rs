//! What a long-running program has, whatever it does.
//!
//! Logs, a clock, the signals that end it, sockets to listen on, mutual TLS whose
//! certificates are exchanged under way, and plain HTTP for Prometheus and the
//! kubelet. Knows neither messages of gRPC, nor Infisical, nor Kubernetes, and not
//! the program that it is part of: names come in as values.

pub mod clock;
pub mod listen;
pub mod scrape;
pub mod signals;
pub mod telemetry;
pub mod tls;
