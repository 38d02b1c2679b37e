//! Rollups: the deltas that a batch adds to the pre-computed counts, from its new rows only.

use foldhash::HashMap;
use jiff_sqlx::{Date, ToSqlx};
use roaring::RoaringBitmap;
use rollcall_shared::day::{Day, Hour};
use rollcall_shared::project::ProjectId;
use sqlx::PgConnection;

use crate::bitmap;
use crate::error::{StoreError, agree};
use crate::store::new_event::NewEvent;

/// The event type that stands for all types in rollups.
pub(crate) const ALL_TYPES: i32 = 0;

/// The deltas of one batch, sorted by key.
#[derive(Debug)]
pub(crate) struct Deltas {
    users: Vec<((ProjectId, i32, Day), RoaringBitmap)>,
    counts: Vec<((ProjectId, Hour, i32), i64)>,
}

impl Deltas {
    pub(crate) fn of(events: &[NewEvent<'_, '_>]) -> Self {
        let mut users: HashMap<_, Vec<u32>> = HashMap::default();
        let mut counts: HashMap<_, i64> = HashMap::default();
        for event in events {
            let project = event.row.identity.project;
            // Numbers start at 0 and count up, so they are never negative.
            let ord = event.user_ord.cast_unsigned();
            for event_type_id in [ALL_TYPES, event.event_type_id] {
                let ords = users.entry((project, event_type_id, event.hour.day)).or_default();
                // Events are sorted by user.
                if ords.last() != Some(&ord) {
                    ords.push(ord);
                }
            }
            *counts.entry((project, event.hour, event.event_type_id)).or_default() += 1;
        }
        let users = users.into_iter().map(|(key, ords)| (key, ords.into_iter().collect()));
        Self { users: sorted(users), counts: sorted(counts) }
    }

    /// How many events were counted.
    fn events(&self) -> u64 {
        self.counts.iter().map(|(_, count)| count).sum::<i64>().unsigned_abs()
    }

    /// Appends the deltas, in the transaction that stores their `events` events.
    ///
    /// # Errors
    /// Those of the database, and [`StoreError::Disagreement`] if the counted events or the written
    /// rows are not as many as expected.
    pub(crate) async fn insert(self, connection: &mut PgConnection, events: u64) -> Result<(), StoreError> {
        agree("events in the rollups", events, self.events())?;
        let (bitmap_keys, count_keys) = (self.users.len() as u64, self.counts.len() as u64);
        let (mut projects, mut types, mut days, mut bitmaps) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for ((project, event_type_id, day), bitmap) in self.users {
            projects.push(project.0);
            types.push(event_type_id);
            days.push(sql_date(day));
            bitmaps.push(bitmap::serialize(&bitmap));
        }
        let inserted = sqlx::query_file!("sql/store/insert_active_users_delta.sql", &projects, &types, &days as _, &bitmaps)
            .execute(&mut *connection)
            .await?;
        agree("deltas of active users", bitmap_keys, inserted.rows_affected())?;
        let inserted = insert_counts(connection, self.counts).await?;
        agree("deltas of event counts", count_keys, inserted)
    }
}

/// Keys with their values in the order of keys.
fn sorted<K: Ord, V>(items: impl IntoIterator<Item = (K, V)>) -> Vec<(K, V)> {
    let mut items: Vec<(K, V)> = items.into_iter().collect();
    items.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    items
}

/// Appends counts; returns how many rows the server counted.
async fn insert_counts(
    connection: &mut PgConnection,
    counts_by_key: Vec<((ProjectId, Hour, i32), i64)>,
) -> Result<u64, sqlx::Error> {
    let (mut projects, mut types, mut counts) = (Vec::new(), Vec::new(), Vec::new());
    let (mut days, mut hours, mut offsets) = (Vec::new(), Vec::new(), Vec::new());
    for ((project, hour, event_type_id), count) in counts_by_key {
        projects.push(project.0);
        days.push(sql_date(hour.day));
        hours.push(hour.hour);
        offsets.push(hour.utc_offset_secs);
        types.push(event_type_id);
        counts.push(count);
    }
    let inserted =
        sqlx::query_file!("sql/store/insert_event_counts_delta.sql", &projects, &days as _, &hours, &offsets, &types, &counts)
            .execute(connection)
            .await?;
    Ok(inserted.rows_affected())
}

/// Converts a day into the type for PostgreSQL.
pub(crate) fn sql_date(day: Day) -> Date {
    day.date().to_sqlx()
}
