//! Checks whether nats-server has events on disk before it acknowledges them.
//!
//! A client's connection cannot show this: neither the server's greeting nor the API of JetStream
//! reports how often the server syncs. The monitoring port does, if it can be reached.

use std::time::Duration;

use anyhow::Context;
use rollcall_shared::settings::Environment;
use serde_json::Value;

use crate::send;

/// Longest wait for the monitoring port. The check only logs, so it is not worth a longer one.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// The address of nats-server's monitoring port.
#[derive(Debug, Clone)]
pub(crate) struct MonitorSettings {
    /// `http://host:port`, or empty.
    url: String,
}

impl MonitorSettings {
    /// Reads `NATS_MONITOR_URL`.
    pub(crate) fn from_env(environment: &mut Environment) -> Self {
        let meaning = "monitoring port of nats-server, as http://host:8222; a start then warns if events are not on disk \
                       when they are acknowledged. No check when empty";
        Self { url: environment.read("NATS_MONITOR_URL", String::new(), meaning) }
    }

    /// Logs whether the server syncs, as a warning if accepted events can be lost.
    pub(crate) async fn report(self) {
        if self.url.is_empty() {
            tracing::info!(
                "without NATS_MONITOR_URL nobody can see whether nats-server syncs before it acknowledges (sync_interval: always)"
            );
            return;
        }
        match self.syncs_always().await {
            Ok(true) => tracing::info!("nats-server syncs every event before it acknowledges it"),
            Ok(false) => tracing::warn!(
                "nats-server acknowledges events before they are on disk, so a power cut loses them; \
                 set sync_interval: always in its configuration"
            ),
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "NATS_MONITOR_URL does not say whether nats-server syncs");
            }
        }
    }

    async fn syncs_always(&self) -> anyhow::Result<bool> {
        let request = send::client()?.get(format!("{}/varz", self.url.trim_end_matches('/'))).timeout(ANSWER_TIMEOUT);
        let answer: Value = request.send().await?.error_for_status()?.json().await?;
        let jetstream = answer["jetstream"]["config"].as_object().context("the server has no JetStream")?;
        // The server omits the field if it is false.
        Ok(jetstream.get("sync_always").and_then(Value::as_bool).unwrap_or(false))
    }
}
