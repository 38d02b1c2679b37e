//! Compaction: folds the deltas of the rollups into their base.
//!
//! Deltas and base change in one transaction, so a reader sees each number whole at every moment.
//! One compactor works at a time; workers go on appending meanwhile.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff_sqlx::Date;
use metrics::counter;
use roaring::RoaringBitmap;
use sqlx::{PgConnection, PgPool};
use tokio_util::sync::CancellationToken;

use crate::error::StoreError;
use crate::rollup::serialize;

/// Keys folded in one transaction: a few megabytes of bitmaps at the most.
const KEYS_A_ROUND: i64 = 128;

type Key = (i32, i32, jiff::civil::Date);

/// Compacts at every interval until told to stop.
pub(crate) async fn run(pool: &PgPool, interval: Duration, stop: &CancellationToken) {
    let mut tick = tokio::time::interval(interval);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        if let Err(error) = compact(pool).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "compaction failed; the next one will do");
        }
    }
}

/// Folds until no delta is left or another worker is compacting.
pub(crate) async fn compact(pool: &PgPool) -> Result<(), StoreError> {
    loop {
        let mut transaction = pool.begin().await?;
        if !sqlx::query_file!("sql/lock_compaction.sql").fetch_one(&mut *transaction).await?.locked {
            return Ok(());
        }
        let users = fold_active_users(&mut transaction).await?;
        let counts =
            sqlx::query_file!("sql/fold_event_counts.sql", KEYS_A_ROUND).execute(&mut *transaction).await?.rows_affected();
        transaction.commit().await?;
        counter!("rollcall_rollup_keys_compacted_total").increment(users as u64 + counts);
        if users == 0 && counts == 0 {
            return Ok(());
        }
    }
}

/// Returns how many keys were folded.
async fn fold_active_users(connection: &mut PgConnection) -> Result<usize, StoreError> {
    let mut folded: BTreeMap<Key, RoaringBitmap> = BTreeMap::new();
    let deltas = sqlx::query_file!("sql/take_active_users_delta.sql", KEYS_A_ROUND).fetch_all(&mut *connection).await?;
    for delta in deltas {
        let key = (delta.project_id, delta.event_type_id, delta.day.into());
        *folded.entry(key).or_default() |= deserialize(&delta.bitmap)?;
    }
    if folded.is_empty() {
        return Ok(0);
    }
    let projects: Vec<i32> = folded.keys().map(|key| key.0).collect();
    let types: Vec<i32> = folded.keys().map(|key| key.1).collect();
    let days: Vec<Date> = folded.keys().map(|key| key.2.into()).collect();
    let bases =
        sqlx::query_file!("sql/select_active_users.sql", &projects, &types, &days as _).fetch_all(&mut *connection).await?;
    for base in bases {
        let key = (base.project_id, base.event_type_id, base.day.into());
        *folded.entry(key).or_default() |= deserialize(&base.bitmap)?;
    }
    let mut counts = Vec::with_capacity(folded.len());
    let mut bitmaps = Vec::with_capacity(folded.len());
    for bitmap in folded.values_mut() {
        bitmap.optimize();
        counts.push(i32::try_from(bitmap.len()).unwrap_or(i32::MAX));
        bitmaps.push(serialize(bitmap));
    }
    sqlx::query_file!("sql/upsert_active_users.sql", &projects, &types, &days as _, &counts, &bitmaps)
        .execute(connection)
        .await?;
    Ok(folded.len())
}

fn deserialize(bytes: &[u8]) -> Result<RoaringBitmap, StoreError> {
    RoaringBitmap::deserialize_from(bytes).map_err(|error| StoreError::Database(sqlx::Error::Decode(error.into())))
}
