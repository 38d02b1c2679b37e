//! Telemetry: log lines for people and machines, and the metrics that every process exposes.

use std::str::FromStr;
use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::settings::Environment;

/// Bounds in seconds for latencies, from a cached answer to a request at its deadline.
const SECONDS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// Bounds for counts of events in a batch, from one to the limit of a request.
const EVENTS: [f64; 11] = [1.0, 10.0, 50.0, 100.0, 500.0, 1e3, 5e3, 1e4, 2e4, 5e4, 1e5];

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For a terminal.
    Text,
    /// One JSON object a line.
    Json,
}

impl FromStr for LogFormat {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("must be text or json"),
        }
    }
}

impl std::fmt::Display for LogFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

/// What is logged, and how.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// Text or JSON.
    pub format: LogFormat,
    /// A level, or a filter such as `info,sqlx=debug`.
    pub level: String,
}

impl LogSettings {
    /// Reads `LOG_FORMAT` and `LOG_LEVEL`.
    pub fn from_env(environment: &mut Environment) -> Self {
        Self {
            format: environment.read("LOG_FORMAT", LogFormat::Text, "log lines as text or json"),
            level: environment.read(
                "LOG_LEVEL",
                "info,async_nats=warn".to_owned(),
                "error, warn, info, debug, trace, or a filter by module",
            ),
        }
    }

    /// Starts logging to standard error. A second call in one process changes nothing.
    pub fn start(&self) {
        let filter = EnvFilter::new(&self.level);
        let lines = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
            .with_writer(std::io::stderr);
        // Tests start services many times in one process: the first one's format stays.
        let _ = match self.format {
            LogFormat::Text => lines.try_init(),
            LogFormat::Json => lines.json().flatten_event(true).try_init(),
        };
    }
}

/// The metrics of this process, made at the first call.
///
/// The facade `metrics` is one for the process, hence this cell.
///
/// # Panics
/// Never: the bucket lists above are not empty, which is all that the builder asks of them.
#[must_use]
pub fn metrics() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(install_recorder).clone()
}

fn install_recorder() -> PrometheusHandle {
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
        .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_batch_events".to_owned()), &EVENTS))
        .expect("the bucket lists are not empty")
        .build_recorder();
    let handle = recorder.handle();
    if metrics::set_global_recorder(recorder).is_err() {
        tracing::warn!("something else records metrics in this process; /metrics stays empty");
    }
    handle
}

/// Keeps the histograms small between scrapes; runs until dropped.
pub async fn upkeep(handle: PrometheusHandle) {
    let mut tick = tokio::time::interval(Duration::from_secs(5));
    loop {
        tick.tick().await;
        handle.run_upkeep();
    }
}
