//! Leaks: what a service that has come through a fault must not leave behind.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use sqlx::PgPool;

use super::check::Check;
use super::failure::Failure;
use super::fleet::{Fleet, POOL_SIZE};
use super::stream;
use crate::{hour_disagreements, session_disagreements, user_disagreements};

/// Sessions of a dead service end, and deltas are folded, within this.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(20);

/// Tables of the schema that are no partition and no migration's.
const TABLES: &str = "
    select relname::text
    from pg_class
    where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace";

/// Tables that are no partition of anything.
const UNATTACHED: &str = "
    select relname::text
    from pg_class
    where relkind = 'r' and not relispartition and relnamespace = 'public'::regnamespace";

/// Each line is something that must become 0, and its number now.
const LEFT: &str = "
    select 'sessions idle in a transaction', count(*)
    from pg_stat_activity
    where state like 'idle in transaction%' and state_change < now() - interval '1 second'
    union all
    select 'sessions that wait for a lock', count(*)
    from pg_stat_activity
    where wait_event_type = 'Lock' and state_change < now() - interval '1 second'
    union all
    select 'rows in troubled_messages', count(*) from troubled_messages
    union all
    select 'temporary tables', count(*) from pg_class where relpersistence = 't' and relkind = 'r'
    union all
    select 'prepared transactions', count(*) from pg_prepared_xacts
    union all
    select 'rows in events_default', count(*) from events_default
    union all
    select 'rows in event_ids_default', count(*) from event_ids_default
    union all
    select 'unfolded deltas of active users', count(*) from active_users_delta
    union all
    select 'unfolded deltas of event counts', count(*) from event_counts_delta
    union all
    select 'unfolded deltas of sessions', count(*) from sessions_delta
    union all
    select 'unfolded deltas of users', count(*) from user_activity_delta
    union all
    select 'sessions more than the pools of the services hold',
        greatest(0, count(*) - $1)
    from pg_stat_activity
    where application_name in ('rollcall-api', 'rollcall-worker')";

/// What the rollups count, what is stored, and how many identities are claimed.
const COUNTS: &str = "
    select
        ((select coalesce(sum(n), 0) from event_counts) + (select coalesce(sum(n), 0) from event_counts_delta))::bigint,
        (select count(*) from events),
        (select count(*) from event_ids)";

/// What was there before the faults began.
#[derive(Debug)]
pub(crate) struct Tables {
    all: BTreeSet<String>,
    unattached: BTreeSet<String>,
}

impl Tables {
    /// Reads their names.
    pub(crate) async fn read(pool: &PgPool) -> Self {
        Self { all: names(pool, TABLES).await, unattached: names(pool, UNATTACHED).await }
    }

    /// No table may vanish. Only partitions may come, as they are made ahead at midnight.
    fn judge(&self, now: &Self) -> Vec<Failure> {
        let gone: Vec<_> = self.all.difference(&now.all).map(|name| format!("table {name} is gone")).collect();
        let left = now.unattached.difference(&self.unattached).map(|name| format!("table {name} belongs to nothing"));
        gone.into_iter().chain(left).map(|detail| Failure::new(Check::NothingLeaked, detail)).collect()
    }
}

/// Looks for leaks; what needs a moment to settle has it.
pub(crate) async fn check(fleet: &Fleet, before: &Tables) -> Vec<Failure> {
    let services = i64::try_from(fleet.services().count()).expect("a few services");
    let began = Instant::now();
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    let left = loop {
        tick.tick().await;
        let left = left(fleet, services * POOL_SIZE).await;
        if left.is_empty() || began.elapsed() > SETTLE_TIMEOUT {
            break left;
        }
    };
    let mut failures = before.judge(&Tables::read(&fleet.pool).await);
    failures.extend(left.into_iter().map(|(what, count)| Failure::new(Check::NothingLeaked, format!("{count} {what}"))));
    let strangers = stream::strange_consumers(fleet).await;
    failures.extend(strangers.into_iter().map(|name| Failure::new(Check::NothingLeaked, format!("consumer {name} is not ours"))));
    failures.extend(counters(&fleet.pool).await);
    let sessions = session_disagreements(&fleet.pool).await;
    failures.extend(sessions.into_iter().map(|detail| Failure::new(Check::Sessions, detail)));
    let users = user_disagreements(&fleet.pool).await;
    failures.extend(users.into_iter().map(|detail| Failure::new(Check::Users, detail)));
    let hours = hour_disagreements(&fleet.pool).await;
    failures.extend(hours.into_iter().map(|detail| Failure::new(Check::Hours, detail)));
    failures
}

async fn left(fleet: &Fleet, sessions: i64) -> Vec<(String, i64)> {
    let counts: Vec<(String, i64)> = sqlx::query_as(LEFT).bind(sessions).fetch_all(&fleet.pool).await.expect("counts");
    let pending = i64::try_from(stream::pending_acknowledgements(fleet).await).expect("a count");
    let pending = ("deliveries without acknowledgement".to_owned(), pending);
    counts.into_iter().chain([pending]).filter(|(_, count)| *count > 0).collect()
}

async fn counters(pool: &PgPool) -> Option<Failure> {
    let (counted, stored, claimed): (i64, i64, i64) = sqlx::query_as(COUNTS).fetch_one(pool).await.expect("counts");
    let detail = format!("event_counts has {counted}, events {stored}, event_ids {claimed}");
    (counted != stored || stored != claimed).then(|| Failure::new(Check::Counters, detail))
}

async fn names(pool: &PgPool, statement: &'static str) -> BTreeSet<String> {
    let names: Vec<String> = sqlx::query_scalar(statement).fetch_all(pool).await.expect("names");
    names.into_iter().collect()
}
