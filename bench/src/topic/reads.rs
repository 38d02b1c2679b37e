//! Reads: the questions of every day, answered from the rollups and by SQL over the rows.

use std::time::Instant;

use anyhow::ensure;
use jiff::Timestamp;
use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::Bench;
use crate::client::{Connection, get};
use crate::measurements::Measurements;
use crate::outcome::Outcome;
use crate::row::Row;
use crate::service::Service;

/// Requests of one repetition.
const REQUESTS: u32 = 200;
/// Two figures that differ by less than this are equal: it is what repetitions differ by.
const AS_FAST: f64 = 0.9;

/// A question, and what its answer must reach.
struct Question {
    name: &'static str,
    path: String,
    bound_ms: Option<f64>,
    /// How many times as fast as SQL over the rows.
    at_least: Option<f64>,
    /// How many times as fast as with a tenth of the rows. Stored numbers are as fast as before;
    /// unions of bitmaps grow with the users.
    growth: Option<f64>,
}

/// A question at one stage.
struct Case<'a> {
    question: &'a Question,
    service: &'a Service,
    rows: u64,
    p50: Row,
    p99: Row,
}

fn questions() -> Vec<Question> {
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let days_ago = |days: i64| -> Date { today.saturating_sub(days.days()) };
    // The last of sixteen weeks is over: eight cohorts are followed through eight windows.
    let monday = days_ago(i64::from(today.weekday().to_monday_zero_offset()) + 16 * 7);
    let question = |name, path, bound_ms, at_least, growth| Question { name, path, bound_ms, at_least, growth };
    vec![
        question("/stats/dau, 30 days", format!("/stats/dau?from={}&to={today}", days_ago(29)), Some(5.0), None, Some(AS_FAST)),
        question(
            "/stats/dau by week, 12 weeks",
            format!("/stats/dau?from={}&to={today}&granularity=week", days_ago(83)),
            None,
            None,
            None,
        ),
        question(
            "/stats/top-events, 30 days",
            format!("/stats/top-events?from={}&to={today}", days_ago(29)),
            Some(5.0),
            None,
            Some(AS_FAST),
        ),
        question(
            "/stats/retention, 8 weekly cohorts by 8 windows",
            format!("/stats/retention?start_date={monday}&cohorts=8&windows=8&window_type=week"),
            Some(30.0),
            Some(100.0),
            None,
        ),
    ]
}

pub(super) async fn run(bench: &Bench, outcome: &mut Outcome) -> anyhow::Result<()> {
    let questions = questions();
    // Other topics have stored some there.
    bench.empty().service.quiet().await?;
    bench.empty().service.database.clear().await?;
    let mut cases = Vec::new();
    for question in &questions {
        for (place, stage) in bench.stages.iter().enumerate() {
            stage.service.quiet().await?;
            let name = format!("{}, {}", question.name, stage.name());
            let mut p50 = Row::lower(format!("{name}, p50"), "ms").against("SQL over the rows", None);
            if place + 1 == bench.stages.len() {
                (p50.bound, p50.yardsticks[0].at_least) = (question.bound_ms, question.at_least);
                if place > 1 {
                    p50 = p50.against(format!("the same, {}", bench.stages[place - 1].name()), question.growth);
                }
            }
            let p99 = Row::lower(format!("{name}, p99"), "ms");
            cases.push(Case { question, service: &stage.service, rows: stage.rows, p50, p99 });
        }
    }
    for _ in 0..bench.reps() {
        for case in &mut cases {
            case.repeat().await?;
        }
    }
    let smaller: Vec<(u64, &str, Measurements)> =
        cases.iter().map(|case| (case.rows, case.question.name, case.p50.ours.clone())).collect();
    for case in cases {
        let Case { question, rows, mut p50, p99, .. } = case;
        if let Some(yardstick) = p50.yardsticks.get_mut(1) {
            let before = smaller.iter().rfind(|other| other.1 == question.name && other.0 < rows);
            yardstick.measurements = before.map(|other| other.2.clone()).unwrap_or_default();
        }
        outcome.rows.extend([p50, p99]);
    }
    Ok(())
}

impl Case<'_> {
    async fn repeat(&mut self) -> anyhow::Result<()> {
        let mut api = Connection::open(self.service.api_address).await?;
        let request = get(&self.question.path);
        let started = Instant::now();
        let by_sql = api.expect(200, &get(&format!("{}&source=events", self.question.path))).await?;
        self.p50.yardsticks[0].measurements.push(started.elapsed().as_secs_f64() * 1e3);
        // Both answer the same, or there is nothing to compare.
        let answer = api.expect(200, &request).await?;
        ensure!(answer == by_sql, "{}: rollups and rows disagree", self.question.path);
        let mut latencies = Measurements::default();
        for _ in 0..REQUESTS {
            let started = Instant::now();
            api.expect(200, &request).await?;
            latencies.push(started.elapsed().as_secs_f64() * 1e3);
        }
        self.p50.ours.push(latencies.median());
        self.p99.ours.push(latencies.quantile(0.99));
        Ok(())
    }
}
