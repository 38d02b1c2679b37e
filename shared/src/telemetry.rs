//! Telemetry: log lines for people and machines, and the metrics that every process exposes.

use std::str::FromStr;
use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use strum::VariantNames;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::settings::Environment;

/// Histogram buckets for latencies in seconds, from a cached answer to a request at its deadline.
const SECONDS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// Histogram buckets for the number of events in a batch, from one to the limit of a request.
const EVENTS: [f64; 11] = [1.0, 10.0, 50.0, 100.0, 500.0, 1e3, 5e3, 1e4, 2e4, 5e4, 1e5];

/// Directives for modules that would log every request, and at lower levels its content. A directive of
/// LOG_LEVEL for the same module comes after these and overrides them.
const QUIET: &str = "rmcp=error";

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display, strum::EnumString, strum::VariantNames)]
#[strum(serialize_all = "snake_case", parse_err_ty = String, parse_err_fn = no_log_format)]
pub enum LogFormat {
    /// For a terminal.
    Text,
    /// One JSON object per line.
    Json,
}

fn no_log_format(_: &str) -> String {
    format!("must be {}", LogFormat::VARIANTS.join(" or "))
}

/// What is logged: a level, levels of modules, or both, as `info,sqlx=debug`.
///
/// A directive of one word must be a level. `EnvFilter` would take any other word for the name of a module
/// and then log everything from that module and nothing else, so a misspelt level would go unnoticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFilter(String);

impl FromStr for LogFilter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.split(',').map(str::trim).collect::<Vec<_>>().join(",");
        if !text.contains('[') && text.contains(char::is_whitespace) {
            return Err("directives are separated by commas, as info,sqlx=debug".to_owned());
        }
        let is_word = |directive: &&str| !directive.contains(['=', '[']);
        let is_level = |word: &str| word.parse::<LevelFilter>().is_ok() && !word.is_empty();
        // A filter by span may contain commas within its brackets. Only EnvFilter can read those.
        let words = text.split(',').filter(is_word);
        if let Some(word) = words.filter(|_| !text.contains('[')).find(|word| !is_level(word)) {
            return Err(format!("\"{word}\" is no level, and a module is written as {word}=debug"));
        }
        EnvFilter::try_new(&text).map_err(|error| error.to_string())?;
        Ok(Self(text))
    }
}

impl std::fmt::Display for LogFilter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is logged, and how.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// Text or JSON.
    pub format: LogFormat,
    /// The lowest level that is written, in general and by module.
    pub level: LogFilter,
}

impl LogSettings {
    /// Reads `LOG_FORMAT` and `LOG_LEVEL`.
    pub fn from_env(environment: &mut Environment) -> Self {
        Self {
            format: environment.read("LOG_FORMAT", LogFormat::Text, "log lines as text or json"),
            level: environment.read(
                "LOG_LEVEL",
                LogFilter("info,async_nats=warn".to_owned()),
                "off, error, warn, info, debug or trace, and the same for modules, as info,sqlx=debug",
            ),
        }
    }

    /// Starts logging to standard error. A second call in one process changes nothing.
    pub fn start(&self) {
        let filter = EnvFilter::new(format!("{QUIET},{}", self.level));
        let lines = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
            .with_writer(std::io::stderr);
        // Tests start many services in one process. The format of the first one stays.
        let _ = match self.format {
            LogFormat::Text => lines.try_init(),
            LogFormat::Json => lines.json().flatten_event(true).try_init(),
        };
    }
}

/// The metrics of this process. The first call installs the recorder: the crate `metrics` has one for the
/// whole process.
///
/// # Panics
/// Never. The builder refuses only empty lists of buckets, and those above are not empty.
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

/// Keeps the histograms small between scrapes. Runs until it is dropped.
pub async fn upkeep(handle: PrometheusHandle) {
    let mut tick = tokio::time::interval(Duration::from_secs(5));
    loop {
        tick.tick().await;
        handle.run_upkeep();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_made_of_levels_and_of_modules_with_levels() {
        for text in
            ["info", "off", "INFO", "info,async_nats=warn", "warn, rollcall_api=trace", "rollcall_api[request{id=1}]=debug"]
        {
            assert_eq!(text.parse::<LogFilter>().unwrap().to_string(), text.replace(", ", ","), "{text}");
        }
    }

    #[test]
    fn a_misspelt_level_is_refused() {
        for text in ["loud", "info,loud", "sqlx=loud", "rollcall_api", "info,", "info sqlx=debug"] {
            assert!(text.parse::<LogFilter>().is_err(), "{text}");
        }
    }
}
