//! The signals that end the process.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio_stream::{Stream, StreamExt as _, wrappers::SignalStream};

/// Every SIGTERM and SIGINT from now on, by name: the first one drains the
/// server, a second one ends it.
///
/// # Errors
/// When the system does not let a handler be set.
pub fn signals() -> io::Result<impl Stream<Item = &'static str> + Send + Unpin> {
    let terminate = SignalStream::new(signal(SignalKind::terminate())?).map(|()| "SIGTERM");
    let interrupt = SignalStream::new(signal(SignalKind::interrupt())?).map(|()| "SIGINT");
    Ok(terminate.merge(interrupt))
}
