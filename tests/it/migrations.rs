//! Migrations of tables that hold events already, while workers of the version before run.

use std::str::FromStr;

use rollcall_shared::database::MIGRATIONS;
use rollcall_tests::{fresh_database, hour_disagreements, session_disagreements, user_disagreements};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

/// The migration that makes the tables of sessions.
const SESSIONS: i64 = 13;

/// Three sessions: with a user id, with an anonymous id, and with neither; and an event without session.
const EVENTS: &str = "
    insert into events (
        project_id, event_type_id, user_ord, occurred_at, received_at, event_id, user_id, anonymous_id, session_id, properties
    )
    select 1, 1, 0, at::timestamptz, now(), gen_random_uuid(), user_id, anonymous_id, session_id, '{}'
    from (values
        ('2025-01-02T10:00Z', null, 'device', 'named'),
        ('2025-01-01T10:00Z', 'early', null, 'named'),
        ('2025-01-01T11:00Z', 'tied', null, 'named'),
        ('2025-01-01T11:00Z', 'tied too', null, 'named'),
        ('2025-01-01T10:00Z', null, 'device', 'anonymous'),
        ('2025-01-01T10:00Z', null, null, 'nobody'),
        ('2025-01-01T10:00Z', 'user', null, null)
    ) as event (at, user_id, anonymous_id, session_id)";

/// What workers of the version before write with every batch.
const OLD_DELTA: &str = "insert into event_counts_delta (project_id, day, event_type_id, n) values (1, '2025-01-01', 1, 7)";

/// A database of its own, empty.
async fn empty_database() -> PgPool {
    let options = PgConnectOptions::from_str(&fresh_database().await).unwrap();
    let pool = PgPoolOptions::new().connect_with(options.clone()).await.unwrap();
    sqlx::query("create database before_sessions").execute(&pool).await.unwrap();
    PgPoolOptions::new().connect_with(options.database("before_sessions")).await.unwrap()
}

async fn migrate(pool: &PgPool, versions: impl Fn(i64) -> bool) {
    for migration in MIGRATIONS.iter().filter(|migration| versions(migration.version)) {
        let mut transaction = pool.begin().await.unwrap();
        sqlx::raw_sql(migration.sql.clone()).execute(&mut *transaction).await.unwrap();
        transaction.commit().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_and_users_of_events_that_are_there_are_added_up_and_older_workers_wait() {
    let pool = empty_database().await;
    migrate(&pool, |version| version < SESSIONS).await;
    sqlx::query(EVENTS).execute(&pool).await.unwrap();
    sqlx::query(OLD_DELTA).execute(&pool).await.unwrap();
    migrate(&pool, |version| version >= SESSIONS).await;
    assert_eq!(session_disagreements(&pool).await, [""; 0]);
    assert_eq!(user_disagreements(&pool).await, [""; 0]);
    assert_eq!(hour_disagreements(&pool).await, [""; 0]);
    let events: Vec<(String, i64)> =
        sqlx::query_as("select session_id, events from sessions order by session_id").fetch_all(&pool).await.unwrap();
    assert_eq!(events, [("anonymous".to_owned(), 1), ("named".to_owned(), 4), ("nobody".to_owned(), 1)]);
    let error = sqlx::query(OLD_DELTA).execute(&pool).await.unwrap_err();
    // An error of the state that the server is in, which workers wait out.
    assert_eq!(error.as_database_error().unwrap().code().unwrap(), "55000");
}
