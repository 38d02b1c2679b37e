//! Sending batches to the API as a careful client does: with a key, with retries, in order of need.

use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::Value;

/// Tries of one batch before giving up: about two minutes with their pauses.
const MAX_TRIES: u32 = 12;
/// Longest pause between two tries.
const MAX_PAUSE: Duration = Duration::from_secs(15);

/// Where events go, and with which key.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Target {
    /// Address of the API
    #[arg(long, global = true, env = "ROLLCALL_URL", default_value = "http://127.0.0.1:8000")]
    pub(crate) url: String,
    /// Key with the scope ingest, or admin for dead letters
    #[arg(long, global = true, env = "API_KEY", default_value = "secret-key", hide_env_values = true)]
    pub(crate) api_key: String,
}

impl Target {
    /// The address of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url.trim_end_matches('/'))
    }
}

/// One request: whole NDJSON lines.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    /// Counted from 0.
    pub(crate) number: u64,
    pub(crate) lines: Vec<u8>,
    pub(crate) idempotency_key: Option<String>,
    /// Whether invalid events are left out instead of refusing the batch.
    pub(crate) partial: bool,
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Outcome {
    pub(crate) accepted: u64,
    pub(crate) rejected: u64,
}

/// An HTTP client with TLS.
pub(crate) fn client() -> anyhow::Result<reqwest::Client> {
    // Fails only if a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().timeout(Duration::from_secs(60)).build().context("no HTTP client can be made")
}

/// Sends a batch until it is accepted or refused for good.
///
/// # Errors
/// The service refuses the batch, or does not answer after many tries.
pub(crate) async fn send(client: &reqwest::Client, target: &Target, batch: Batch) -> anyhow::Result<Outcome> {
    let lines = bytes::Bytes::from(batch.lines);
    let url = target.url(if batch.partial { "/events?partial=true" } else { "/events" });
    let request = || {
        let mut request = client.post(&url).header("X-API-Key", &target.api_key).header(CONTENT_TYPE, "application/x-ndjson");
        if let Some(key) = &batch.idempotency_key {
            request = request.header("Idempotency-Key", key);
        }
        request.body(lines.clone())
    };
    let response = answer(request).await.with_context(|| format!("{} does not answer", target.url))?;
    if response.status() == StatusCode::ACCEPTED { outcome(response).await } else { refused(response, batch.partial).await }
}

/// Sends a request until the answer is another than to try later.
///
/// # Errors
/// There is no answer after many tries.
pub(crate) async fn answer(request: impl Fn() -> RequestBuilder) -> reqwest::Result<Response> {
    let mut tries = 0;
    loop {
        tries += 1;
        let pause = match request().send().await {
            Ok(response) if is_retryable(response.status()) && tries < MAX_TRIES => pause(&response, tries),
            Err(_) if tries < MAX_TRIES => backoff(tries),
            answered => return answered,
        };
        tokio::time::sleep(pause).await;
    }
}

fn is_retryable(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error()
}

fn pause(response: &Response, tries: u32) -> Duration {
    let asked = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok()).map(Duration::from_secs);
    asked.unwrap_or_else(|| backoff(tries)).min(MAX_PAUSE)
}

/// Doubles from a fifth of a second, with half of it left to chance.
fn backoff(tries: u32) -> Duration {
    Duration::from_millis(200 << tries.min(7)).min(MAX_PAUSE).mul_f64(rand::random_range(0.5..1.0))
}

async fn outcome(response: Response) -> anyhow::Result<Outcome> {
    let answer: Value = response.json().await.context("the answer is not JSON")?;
    Ok(Outcome {
        accepted: answer["events_count"].as_u64().unwrap_or(0),
        rejected: answer["rejected_count"].as_u64().unwrap_or(0),
    })
}

/// A batch of nothing but invalid events is no reason to stop where invalid ones are left out.
async fn refused(response: Response, partial: bool) -> anyhow::Result<Outcome> {
    let status = response.status();
    let text = response.text().await.unwrap_or_default();
    let problem: Value = serde_json::from_str(&text).unwrap_or_default();
    if partial && problem["code"] == "invalid_events" {
        return Ok(Outcome { accepted: 0, rejected: problem["invalid_events"].as_u64().unwrap_or(0) });
    }
    let mut message = format!("the service answered {status}: {}", problem["message"].as_str().unwrap_or(&text));
    for error in problem["errors"].as_array().into_iter().flatten().take(5) {
        message += &format!("\n  event {} of the batch, {}: {}", error["index"], error["field"], error["message"]);
    }
    bail!(message)
}
