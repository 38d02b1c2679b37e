//! Reports: each worker writes its state to its own row in `worker_reports`. The API reads these rows to
//! describe the pipeline.

use std::time::{Duration, Instant};

use jiff_sqlx::ToSqlx;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::error::StoreError;
use crate::maintenance::every;
use crate::status::Status;

/// Frequent enough for a rate that people watch, rare enough to cost nothing.
const INTERVAL: Duration = Duration::from_secs(2);

/// Reports at every interval until told to stop, and then withdraws the report.
pub(crate) async fn run(pool: &PgPool, status: &Status, stop: &CancellationToken) {
    let mut last = (Instant::now(), status.stored());
    every("report", INTERVAL, stop, || {
        let now = (Instant::now(), status.stored());
        let seconds = (now.0 - last.0).as_secs_f32().max(0.1);
        let rate = (now.1 - last.1) as f32 / seconds;
        last = now;
        report(pool, status, rate)
    })
    .await;
    if let Err(error) = withdraw(pool, status).await {
        tracing::debug!(error = &error as &dyn std::error::Error, "the last report stays for a day");
    }
}

async fn report(pool: &PgPool, status: &Status, events_per_second: f32) -> Result<(), StoreError> {
    let error = status.last_error();
    sqlx::query_file!(
        "sql/maintenance/upsert_worker_report.sql",
        status.worker_id,
        status.started_at.to_sqlx() as _,
        status.stored().cast_signed(),
        events_per_second,
        error.as_ref().map(|error| error.message.as_str()),
        error.as_ref().map(|error| error.at.to_sqlx()) as _,
    )
    .execute(pool)
    .await?;
    Ok(())
}

async fn withdraw(pool: &PgPool, status: &Status) -> Result<(), StoreError> {
    sqlx::query_file!("sql/maintenance/delete_worker_reports.sql", status.worker_id).execute(pool).await?;
    Ok(())
}
