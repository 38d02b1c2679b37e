//! Trends in time zones that are hard: whose offset is no whole hour, whose clocks change by half an hour or at
//! midnight, and which skipped a day.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};
use rollcall_tests::{App, event};
use serde_json::{Value, json};

/// A zone, and days of it around a change of its clocks.
const CHANGES: [(&str, &str, &str); 8] = [
    ("Asia/Kathmandu", "2025-10-04", "2025-10-06"),
    ("Asia/Kolkata", "2025-12-31", "2026-01-02"),
    ("Australia/Lord_Howe", "2025-04-05", "2025-04-07"),
    ("Australia/Lord_Howe", "2025-10-04", "2025-10-06"),
    ("America/St_Johns", "2010-11-05", "2010-11-08"),
    ("America/Santiago", "2025-09-06", "2025-09-08"),
    ("Africa/Cairo", "2025-10-30", "2025-11-01"),
    ("Pacific/Apia", "2011-12-28", "2012-01-01"),
];

/// How a bucket of the local time is named.
fn label(local: &Zoned, interval: &str) -> String {
    let format = match interval {
        "hour" => "%Y-%m-%dT%H:00:00%:z",
        "day" => "%Y-%m-%d",
        _ => "%Y-%m-01",
    };
    local.strftime(format).to_string()
}

/// Every quarter of an hour from a day before to two days after, in UTC.
fn instants(from: &str, to: &str) -> Vec<Timestamp> {
    let start: Timestamp = format!("{from}T00:00:00Z").parse().unwrap();
    let end: Timestamp = format!("{to}T00:00:00Z").parse().unwrap();
    let (first, last) = (start - 24.hours(), end + 48.hours());
    std::iter::successors(Some(first), |instant| Some(*instant + 15.minutes())).take_while(|instant| *instant < last).collect()
}

fn points_that_are_not_zero(answer: &Value) -> BTreeMap<String, u64> {
    let points = answer["data"][0]["points"].as_array().unwrap().iter();
    let point = |point: &Value| (point["at"].as_str().unwrap().to_owned(), point["value"].as_u64().unwrap());
    points.map(point).filter(|(_, value)| *value > 0).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_is_in_the_hour_day_and_month_of_its_local_time() {
    let app = App::start().await;
    for (number, (zone, from, to)) in CHANGES.into_iter().enumerate() {
        let key = format!("key-{number}");
        app.add_project_in(zone, &key).await;
        let instants = instants(from, to);
        let sent = |(number, instant): (usize, &Timestamp)| event(&number.to_string(), "ada", "t", &instant.to_string());
        let events: Vec<_> = instants.iter().enumerate().map(sent).collect();
        app.store_as(&key, &json!(events)).await;
        let zone = TimeZone::get(zone).unwrap();
        for interval in ["hour", "day", "month"] {
            let mut expected = BTreeMap::new();
            let locals = instants.iter().map(|instant| instant.to_zoned(zone.clone()));
            for local in locals.filter(|local| (from..=to).contains(&label(local, "day").as_str())) {
                *expected.entry(label(&local, interval)).or_default() += 1;
            }
            let answer = app.trends_as(&key, &[("from", from), ("to", to), ("interval", interval)]).await;
            assert_eq!(points_that_are_not_zero(&answer), expected, "{zone:?} {from} {interval}");
        }
    }
}
