//! Which partitions become one.

use jiff::ToSpan;
use jiff::civil::Date;
use sqlx::PgConnection;

use crate::maintenance::table::Table;

/// Number of days after a month for which its days stay apart. Most events of clients that were offline arrive within
/// this time, into small indexes.
const OPEN_DAYS: i32 = 7;

/// A partition with the days from `from` until the day before `to`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) from: Date,
    pub(super) to: Date,
}

/// The first day of the earliest month whose days stay apart, as of `today`.
pub(crate) fn first_open_day(today: Date) -> Date {
    today.saturating_sub(OPEN_DAYS.days()).first_of_month()
}

/// At least two partitions that follow each other within a month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Month {
    pub(super) table: Table,
    pub(super) parts: Vec<Part>,
    pub(super) from: Date,
    pub(super) to: Date,
}

impl Month {
    /// The name of the partition that replaces the parts.
    pub(super) fn name(&self) -> String {
        format!("{}_{}_{}", self.table.name(), self.from.strftime("%Y%m%d"), self.to.strftime("%Y%m%d"))
    }
}

/// The months of a table whose days are over and still apart, as of `today`, the latest first, because most queries read
/// those. None if no project keeps events for long: from a month, what expires is deleted row by row; days are dropped.
pub(super) async fn due(connection: &mut PgConnection, table: Table, today: Date) -> Result<Vec<Month>, sqlx::Error> {
    let longest = sqlx::query_file!("sql/maintenance/merge/select_longest_retention.sql").fetch_one(&mut *connection).await?;
    if longest.retention_days.is_some_and(|days| days <= SHORT_RETENTION_DAYS) {
        return Ok(Vec::new());
    }
    let rows = sqlx::query_file!("sql/maintenance/merge/select_parts.sql", table.name()).fetch_all(connection).await?;
    let parts = rows.into_iter().map(|row| Part { name: row.name, from: row.from.to_jiff(), to: row.to.to_jiff() });
    Ok(months(table, parts.collect(), today))
}

/// If no project keeps events for longer, there are so few partitions that days stay apart.
const SHORT_RETENTION_DAYS: i32 = 92;

fn months(table: Table, parts: Vec<Part>, today: Date) -> Vec<Month> {
    let is_due = |part: &Part| part.from < first_open_day(today);
    let is_within_month = |part: &Part| part.to <= part.from.last_of_month().saturating_add(1.day());
    let mut months: Vec<Month> = Vec::new();
    for part in parts.into_iter().filter(|part| is_due(part) && is_within_month(part)) {
        match months.last_mut() {
            Some(month) if month.to == part.from && month.from.first_of_month() == part.from.first_of_month() => {
                month.to = part.to;
                month.parts.push(part);
            }
            _ => months.push(Month { table, from: part.from, to: part.to, parts: vec![part] }),
        }
    }
    months.retain(|month| month.parts.len() > 1);
    months.reverse();
    months
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn part(from: Date, to: Date) -> Part {
        Part { name: String::new(), from, to }
    }

    fn days(from: Date, to: Date) -> Vec<Part> {
        from.series(1.day()).take_while(|day| *day < to).map(|day| part(day, day.saturating_add(1.day()))).collect()
    }

    fn bounds(parts: Vec<Part>, today: Date) -> Vec<(Date, Date, usize)> {
        let months = months(Table::Events, parts, today);
        months.iter().map(|month| (month.from, month.to, month.parts.len())).collect()
    }

    #[test]
    fn days_become_months_a_week_after_the_last() {
        let parts = days(date(2026, 8, 30), date(2026, 10, 15));
        let [august, september] = [(date(2026, 8, 30), date(2026, 9, 1), 2), (date(2026, 9, 1), date(2026, 10, 1), 30)];
        assert_eq!(bounds(parts.clone(), date(2026, 10, 7)), [august]);
        assert_eq!(bounds(parts.clone(), date(2026, 10, 8)), [september, august]);
        assert_eq!(bounds(parts, date(2026, 11, 7)), [september, august], "October is not there in full, but its days are open");
    }

    #[test]
    fn what_is_one_partition_or_longer_than_a_month_stays() {
        let today = date(2027, 1, 1);
        assert_eq!(bounds(vec![part(date(1970, 1, 1), date(2022, 1, 1)), part(date(2022, 1, 1), date(2022, 2, 1))], today), []);
        let cut = vec![part(date(2026, 9, 1), date(2026, 9, 29)), part(date(2026, 9, 29), date(2026, 9, 30))];
        assert_eq!(bounds(cut, today), [(date(2026, 9, 1), date(2026, 9, 30), 2)]);
    }

    #[test]
    fn partitions_with_a_gap_between_them_stay_apart() {
        let parts = vec![part(date(2026, 9, 1), date(2026, 9, 2)), part(date(2026, 9, 3), date(2026, 9, 4))];
        assert_eq!(bounds(parts, date(2027, 1, 1)), []);
    }
}
