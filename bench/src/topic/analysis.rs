//! Analysis: trends and a funnel at the largest stage, compared with SQL as somebody would write it by hand.

use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use sqlx::{AssertSqlSafe, Executor};

use crate::Bench;
use crate::client::{Connection, get};
use crate::outcome::Outcome;
use crate::row::Row;
use crate::service::Service;

/// Pause after which the API computes the answer again. It caches answers for five seconds.
const RECOMPUTE_AFTER: Duration = Duration::from_secs(6);
/// Timeout of the SQL. A join with many intermediate rows could take hours.
const SQL_TIMEOUT: Duration = Duration::from_secs(60);

/// A query of the API, the naive statement that gives the same answer, and the targets.
struct Question {
    name: &'static str,
    path: String,
    sql: String,
    bound_ms: f64,
    /// Target: the least ratio to the SQL.
    at_least: Option<f64>,
}

struct Case<'a> {
    question: Question,
    service: &'a Service,
    cold: Row,
    warm: Row,
    asked_at: Option<Instant>,
}

fn questions() -> Vec<Question> {
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let from = today.saturating_sub(29.days());
    let days = format!("from={from}&to={today}");
    let rows = format!(
        "from events where project_id = 1 and occurred_at >= '{from}T00:00:00Z' \
         and occurred_at < '{today}T00:00:00Z'::timestamptz + interval '1 day'"
    );
    let question = |name, parameters: &str, sql, bound_ms, at_least| Question {
        name,
        path: format!("/stats/{parameters}&{days}"),
        sql,
        bound_ms,
        at_least,
    };
    let trend = |bucket: &str| format!("select date_trunc('{bucket}', occurred_at), count(*) {rows} group by 1");
    let by_device = format!("select properties ->> 'device', date_trunc('day', occurred_at), count(*) {rows} group by 1, 2");
    let step = |name: &str| {
        format!(
            "select user_ord, occurred_at {rows} and event_type_id = (select id from event_types where project_id = 1 and name = '{name}')"
        )
    };
    let funnel = format!(
        "with a as ({}), b as ({}), c as ({}) \
         select count(distinct a.user_ord), count(distinct b.user_ord), count(distinct c.user_ord) from a \
         left join b on b.user_ord = a.user_ord and b.occurred_at > a.occurred_at and b.occurred_at <= a.occurred_at + interval '7 days' \
         left join c on c.user_ord = a.user_ord and c.occurred_at > b.occurred_at and c.occurred_at <= a.occurred_at + interval '7 days'",
        step("page_view"),
        step("click"),
        step("login"),
    );
    vec![
        question("/stats/trends, 30 days by day", "trends?interval=day", trend("day"), 10.0, None),
        question("/stats/trends, 30 days by hour", "trends?interval=hour", trend("hour"), 300.0, None),
        question("/stats/trends, 30 days by a property", "trends?breakdown=device", by_device, 2_500.0, None),
        question("/stats/funnel, 3 steps, 30 days", "funnel?steps=page_view,click,login", funnel, 2_500.0, Some(20.0)),
    ]
}

pub(super) async fn run(bench: &Bench, outcome: &mut Outcome) -> anyhow::Result<()> {
    let Some(stage) = bench.stages.last() else { return Ok(()) };
    stage.service.quiet().await?;
    let case = |question: Question| {
        let name = format!("{}, {}", question.name, stage.name());
        let cold = Row::lower(format!("{name}, cold"), "ms").bound(question.bound_ms).against("naive SQL", question.at_least);
        let warm = Row::lower(format!("{name}, within 5 s"), "ms");
        Case { question, service: &stage.service, cold, warm, asked_at: None }
    };
    let mut cases: Vec<Case<'_>> = questions().into_iter().map(case).collect();
    for _ in 0..bench.reps() {
        for case in &mut cases {
            case.repeat(outcome).await?;
        }
    }
    outcome.rows.extend(cases.into_iter().flat_map(|case| [case.cold, case.warm]));
    Ok(())
}

impl Case<'_> {
    async fn repeat(&mut self, outcome: &mut Outcome) -> anyhow::Result<()> {
        if let Some(asked_at) = self.asked_at {
            tokio::time::sleep_until((asked_at + RECOMPUTE_AFTER).into()).await;
        }
        let mut api = Connection::open(self.service.api_address).await?;
        let request = get(&self.question.path);
        for row in [&mut self.cold, &mut self.warm] {
            let started = Instant::now();
            api.expect(200, &request).await?;
            row.ours.push(started.elapsed().as_secs_f64() * 1e3);
        }
        self.asked_at = Some(Instant::now());
        let sql_ms = self.sql_ms(outcome).await?;
        self.cold.yardsticks[0].measurements.push(sql_ms);
        Ok(())
    }

    /// Runs the naive SQL once and returns how long it took.
    async fn sql_ms(&self, outcome: &mut Outcome) -> anyhow::Result<f64> {
        let mut transaction = self.service.database.pool.begin().await?;
        let timeout = format!("set local statement_timeout = {}", SQL_TIMEOUT.as_millis());
        transaction.execute(AssertSqlSafe(timeout)).await?;
        let started = Instant::now();
        let answered = sqlx::query(AssertSqlSafe(self.question.sql.as_str())).fetch_all(&mut *transaction).await;
        let elapsed = started.elapsed();
        match answered {
            Err(error) if elapsed < SQL_TIMEOUT => return Err(error.into()),
            Err(_) => {
                outcome.note(format!("The naive SQL of {} was ended after {} s.", self.question.name, SQL_TIMEOUT.as_secs()))
            }
            Ok(_) => {}
        }
        transaction.rollback().await?;
        Ok(elapsed.as_secs_f64() * 1e3)
    }
}
