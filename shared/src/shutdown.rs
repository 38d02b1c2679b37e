//! Shutdown: one token that every task watches, cancelled by the first SIGTERM or SIGINT.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that is cancelled when the process is asked to stop.
///
/// # Errors
/// Only if the signal handlers cannot be installed.
pub fn on_signal() -> std::io::Result<CancellationToken> {
    let token = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let cancelled = token.clone();
    tokio::spawn(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        tracing::info!(signal = name, "stopping");
        cancelled.cancel();
    });
    Ok(token)
}

/// Runs the work to its end. If it has not ended `timeout` after `stop` was cancelled, it is dropped, and the
/// result is `None`.
pub async fn within<T>(timeout: Duration, stop: &CancellationToken, work: impl Future<Output = T>) -> Option<T> {
    let too_late = async {
        stop.cancelled().await;
        tokio::time::sleep(timeout).await;
    };
    tokio::select! {
        done = work => Some(done),
        () = too_late => None,
    }
}
