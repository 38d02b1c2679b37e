//! Lists: pages of events, timelines, sessions, users, accounts and event types, at the largest stage.

use std::time::Instant;

use anyhow::Context;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use sqlx::PgPool;

use crate::Bench;
use crate::client::{Connection, get};
use crate::measurements::Measurements;
use crate::outcome::Outcome;
use crate::row::Row;

/// Number of requests in one repetition.
const REQUESTS: u32 = 50;
/// Approximate number of events of the user whose timeline is read.
const TIMELINE_EVENTS: i64 = 1_000;

/// A query of the API and its target.
pub(super) struct Question {
    name: &'static str,
    pub(super) path: String,
    bound_ms: f64,
}

/// The ids that appear in the queries, chosen from the rows.
pub(super) struct Subjects {
    /// A user with about a thousand events.
    pub(super) user: String,
    /// The user whose latest event is the oldest.
    old_user: String,
    pub(super) rarest_type: String,
    pub(super) session: String,
    pub(super) account: String,
    pub(super) event_id: uuid::Uuid,
}

impl Subjects {
    pub(super) async fn choose(pool: &PgPool) -> anyhow::Result<Self> {
        let users = "with counted as (
                select coalesce(user_id, anonymous_id, session_id) as actor, count(*) as n, max(occurred_at) as last
                from events where project_id = 1 group by 1
            )
            select (select actor from counted order by abs(n - $1), actor limit 1),
                   (select actor from counted order by last, actor limit 1)";
        let (user, old_user) = sqlx::query_as(users).bind(TIMELINE_EVENTS).fetch_one(pool).await.context("users")?;
        let rarest =
            "select t.name from event_counts c join event_types t on t.project_id = c.project_id and t.id = c.event_type_id
            where c.project_id = 1 group by t.name order by sum(c.n), t.name limit 1";
        let session = "select session_id from sessions where project_id = 1 order by events desc, session_id limit 1";
        let account = "select account_id from events where project_id = 1 and account_id is not null
            group by 1 order by count(*) desc, 1 limit 1";
        let event_id =
            "select event_id from events where project_id = 1 and client_event_id is null order by occurred_at limit 1";
        Ok(Self {
            user,
            old_user,
            rarest_type: sqlx::query_scalar(rarest).fetch_one(pool).await.context("event types")?,
            session: sqlx::query_scalar(session).fetch_one(pool).await.context("sessions")?,
            account: sqlx::query_scalar(account).fetch_one(pool).await.context("accounts")?,
            event_id: sqlx::query_scalar(event_id).fetch_one(pool).await.context("events")?,
        })
    }

    pub(super) fn questions(&self) -> Vec<Question> {
        let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
        // The latest rows are of yesterday.
        let (yesterday, month) = (today.saturating_sub(1.day()), today.saturating_sub(30.days()));
        let beginning = &self.user[..self.user.len().min(2)];
        let question = |name, path, bound_ms| Question { name, path, bound_ms };
        vec![
            question("/events, the latest 100", "/events".to_owned(), 10.0),
            question("/events, the rarest type", format!("/events?event_type={}", self.rarest_type), 50.0),
            question("/events, one by its id", format!("/events?event_id={}", self.event_id), 10.0),
            question("timeline of 1,000 events", format!("/users/{}/events?limit=1000", self.user), 10.0),
            question("timeline of the user seen longest ago", format!("/users/{}/events", self.old_user), 50.0),
            question("/sessions, first page", "/sessions".to_owned(), 20.0),
            question("/sessions/{session_id}", format!("/sessions/{}", self.session), 10.0),
            question("/sessions/{session_id}/events", format!("/sessions/{}/events", self.session), 10.0),
            question("/users?query=", format!("/users?query={beginning}"), 20.0),
            question("/users/{user_id}", format!("/users/{}", self.user), 20.0),
            question(
                "summary of the largest account, a day",
                format!("/accounts/{}/summary?from={yesterday}&to={yesterday}", self.account),
                30.0,
            ),
            question(
                "summary of the largest account, 30 days",
                format!("/accounts/{}/summary?from={month}&to={yesterday}", self.account),
                150.0,
            ),
            question("/event-types", "/event-types".to_owned(), 50.0),
        ]
    }
}

pub(super) async fn run(bench: &Bench, outcome: &mut Outcome) -> anyhow::Result<()> {
    let Some(stage) = bench.stages.last().filter(|stage| stage.rows > 0) else { return Ok(()) };
    stage.service.quiet().await?;
    let questions = Subjects::choose(&stage.service.database.pool).await?.questions();
    let row = |question: &Question| {
        let name = format!("{}, {}", question.name, stage.name());
        (Row::lower(format!("{name}, p50"), "ms").bound(question.bound_ms), Row::lower(format!("{name}, p99"), "ms"))
    };
    let mut rows: Vec<(Row, Row)> = questions.iter().map(row).collect();
    for _ in 0..bench.reps() {
        for (question, (p50, p99)) in questions.iter().zip(&mut rows) {
            let mut api = Connection::open(stage.service.api_address).await?;
            let request = get(&question.path);
            let mut latencies = Measurements::default();
            for _ in 0..REQUESTS {
                let started = Instant::now();
                api.expect(200, &request).await.with_context(|| question.path.clone())?;
                latencies.push(started.elapsed().as_secs_f64() * 1e3);
            }
            p50.ours.push(latencies.median());
            p99.ours.push(latencies.quantile(0.99));
        }
    }
    outcome.rows.extend(rows.into_iter().flat_map(|(p50, p99)| [p50, p99]));
    Ok(())
}
