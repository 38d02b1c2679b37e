//! Sending batches to the API as a careful client does: with a key, with retries, in order of need.

use std::error::Error;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use indicatif::ProgressBar;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::Value;

/// Tries of one batch before giving up: about two minutes with their pauses.
const MAX_TRIES: u32 = 12;
/// Longest pause between two tries.
const MAX_PAUSE: Duration = Duration::from_secs(15);

/// The same reason to wait is told again after this long, so that nobody takes waiting for hanging.
const TOLD_AGAIN_AFTER: Duration = Duration::from_secs(15);
/// Problems of one refused batch that are shown.
const MAX_SHOWN: usize = 5;

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
    /// The line of the file that each event comes from; empty where there is no file.
    pub(crate) file_lines: Vec<u64>,
}

/// What became of a batch.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outcome {
    pub(crate) accepted: u64,
    pub(crate) rejected: u64,
    /// What was wrong with the rejected ones; the service does not list every one.
    pub(crate) problems: Vec<String>,
}

/// An HTTP client with TLS.
pub(crate) fn client() -> anyhow::Result<reqwest::Client> {
    // Fails only if a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().timeout(Duration::from_secs(60)).build().context("no HTTP client can be made")
}

/// Sends to one service, again and again while it does not answer, and says that it does.
#[derive(Debug)]
pub(crate) struct Sender {
    http: reqwest::Client,
    pub(crate) target: Target,
    /// The bar that what is told must not run into.
    bar: ProgressBar,
    /// The reason to wait that was told last, and when.
    told: Mutex<Option<(String, Instant)>>,
}

impl Sender {
    pub(crate) fn new(target: Target, bar: ProgressBar) -> anyhow::Result<Self> {
        Ok(Self { http: client()?, target, bar, told: Mutex::new(None) })
    }

    /// Sends a batch until it is accepted or refused for good.
    ///
    /// # Errors
    /// The service refuses the batch, or does not answer after many tries.
    pub(crate) async fn send(&self, batch: Batch) -> anyhow::Result<Outcome> {
        let lines = bytes::Bytes::from(batch.lines);
        let url = self.target.url(if batch.partial { "/events?partial=true" } else { "/events" });
        let request = |http: &reqwest::Client| {
            let mut request =
                http.post(&url).header("X-API-Key", &self.target.api_key).header(CONTENT_TYPE, "application/x-ndjson");
            if let Some(key) = &batch.idempotency_key {
                request = request.header("Idempotency-Key", key);
            }
            request.body(lines.clone())
        };
        let response = self.answer(request).await?;
        if response.status() == StatusCode::ACCEPTED {
            accepted(response, &batch.file_lines).await
        } else {
            refused(response, batch.partial, &batch.file_lines).await
        }
    }

    /// Sends a request until the answer is another than to try later.
    ///
    /// # Errors
    /// There is no answer after many tries.
    pub(crate) async fn answer(&self, request: impl Fn(&reqwest::Client) -> RequestBuilder) -> anyhow::Result<Response> {
        let mut tries = 0;
        loop {
            tries += 1;
            let pause = match request(&self.http).send().await {
                Ok(response) if is_retryable(response.status()) && tries < MAX_TRIES => {
                    self.tell(format!("{} answers {}", self.target.url, response.status()));
                    pause(&response, tries)
                }
                Err(error) if tries < MAX_TRIES => {
                    self.tell(format!("{} does not answer: {}", self.target.url, innermost(&error)));
                    backoff(tries)
                }
                answered => return answered.with_context(|| format!("{} does not answer", self.target.url)),
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Says why there is nothing but waiting: at once, and not for each of many requests.
    fn tell(&self, reason: String) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.as_ref().is_some_and(|(last, at)| *last == reason && at.elapsed() < TOLD_AGAIN_AFTER) {
            return;
        }
        self.bar.suspend(|| eprintln!("{reason}; trying again, {MAX_TRIES} times at most"));
        *told = Some((reason, Instant::now()));
    }
}

/// The cause behind an error's causes: "connection refused" rather than "error sending request".
fn innermost<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause
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

async fn accepted(response: Response, file_lines: &[u64]) -> anyhow::Result<Outcome> {
    let answer: Value = response.json().await.context("the answer is not JSON")?;
    Ok(Outcome {
        accepted: answer["events_count"].as_u64().unwrap_or(0),
        rejected: answer["rejected_count"].as_u64().unwrap_or(0),
        problems: problems(&answer["rejected"], file_lines),
    })
}

/// A batch of nothing but invalid events is no reason to stop where invalid ones are left out.
async fn refused(response: Response, partial: bool, file_lines: &[u64]) -> anyhow::Result<Outcome> {
    let status = response.status();
    let text = response.text().await.unwrap_or_default();
    let problem: Value = serde_json::from_str(&text).unwrap_or_default();
    let problems = problems(&problem["errors"], file_lines);
    if partial && problem["code"] == "invalid_events" {
        return Ok(Outcome { accepted: 0, rejected: problem["invalid_events"].as_u64().unwrap_or(0), problems });
    }
    let mut message = format!("the service answered {status}: {}", problem["message"].as_str().unwrap_or(&text));
    for problem in problems.iter().take(MAX_SHOWN) {
        message += &format!("\n  {problem}");
    }
    bail!(message)
}

/// What the service says of single events, each with its place.
fn problems(errors: &Value, file_lines: &[u64]) -> Vec<String> {
    let problem = |error: &Value| {
        let index = error["index"].as_u64();
        let place = match index.and_then(|index| file_lines.get(usize::try_from(index).ok()?)) {
            Some(line) => format!("line {line}"),
            None => index.map_or_else(|| "the batch".to_owned(), |index| format!("event {index} of the batch")),
        };
        let [field, message] = ["field", "message"].map(|name| error[name].as_str().unwrap_or_default());
        if field.is_empty() { format!("{place}: {message}") } else { format!("{place}, {field}: {message}") }
    };
    errors.as_array().into_iter().flatten().map(problem).collect()
}
