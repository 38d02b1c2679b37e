//! Folding: merges one batch of a project's deltas into the base, in the caller's transaction.

use std::collections::BTreeMap;

use jiff_sqlx::Date;
use roaring::RoaringBitmap;
use sqlx::PgConnection;

use crate::bitmap;
use crate::error::StoreError;

/// Most bytes of bitmaps, in deltas and base together, that one batch takes; a single delta and its base may
/// have more. The worker holds about three copies: as read, united, and as written.
const MAX_BITMAP_BYTES: i64 = 8 * 1024 * 1024;

/// What one batch folded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Folded {
    pub(crate) deltas: u64,
    /// Keys of the base that were changed.
    pub(crate) keys: u64,
}

/// Folds event counts, in one statement.
pub(crate) async fn event_counts(connection: &mut PgConnection, project: i32, max_rows: i64) -> Result<Folded, StoreError> {
    let folded = sqlx::query_file!("sql/maintenance/fold_event_counts.sql", project, max_rows).fetch_one(connection).await?;
    Ok(Folded { deltas: folded.deltas.unsigned_abs(), keys: folded.keys.unsigned_abs() })
}

/// Folds sessions in one statement. A delta is what one batch adds to one session.
pub(crate) async fn sessions(connection: &mut PgConnection, project: i32, max_sessions: i64) -> Result<Folded, StoreError> {
    let folded = sqlx::query_file!("sql/maintenance/fold_sessions.sql", project, max_sessions).fetch_one(connection).await?;
    Ok(Folded { deltas: folded.deltas.unsigned_abs(), keys: folded.keys.unsigned_abs() })
}

/// Folds the activity of users in one statement. A delta is what one batch adds to one user.
pub(crate) async fn user_activity(connection: &mut PgConnection, project: i32, max_users: i64) -> Result<Folded, StoreError> {
    let folded = sqlx::query_file!("sql/maintenance/fold_user_activity.sql", project, max_users).fetch_one(connection).await?;
    Ok(Folded { deltas: folded.deltas.unsigned_abs(), keys: folded.keys.unsigned_abs() })
}

/// Folds bitmaps of active users. The worker unites them, because PostgreSQL cannot.
pub(crate) async fn active_users(connection: &mut PgConnection, project: i32, max_rows: i64) -> Result<Folded, StoreError> {
    let deltas = sqlx::query_file!("sql/maintenance/take_active_users_delta.sql", project, max_rows, MAX_BITMAP_BYTES)
        .fetch_all(&mut *connection)
        .await?;
    let count = deltas.len() as u64;
    let mut folded: BTreeMap<(i32, jiff::civil::Date), RoaringBitmap> = BTreeMap::new();
    for delta in deltas {
        *folded.entry((delta.event_type_id, delta.day.into())).or_default() |= bitmap::deserialize(&delta.bitmap)?;
    }
    let types: Vec<i32> = folded.keys().map(|key| key.0).collect();
    let days: Vec<Date> = folded.keys().map(|key| key.1.into()).collect();
    let bases = sqlx::query_file!("sql/maintenance/select_active_users.sql", project, &types, &days as _)
        .fetch_all(&mut *connection)
        .await?;
    for base in bases {
        if let Some(bitmap) = base.bitmap {
            *folded.entry((base.event_type_id, base.day.into())).or_default() |= bitmap::deserialize(&bitmap)?;
        }
    }
    let mut counts = Vec::with_capacity(folded.len());
    let mut bitmaps = Vec::with_capacity(folded.len());
    for bitmap in folded.values_mut() {
        bitmap.optimize();
        counts.push(i32::try_from(bitmap.len()).unwrap_or(i32::MAX));
        bitmaps.push(bitmap::serialize(bitmap));
    }
    sqlx::query_file!("sql/maintenance/upsert_active_users.sql", project, &types, &days as _, &counts, &bitmaps)
        .execute(connection)
        .await?;
    Ok(Folded { deltas: count, keys: folded.len() as u64 })
}
