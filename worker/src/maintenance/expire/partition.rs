//! Partitions of the tables of events and identities, and how many rows of each project they have.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff_sqlx::ToSqlx;
use sqlx::PgConnection;

use super::error::ExpireError;
use super::project::Project;
use super::statement;
use crate::maintenance::table::Table;

/// A partition that ends here holds the identities of events without a time, which never expire: if one came again, it
/// would be an event of today.
const FIRST_DAY: Date = jiff::civil::date(1970, 1, 1);

/// A partition.
#[derive(Debug, Clone)]
pub(super) struct Partition {
    pub(super) table: Table,
    /// Its name, for statements.
    pub(super) name: String,
    /// Its first day; `None` for the default partition.
    from: Option<Date>,
    /// The day after its last; `None` for the default partition.
    pub(super) until: Option<Date>,
    /// How much room it takes with its indexes.
    bytes: u64,
}

/// The partitions of a table whose rows can expire, oldest first.
pub(super) async fn all(connection: &mut PgConnection, table: Table) -> Result<Vec<Partition>, ExpireError> {
    let rows = sqlx::query_file!("sql/maintenance/expire/select_partitions.sql", table.name()).fetch_all(connection).await?;
    let partitions = rows.into_iter().map(|row| Partition {
        table,
        name: row.name,
        from: row.from.map(Date::from),
        until: row.until.map(Date::from),
        bytes: row.bytes.unsigned_abs(),
    });
    Ok(partitions.filter(|partition| partition.until != Some(FIRST_DAY)).collect())
}

impl Partition {
    /// Which of the projects have rows in it that have expired.
    pub(super) async fn projects_with_expired_rows(
        &self,
        connection: &mut PgConnection,
        due: &[Project],
    ) -> Result<Vec<i32>, ExpireError> {
        let (projects, horizons) = self.arguments(due);
        if projects.is_empty() {
            return Ok(Vec::new());
        }
        let found = sqlx::query_scalar(statement::projects_with_expired_rows(self)).bind(projects).bind(horizons);
        Ok(found.fetch_all(connection).await?)
    }

    /// Counts its rows. That reads all of it, or one of its indexes.
    pub(super) async fn census(&self, connection: &mut PgConnection, due: &[Project]) -> Result<Census, ExpireError> {
        let (projects, horizons) = self.arguments(due);
        let counts: Vec<(i32, i64, i64)> =
            sqlx::query_as(statement::census(self)).bind(projects).bind(horizons).fetch_all(connection).await?;
        let count = |rows: i64, expired: i64| Count { rows: rows.unsigned_abs(), expired: expired.unsigned_abs() };
        Ok(Census(counts.into_iter().map(|(project, rows, expired)| (project, count(rows, expired))).collect()))
    }

    /// The projects of which it can have expired rows, with their horizons.
    fn arguments(&self, due: &[Project]) -> (Vec<i32>, Vec<jiff_sqlx::Date>) {
        let due = due.iter().filter(|project| self.from.is_none_or(|from| from < project.horizon));
        due.map(|project| (project.id, project.horizon.to_sqlx())).unzip()
    }
}

/// The numbers of rows in a partition, by project.
#[derive(Debug)]
pub(super) struct Census(BTreeMap<i32, Count>);

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    rows: u64,
    expired: u64,
}

impl Census {
    /// The projects that have rows.
    pub(super) fn projects(&self) -> impl Iterator<Item = i32> {
        self.0.keys().copied()
    }

    /// How many rows have expired.
    pub(super) fn expired(&self) -> u64 {
        self.0.values().map(|count| count.expired).sum()
    }

    /// How many rows of a project have expired.
    pub(super) fn expired_of(&self, project: i32) -> u64 {
        self.0.get(&project).copied().unwrap_or_default().expired
    }

    /// About how many bytes of the partition are those of the expired rows of a project.
    pub(super) fn bytes_of(&self, project: i32, partition: &Partition) -> u64 {
        let rows: u64 = self.0.values().map(|count| count.rows).sum();
        let share = u128::from(partition.bytes) * u128::from(self.expired_of(project)) / u128::from(rows.max(1));
        u64::try_from(share).unwrap_or(partition.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_of_a_partition_are_divided_by_the_numbers_of_rows() {
        let partition = Partition { table: Table::Events, name: String::new(), from: None, until: None, bytes: 1_000 };
        let count = |rows, expired| Count { rows, expired };
        let census = Census(BTreeMap::from([(1, count(60, 60)), (2, count(40, 10)), (3, count(100, 0))]));
        assert_eq!(census.expired(), 70);
        assert_eq!([1, 2, 3, 4].map(|project| census.bytes_of(project, &partition)), [300, 50, 0, 0]);
    }
}
