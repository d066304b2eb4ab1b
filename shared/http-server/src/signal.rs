//! The signals that end a program.

use std::future::Future;

use tokio::signal::unix::{SignalKind, signal};

use crate::program::Failure;

/// Completes at the first SIGTERM or SIGINT after this call.
///
/// # Errors
/// The signal handlers cannot be installed.
pub fn shutdown() -> Result<impl Future<Output = ()>, Failure> {
    let listen = |kind| {
        signal(kind).map_err(|error| {
            Failure::software(format!("listening for SIGTERM and SIGINT: {error}"))
        })
    };
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
