//! The demo: sample data for a first look, and how to look at it.

use jiff::{Timestamp, ToSpan};

use crate::generate;
use crate::send::Target;

/// Events of the demo: enough for curves, few enough for a start in seconds.
const EVENTS: u64 = 20_000;
/// Days over which they are spread, up to today.
const DAYS: u32 = 60;

/// Sends the sample events. They are the same for a day, so a second start that day adds nothing.
pub(crate) async fn load(url: &str, key: &str) -> anyhow::Result<()> {
    let config = generate::Config::recent(EVENTS, DAYS);
    let target = Target { url: url.to_owned(), api_key: key.to_owned() };
    let sent = generate::send_sample(&target, config).await?;
    eprintln!("sent {sent} sample events");
    Ok(())
}

/// Prints where everything is and three requests to try.
pub(crate) fn greet(url: &str, key: &str, database_url: &str) {
    let today = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let month_ago = today.saturating_sub(29.days());
    let weeks_ago = today.saturating_sub(28.days());
    println!(
        r#"
Rollcall is ready.

  API         {url}
  key         {key}
  metrics     {url}/metrics
  PostgreSQL  {database_url}

Try:

  curl -H 'X-API-Key: {key}' -H 'Content-Type: application/json' \
    -d '{{"event_type":"login","user_id":"ada","properties":{{"plan":"free"}}}}' {url}/events

  curl -H 'X-API-Key: {key}' '{url}/stats/dau?from={month_ago}&to={today}'

  curl -H 'X-API-Key: {key}' '{url}/stats/retention?start_date={weeks_ago}&cohorts=3&windows=3'

Stop with Ctrl-C; the data stays.
"#
    );
}
