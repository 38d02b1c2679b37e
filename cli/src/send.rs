//! Sends requests to the API as a careful client does: with an API key, and with retries.

use std::error::Error;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use backon::{ExponentialBuilder, Retryable};
use indicatif::ProgressBar;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{RequestBuilder, Response, StatusCode};
use rollcall_shared::settings::Secret;
use serde_json::Value;

/// Attempts to send a request before giving up. With the delays between them they take about a minute and
/// a half, long enough for a restart of the service.
const MAX_ATTEMPTS: usize = 12;
/// Delay after the first failed attempt. It doubles with each further one.
const MIN_DELAY: Duration = Duration::from_millis(200);
/// Longest delay between two attempts.
const MAX_DELAY: Duration = Duration::from_secs(15);

/// Delay after a 429 without a `Retry-After`.
const LIMITED_DELAY: Duration = Duration::from_secs(1);
/// Longest delay after a 429. A service that asks for more is asked again.
const MAX_LIMITED_DELAY: Duration = Duration::from_secs(3_600);

/// The same reason to wait is shown again after this long, so that the program does not seem to hang.
const REPEAT_REASON_AFTER: Duration = Duration::from_secs(15);
/// Problems of one refused batch that are shown.
const MAX_SHOWN: usize = 5;

/// The API that requests go to, and the key they carry.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Target {
    /// Address of the API
    #[arg(long, global = true, env = "ROLLCALL_URL", default_value = "http://127.0.0.1:8000")]
    pub(crate) url: String,
    /// API key with the scope ingest, or with the scope admin for administration
    #[arg(long, global = true, env = "API_KEY", default_value = "secret-key", hide_env_values = true)]
    pub(crate) api_key: String,
    /// File that contains the API key
    #[arg(long, global = true, env = "API_KEY_FILE", value_name = "FILE", conflicts_with = "api_key")]
    pub(crate) api_key_file: Option<PathBuf>,
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
    /// Whether the service accepts the valid events of a batch that also has invalid ones.
    pub(crate) partial: bool,
    /// The line of the file that each event comes from; empty where there is no file.
    pub(crate) file_lines: Vec<u64>,
}

/// What became of a batch.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outcome {
    pub(crate) accepted: u64,
    pub(crate) rejected: u64,
    /// What was wrong with the rejected events. The service does not list all of them.
    pub(crate) problems: Vec<String>,
}

/// An HTTP client with TLS.
pub(crate) fn client() -> anyhow::Result<reqwest::Client> {
    builder().build().context("no HTTP client can be made")
}

/// An HTTP client that accepts any certificate. It must send no key.
pub(crate) fn client_that_trusts_everybody() -> anyhow::Result<reqwest::Client> {
    builder().tls_danger_accept_invalid_certs(true).build().context("no HTTP client can be made")
}

fn builder() -> reqwest::ClientBuilder {
    // This fails only if a provider is installed already, which is just as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().timeout(Duration::from_secs(60))
}

/// Sends requests to one service, retries while it does not answer, and tells the user so.
#[derive(Debug)]
pub(crate) struct Sender {
    http: reqwest::Client,
    pub(crate) target: Target,
    /// The progress bar, which is hidden while a message is printed.
    bar: ProgressBar,
    /// The reason to wait that was shown last, and when.
    last_reason: Mutex<Option<(String, Instant)>>,
}

impl Sender {
    /// # Errors
    /// The file with the key cannot be read.
    pub(crate) fn new(mut target: Target, bar: ProgressBar) -> anyhow::Result<Self> {
        if let Some(file) = &target.api_key_file {
            let key = Secret::in_file(file).with_context(|| format!("the key file {}", file.display()))?;
            key.expose().clone_into(&mut target.api_key);
        }
        Ok(Self { http: client()?, target, bar, last_reason: Mutex::new(None) })
    }

    /// Sends a batch until it is accepted or refused for good.
    ///
    /// # Errors
    /// The service refuses the batch, or does not answer after many attempts.
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

    /// Sends a request until the answer is another than to try later. After the last attempt, returns
    /// the last answer, whatever it is. Attempts that a limit refuses do not count: a service that says so works, and
    /// accepts the request in the end.
    ///
    /// # Errors
    /// There is no answer after many attempts.
    pub(crate) async fn answer(&self, request: impl Fn(&reqwest::Client) -> RequestBuilder) -> anyhow::Result<Response> {
        loop {
            let response = self.available(&request).await?;
            if response.status() != StatusCode::TOO_MANY_REQUESTS {
                return Ok(response);
            }
            let delay = retry_after(&response).unwrap_or(LIMITED_DELAY).min(MAX_LIMITED_DELAY);
            let problem: Value = response.json().await.unwrap_or_default();
            let message = problem["message"].as_str().unwrap_or("too many requests");
            self.tell(format!("{} answers 429: {message}", self.target.url));
            tokio::time::sleep(delay).await;
        }
    }

    /// Sends a request until the service is available, or many attempts have failed.
    async fn available(&self, request: impl Fn(&reqwest::Client) -> RequestBuilder) -> anyhow::Result<Response> {
        let attempt = || async {
            match request(&self.http).send().await {
                Ok(response) if response.status().is_server_error() => Err(Failure::Unavailable(response)),
                Ok(response) => Ok(response),
                Err(error) => Err(Failure::NoAnswer(error)),
            }
        };
        let backoff = ExponentialBuilder::default()
            .with_min_delay(MIN_DELAY)
            .with_max_delay(MAX_DELAY)
            .with_factor(2.0)
            .with_max_times(MAX_ATTEMPTS - 1)
            .with_jitter();
        let outcome = attempt
            .retry(backoff)
            .adjust(|failure, delay| delay.map(|delay| failure.retry_after().unwrap_or(delay).min(MAX_DELAY)))
            .notify(|failure, _| {
                self.tell(format!("{}; trying again, {MAX_ATTEMPTS} times at most", failure.reason(&self.target.url)));
            })
            .await;
        match outcome {
            Ok(response) | Err(Failure::Unavailable(response)) => Ok(response),
            Err(Failure::NoAnswer(error)) => Err(error).with_context(|| format!("{} does not answer", self.target.url)),
        }
    }

    /// Sends a request once.
    ///
    /// # Errors
    /// There is no answer.
    pub(crate) async fn answer_once(&self, request: impl Fn(&reqwest::Client) -> RequestBuilder) -> anyhow::Result<Response> {
        request(&self.http).send().await.with_context(|| format!("{} does not answer", self.target.url))
    }

    /// Tells the user why the program waits, but not once for each of many requests.
    fn tell(&self, reason: String) {
        let mut last_reason = self.last_reason.lock().unwrap_or_else(PoisonError::into_inner);
        if last_reason.as_ref().is_some_and(|(last, at)| *last == reason && at.elapsed() < REPEAT_REASON_AFTER) {
            return;
        }
        self.bar.suspend(|| eprintln!("{reason}"));
        *last_reason = Some((reason, Instant::now()));
    }
}

/// Why an attempt failed. Another one may succeed.
enum Failure {
    /// The service answered that it cannot take the request now.
    Unavailable(Response),
    /// There was no answer.
    NoAnswer(reqwest::Error),
}

impl Failure {
    /// The delay of the header `Retry-After`.
    fn retry_after(&self) -> Option<Duration> {
        let Self::Unavailable(response) = self else { return None };
        retry_after(response)
    }

    fn reason(&self, url: &str) -> String {
        match self {
            Self::Unavailable(response) => format!("{url} answers {}", response.status()),
            Self::NoAnswer(error) => format!("{url} does not answer: {}", innermost(error)),
        }
    }
}

/// The root cause of an error: "connection refused" rather than "error sending request".
fn innermost<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause
}

/// The delay of the header `Retry-After` in seconds.
fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

async fn accepted(response: Response, file_lines: &[u64]) -> anyhow::Result<Outcome> {
    let answer: Value = response.json().await.context("the answer is not JSON")?;
    Ok(Outcome {
        accepted: answer["events_count"].as_u64().unwrap_or(0),
        rejected: answer["rejected_count"].as_u64().unwrap_or(0),
        problems: problems(&answer["rejected"], file_lines),
    })
}

/// With `partial`, a batch that holds only invalid events is counted as rejected and is not an error.
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

/// What the service says about single events, each with its place in the file or batch.
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
