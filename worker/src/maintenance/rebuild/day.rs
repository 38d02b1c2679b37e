//! One day of a project: what its rows say, what the rollups say, and the difference.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use futures::TryStreamExt;
use jiff::civil::Date;
use jiff_sqlx::{Date as SqlDate, ToSqlx};
use roaring::RoaringBitmap;
use sqlx::PgConnection;

use super::error::RebuildError;
use super::project::Project;
use super::report::Differences;
use crate::bitmap;
use crate::store::rollup::ALL_TYPES;

/// The numbers of one day.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// Events, by event type.
    counts: BTreeMap<i32, i64>,
    /// Events, by event type or [`ALL_TYPES`], hour and offset.
    hours: BTreeMap<(i32, i16, i32), i64>,
    /// Who was active, by event type or [`ALL_TYPES`].
    active_users: BTreeMap<i32, Active>,
}

/// Who was active.
#[derive(Debug, Clone, PartialEq)]
enum Active {
    Users(RoaringBitmap),
    /// It cannot be read, or is said to have another number of users than it has.
    Damaged,
}

impl Numbers {
    /// What the rows say, and how many these are.
    pub(super) async fn of_rows(
        connection: &mut PgConnection,
        project: &Project,
        day: Date,
    ) -> Result<(Self, u64), RebuildError> {
        let (from, to) = project.span(day);
        let (mut numbers, mut users, mut rows) = (Self::default(), BTreeMap::<i32, RoaringBitmap>::new(), 0);
        let mut found =
            sqlx::query_file!("sql/maintenance/rebuild/select_rows.sql", project.id, from as _, to as _).fetch(connection);
        while let Some(row) = found.try_next().await? {
            // As when it was stored.
            let hour = project.calendar.hour_of(row.occurred_at.to_jiff().as_microsecond());
            if hour.day.date() != day {
                continue;
            }
            rows += 1;
            *numbers.counts.entry(row.event_type_id).or_default() += 1;
            for event_type_id in [ALL_TYPES, row.event_type_id] {
                *numbers.hours.entry((event_type_id, hour.hour, hour.utc_offset_secs)).or_default() += 1;
                users.entry(event_type_id).or_default().insert(row.user_ord.cast_unsigned());
            }
        }
        numbers.active_users = users.into_iter().map(|(event_type_id, users)| (event_type_id, Active::Users(users))).collect();
        Ok((numbers, rows))
    }

    /// What the base and the deltas say.
    pub(super) async fn of_rollups(connection: &mut PgConnection, project: i32, day: SqlDate) -> Result<Self, RebuildError> {
        let mut numbers = Self::default();
        let counts =
            sqlx::query_file!("sql/maintenance/rebuild/select_counts.sql", project, day as _).fetch_all(&mut *connection).await?;
        numbers.counts.extend(counts.into_iter().map(|row| (row.event_type_id, row.n)));
        let hours =
            sqlx::query_file!("sql/maintenance/rebuild/select_hours.sql", project, day as _).fetch_all(&mut *connection).await?;
        numbers.hours.extend(hours.into_iter().map(|row| ((row.event_type_id, row.hour, row.utc_offset), row.n)));
        let mut bitmaps = sqlx::query_file!("sql/maintenance/rebuild/select_bitmaps.sql", project, day as _).fetch(connection);
        while let Some(row) = bitmaps.try_next().await? {
            numbers.unite(row.event_type_id, Active::read(&row.bitmap, row.users_count));
        }
        Ok(numbers)
    }

    /// Adds who was active according to one of several entries.
    fn unite(&mut self, event_type_id: i32, active: Active) {
        match self.active_users.entry(event_type_id) {
            Entry::Vacant(entry) => drop(entry.insert(active)),
            Entry::Occupied(mut entry) => match (entry.get_mut(), active) {
                (Active::Users(all), Active::Users(more)) => *all |= more,
                (all, _) => *all = Active::Damaged,
            },
        }
    }

    /// How many entries are different.
    pub(super) fn differences(&self, other: &Self) -> Differences {
        Differences {
            counts: different(&self.counts, &other.counts),
            hours: different(&self.hours, &other.hours),
            active_users: different(&self.active_users, &other.active_users),
        }
    }

    /// Writes these numbers in the place of what the snapshot shows of base and deltas.
    pub(super) async fn replace(&self, connection: &mut PgConnection, project: i32, day: Date) -> Result<(), RebuildError> {
        let day = day.to_sqlx();
        sqlx::query_file!("sql/maintenance/rebuild/delete_counts.sql", project, day as _).execute(&mut *connection).await?;
        let (types, counts): (Vec<_>, Vec<_>) = self.counts.iter().unzip();
        sqlx::query_file!("sql/maintenance/rebuild/insert_counts.sql", project, day as _, &types, &counts)
            .execute(&mut *connection)
            .await?;
        let types: Vec<i32> = self.hours.keys().map(|key| key.0).collect();
        let hours: Vec<i16> = self.hours.keys().map(|key| key.1).collect();
        let offsets: Vec<i32> = self.hours.keys().map(|key| key.2).collect();
        let counts: Vec<i64> = self.hours.values().copied().collect();
        sqlx::query_file!("sql/maintenance/rebuild/insert_hours.sql", project, day as _, &types, &hours, &offsets, &counts)
            .execute(&mut *connection)
            .await?;
        sqlx::query_file!("sql/maintenance/rebuild/delete_bitmaps.sql", project, day as _).execute(&mut *connection).await?;
        let (mut types, mut counts, mut bitmaps) = (Vec::new(), Vec::new(), Vec::new());
        for (event_type_id, active) in &self.active_users {
            if let Active::Users(users) = active {
                let mut users = users.clone();
                users.optimize();
                types.push(*event_type_id);
                counts.push(i32::try_from(users.len()).unwrap_or(i32::MAX));
                bitmaps.push(bitmap::serialize(&users));
            }
        }
        sqlx::query_file!("sql/maintenance/rebuild/insert_bitmaps.sql", project, day as _, &types, &counts, &bitmaps)
            .execute(connection)
            .await?;
        Ok(())
    }
}

impl Active {
    /// An entry of the base, with the number of users that it is said to have, or of the deltas, without one.
    fn read(bytes: &[u8], users_count: Option<i32>) -> Self {
        match bitmap::deserialize(bytes) {
            Ok(users) if users_count.is_none_or(|count| i64::from(count).unsigned_abs() == users.len()) => Self::Users(users),
            _ => Self::Damaged,
        }
    }
}

/// How many keys only one of them has, or have different values.
fn different<K: Ord, V: PartialEq>(one: &BTreeMap<K, V>, other: &BTreeMap<K, V>) -> u64 {
    let of_one = one.iter().filter(|(key, value)| other.get(key) != Some(value)).count();
    let of_other = other.keys().filter(|key| !one.contains_key(key)).count();
    (of_one + of_other) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_that_are_missing_superfluous_or_of_another_value_are_different() {
        let map = |entries: &[(i32, i64)]| entries.iter().copied().collect::<BTreeMap<_, _>>();
        assert_eq!(different(&map(&[(1, 1), (2, 2)]), &map(&[(1, 1), (2, 2)])), 0);
        assert_eq!(different(&map(&[(1, 1), (2, 2), (3, 3)]), &map(&[(1, 1), (2, 5), (4, 4)])), 3);
    }

    #[test]
    fn a_bitmap_with_another_number_of_users_than_it_is_said_to_have_is_damaged() {
        let users = RoaringBitmap::from_iter([1, 2, 3]);
        let bytes = bitmap::serialize(&users);
        assert_eq!(Active::read(&bytes, None), Active::Users(users.clone()));
        assert_eq!(Active::read(&bytes, Some(3)), Active::Users(users));
        assert_eq!(Active::read(&bytes, Some(4)), Active::Damaged);
        assert_eq!(Active::read(b"no bitmap", None), Active::Damaged);
    }
}
