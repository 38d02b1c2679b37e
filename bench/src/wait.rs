//! Polls a condition until it holds or a timeout ends.

use std::time::{Duration, Instant};

use anyhow::bail;

/// Checks every `interval` until the result is `Some`. `what` names the condition in the error.
///
/// # Errors
/// The errors of `check`, and an error after the timeout.
pub(crate) async fn wait_until<T>(
    what: &str,
    timeout: Duration,
    interval: Duration,
    mut check: impl AsyncFnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let started = Instant::now();
    loop {
        if let Some(found) = check().await? {
            return Ok(found);
        }
        if started.elapsed() > timeout {
            bail!("{what}: not within {} s", timeout.as_secs());
        }
        tokio::time::sleep(interval).await;
    }
}
