//! Whether nats-server has events on disk before it acknowledges them.
//!
//! No answer over the client's connection says so: neither the server's greeting nor JetStream's own
//! interface names the interval of its fsync. The monitoring port does, where it can be reached.

use std::time::Duration;

use anyhow::Context;
use rollcall_shared::settings::Environment;
use serde_json::Value;

use crate::send;

/// A monitoring port that takes longer is not worth the wait: the look changes nothing.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// Where nats-server tells about itself.
#[derive(Debug, Clone)]
pub(crate) struct MonitorSettings {
    /// `http://host:port`, or empty.
    url: String,
}

impl MonitorSettings {
    /// Reads `NATS_MONITOR_URL`.
    pub(crate) fn from_env(environment: &mut Environment) -> Self {
        let meaning = "monitoring port of nats-server, as http://host:8222; a start then warns if events are not on disk \
                       when they are acknowledged. Not looked at when empty";
        Self { url: environment.read("NATS_MONITOR_URL", String::new(), meaning) }
    }

    /// Logs what the server does, as a warning if events that are accepted can be lost.
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
        let request = send::client()?.get(format!("{}/varz", self.url.trim_end_matches('/'))).timeout(ANSWERS_WITHIN);
        let answer: Value = request.send().await?.error_for_status()?.json().await?;
        let jetstream = answer["jetstream"]["config"].as_object().context("the server has no JetStream")?;
        // The server leaves out what is false.
        Ok(jetstream.get("sync_always").and_then(Value::as_bool).unwrap_or(false))
    }
}
