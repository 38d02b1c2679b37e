//! A snapshot of a database, to which it can be restored, so that every repetition begins with the same rows.
//!
//! The measured requests write mostly to yesterday and today, and a little to the four weeks before. The
//! snapshot copies the rows of these two days and the rollups; it recognises late events by their time of
//! receipt. Dictionaries stay as they are, because a running worker caches their numbers.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use sqlx::{AssertSqlSafe, PgPool};

use crate::batch::{LATE_DAYS, RECENT_DAYS};

const KEEP: [&str; 9] = [
    "drop schema if exists snapshot cascade",
    "create schema snapshot",
    "create table snapshot.event_ids as select * from event_ids where day >= '{since}'",
    "create table snapshot.events as select * from events where occurred_at >= '{since}'",
    "create table snapshot.active_users as table active_users",
    "create table snapshot.event_counts as table event_counts",
    "create table snapshot.event_hours as table event_hours",
    "create table snapshot.sessions as table sessions",
    "create table snapshot.user_activity as table user_activity",
];

/// The partitions of yesterday and today. Their names contain their first day.
const RECENT: &str = "select string_agg(c.relname, ', ')
from pg_inherits i
join pg_class c on c.oid = i.inhrelid
where i.inhparent in ('events'::regclass, 'event_ids'::regclass)
    and substring(c.relname from '_([0-9]{8})_[0-9]{8}$') >= $1";

const REMOVE_LATE: &str = "with late as (
    delete from events
    where received_at >= $1::text::timestamptz and occurred_at >= $2::text::timestamptz
    returning project_id, event_id, (occurred_at at time zone 'UTC')::date as day
)
delete from event_ids using late
where (event_ids.project_id, event_ids.event_id, event_ids.day) = (late.project_id, late.event_id, late.day)";

const PUT_BACK: [&str; 8] = [
    "truncate active_users, active_users_delta, event_counts, event_counts_delta, event_hours, sessions, \
     sessions_delta, user_activity, user_activity_delta",
    "insert into event_ids select * from snapshot.event_ids order by project_id, day, event_id",
    "insert into events select * from snapshot.events order by project_id, user_ord, occurred_at",
    "insert into active_users table snapshot.active_users",
    "insert into event_counts table snapshot.event_counts",
    "insert into event_hours table snapshot.event_hours",
    "insert into sessions table snapshot.sessions",
    "insert into user_activity table snapshot.user_activity",
];

/// The content of a database at one moment.
pub(crate) struct Snapshot {
    pool: PgPool,
    taken_at: Timestamp,
    /// The first day of the copied partitions.
    since: Date,
}

impl Snapshot {
    /// Takes a snapshot. No event may be in the queue, and no delta may be left to fold.
    pub(crate) async fn take(pool: &PgPool) -> anyhow::Result<Self> {
        let taken_at = Timestamp::now();
        let today = taken_at.to_zoned(TimeZone::UTC).date();
        let since = today.saturating_sub(i64::from(RECENT_DAYS - 1).days());
        let snapshot = Self { pool: pool.clone(), taken_at, since };
        for statement in KEEP {
            snapshot.execute(statement.replace("{since}", &since.to_string())).await?;
        }
        Ok(snapshot)
    }

    /// Restores the database. No event may be in the queue.
    pub(crate) async fn restore(&self) -> anyhow::Result<()> {
        let recent: String =
            sqlx::query_scalar(RECENT).bind(self.since.strftime("%Y%m%d").to_string()).fetch_one(&self.pool).await?;
        self.execute(format!("truncate {recent}")).await?;
        let late_from = self.taken_at - (24 * i64::from(LATE_DAYS + 1)).hours();
        sqlx::query(REMOVE_LATE).bind(self.taken_at.to_string()).bind(late_from.to_string()).execute(&self.pool).await?;
        for statement in PUT_BACK {
            self.execute(statement.to_owned()).await?;
        }
        Ok(())
    }

    /// Restores the database and drops the copies.
    pub(crate) async fn end(self) -> anyhow::Result<()> {
        self.restore().await?;
        self.execute("drop schema snapshot cascade".to_owned()).await
    }

    /// Runs a statement that consists of the constants above, names of partitions and dates, so it is safe.
    async fn execute(&self, statement: String) -> anyhow::Result<()> {
        sqlx::query(AssertSqlSafe(statement)).execute(&self.pool).await?;
        Ok(())
    }
}
