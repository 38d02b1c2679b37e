//! Reads: frequent queries, answered from the rollups and by SQL over the rows.

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

/// Number of requests in one repetition.
const REQUESTS: u32 = 200;
/// The least ratio at which a query counts as no slower, because repetitions differ by this much.
const NO_SLOWER: f64 = 0.9;

/// A query of the API and its targets.
struct Question {
    name: &'static str,
    path: String,
    bound_ms: Option<f64>,
    /// Target: the least ratio to SQL over the rows.
    at_least: Option<f64>,
    /// Target: the least ratio to the same query at the next smaller stage. Only stored numbers have one,
    /// because unions of bitmaps grow with the users.
    growth: Option<f64>,
}

/// The measurements of a query at one stage.
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
    // Eight weekly cohorts with eight windows each need sixteen complete weeks.
    let monday = days_ago(i64::from(today.weekday().to_monday_zero_offset()) + 16 * 7);
    let question = |name, path, bound_ms, at_least, growth| Question { name, path, bound_ms, at_least, growth };
    vec![
        question("/stats/dau, 30 days", format!("/stats/dau?from={}&to={today}", days_ago(29)), Some(5.0), None, Some(NO_SLOWER)),
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
            Some(NO_SLOWER),
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
    // Other topics may have stored events there.
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
        // The comparison is valid only if both answers are equal.
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
