//! The demo of `rollcall dev --demo`: sends sample events, and prints requests to try.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use jiff::{Timestamp, ToSpan};
use rollcall_example::Config;
use serde_json::Value;

use crate::generate;
use crate::send::{self, Target};

/// Number of sample events: enough for meaningful statistics, few enough to start within seconds.
const EVENTS: u64 = 20_000;
/// Days over which the sample events are spread, up to today.
const DAYS: u32 = 60;

/// Longest wait until the sample events are stored.
const STORE_TIMEOUT: Duration = Duration::from_secs(60);

/// Sends the sample events and waits until they are stored. They are the same throughout a day, so a
/// second start on that day adds nothing.
pub(crate) async fn load(url: &str, key: &str) -> anyhow::Result<()> {
    let config = Config::recent(EVENTS, DAYS);
    let target = Target { url: url.to_owned(), api_key: key.to_owned(), api_key_file: None };
    let sent = generate::send_sample(&target, config).await?;
    let started = Instant::now();
    while stored(&target).await? < sent {
        ensure!(started.elapsed() < STORE_TIMEOUT, "the sample events are not stored after {STORE_TIMEOUT:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    eprintln!("{sent} sample events are stored");
    Ok(())
}

/// How many events the service counts in the days of the sample events.
async fn stored(target: &Target) -> anyhow::Result<u64> {
    let today = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let from = today.saturating_sub(i64::from(DAYS).days());
    let url = format!("{}/stats/top-events?from={from}&to={today}&limit=100", target.url);
    let response = send::client()?.get(url).header("X-API-Key", &target.api_key).send().await?;
    let answer: Value = response.error_for_status()?.json().await.context("the answer is not JSON")?;
    Ok(answer["data"].as_array().into_iter().flatten().filter_map(|row| row["count"].as_u64()).sum())
}

/// Prints the addresses of everything, and three requests to try.
pub(crate) fn greet(url: &str, key: &str, database_url: &str, is_ephemeral: bool) {
    let fate = if is_ephemeral { "is removed" } else { "stays" };
    let today = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let month_ago = today.saturating_sub(29.days());
    let weeks_ago = today.saturating_sub(28.days());
    println!(
        r#"
Rollcall is ready.

  dashboard   {url}/ui/
  key         {key}
  API         {url}
  metrics     {url}/metrics
  PostgreSQL  {database_url}

Try:

  curl -H 'X-API-Key: {key}' -H 'Content-Type: application/json' \
    -d '{{"event_type":"login","user_id":"ada","properties":{{"plan":"free"}}}}' {url}/events

  curl -H 'X-API-Key: {key}' '{url}/stats/dau?from={month_ago}&to={today}'

  curl -H 'X-API-Key: {key}' '{url}/stats/retention?start_date={weeks_ago}&cohorts=3&windows=3'

Stop with Ctrl-C; the data {fate}.
"#
    );
}
