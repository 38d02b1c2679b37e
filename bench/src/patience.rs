//! Patience: asking again until something is so.

use std::time::{Duration, Instant};

use anyhow::bail;

/// Asks every `pause` until the answer is `Some`.
///
/// # Errors
/// Those of `ask`, and if the answer is not `Some` within `limit`.
pub(crate) async fn until<T>(
    what: &str,
    limit: Duration,
    pause: Duration,
    mut ask: impl AsyncFnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask().await? {
            return Ok(answer);
        }
        if started.elapsed() > limit {
            bail!("{what}: not within {} s", limit.as_secs());
        }
        tokio::time::sleep(pause).await;
    }
}
