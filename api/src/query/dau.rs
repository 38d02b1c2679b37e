//! Active users: how many different users were active in each day, week or month.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use jiff::ToSpan;
use jiff::civil::Date;
use jiff_sqlx::ToSqlx;
use roaring::RoaringBitmap;
use rollcall_shared::project::ProjectId;
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::bitmap::unite;
use super::format::{Cell, Table};
use super::kept;
use super::period::{self, Period};
use super::question::{Answer, Asker, Question};
use super::rows::span::TimeSpan;
use super::source::Source;
use crate::auth::Zone;
use crate::error::ApiError;
use crate::parameters::{Param, Parameters};

const GRANULARITY: Param = Param::new(&["granularity"], "How the period is cut: into days, ISO weeks (from Monday) or months.");
const EVENT_TYPE: Param = Param::new(&["event_type"], "Count only people with an event of this type.");
const FILL: Param = Param::new(&["fill"], "Whether to list days, weeks or months without anybody.");

/// The length of the buckets of the period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema, strum::EnumString, strum::VariantNames, strum::Display)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub(crate) enum Granularity {
    Day,
    /// ISO weeks, named by their Monday.
    Week,
    /// Named by its first day.
    Month,
}

impl Granularity {
    /// The first day of the bucket that contains a day.
    fn bucket(self, day: Date) -> Date {
        match self {
            Self::Day => day,
            Self::Week => day.saturating_sub(i32::from(day.weekday().to_monday_zero_offset()).days()),
            Self::Month => day.first_of_month(),
        }
    }

    /// How many days a week or month has; `None` for days.
    fn days(self) -> Option<RangeInclusive<i32>> {
        match self {
            Self::Day => None,
            Self::Week => Some(7..=7),
            Self::Month => Some(28..=31),
        }
    }

    /// The next bucket; `None` after the last date that can be represented.
    fn next(self, bucket: Date) -> Option<Date> {
        let step = match self {
            Self::Day => 1.day(),
            Self::Week => 1.week(),
            Self::Month => 1.month(),
        };
        bucket.checked_add(step).ok()
    }
}

/// Whether buckets without users are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumString, strum::VariantNames, strum::Display)]
#[strum(serialize_all = "lowercase")]
enum Fill {
    Zero,
    None,
}

/// How many different people were active in each day, week or month.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DauAnswer {
    data: Vec<Bucket>,
    granularity: Granularity,
}

/// The number of users of one day, week or month.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Bucket {
    /// The day, or the first day of the week or month.
    date: Date,
    unique_users: u64,
}

/// `GET /stats/dau`
pub(crate) struct Dau {
    period: Period,
    granularity: Granularity,
    event_type: Option<String>,
    fill: Fill,
    source: Source,
}

impl Question for Dau {
    type Answer = DauAnswer;
    const ID: &'static str = "active_users";
    const PATH: &'static str = "/stats/dau";
    const SUMMARY: &'static str = "Active users by day, week or month";
    const ABOUT: &'static str = "Counts the different people of each day, ISO week or month of a period. A week that begins before \
                                 `from` counts only its days from `from` on.";
    const READS_ROWS: bool = true;
    const NEEDS_WHOLE_PERIOD: bool = true;

    fn take(parameters: &mut Parameters, zone: &Zone) -> Self {
        Self {
            period: Period::take(parameters, zone.calendar.today()),
            granularity: parameters.one_of(GRANULARITY, Granularity::Day),
            event_type: parameters.text(EVENT_TYPE),
            fill: parameters.one_of(FILL, Fill::Zero),
            source: Source::take(parameters),
        }
    }

    async fn answer(self, asker: &Asker) -> Result<DauAnswer, ApiError> {
        let counts = match self.source {
            Source::Rollups => from_rollups(asker, &self).await?,
            Source::Events => from_events(asker, &self).await?,
        };
        Ok(DauAnswer { data: buckets(&self, &counts), granularity: self.granularity })
    }
}

impl Answer for DauAnswer {
    const IS_TABLE: bool = true;

    fn table(&self) -> Option<Table> {
        let row = |bucket: &Bucket| vec![Cell::plain(bucket.date), Cell::plain(bucket.unique_users)];
        Some(Table::new(&["date", "unique_users"], self.data.iter().map(row).collect()))
    }
}

/// The answer for a project without events.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn empty_answer(mut parameters: Parameters, zone: &Zone) {
    let query = Dau::take(&mut parameters, zone);
    if parameters.finish().is_ok() {
        assert!(buckets(&query, &BTreeMap::new()).len() <= 1100);
    }
}

fn buckets(query: &Dau, counts: &BTreeMap<Date, u64>) -> Vec<Bucket> {
    let first = query.granularity.bucket(query.period.from());
    std::iter::successors(Some(first), |bucket| query.granularity.next(*bucket))
        .take_while(|bucket| *bucket <= query.period.to())
        .map(|date| Bucket { date, unique_users: counts.get(&date).copied().unwrap_or(0) })
        .filter(|bucket| query.fill == Fill::Zero || bucket.unique_users > 0)
        .collect()
}

/// Who was active on a day, or on the days of a bucket from that day on.
struct Stored {
    day: jiff_sqlx::Date,
    /// How many they were, if nothing has to be added.
    users_count: Option<i32>,
    bitmap: Option<Vec<u8>>,
}

async fn from_rollups(asker: &Asker, query: &Dau) -> Result<BTreeMap<Date, u64>, ApiError> {
    let mut connection = asker.connection().await?;
    let stored = stored(asker.project.id, query, &mut connection).await?;
    kept::check(asker, connection, Source::Rollups, query.period.from(), period::FROM.name()).await?;
    let mut counts = BTreeMap::new();
    let mut unions: BTreeMap<Date, RoaringBitmap> = BTreeMap::new();
    for row in stored {
        let bucket = query.granularity.bucket(row.day.into());
        if let Some(count) = row.users_count {
            counts.insert(bucket, u64::try_from(count).unwrap_or(0));
        }
        if let Some(bitmap) = row.bitmap {
            unite(unions.entry(bucket).or_default(), &bitmap)?;
        }
    }
    counts.extend(unions.into_iter().map(|(bucket, union)| (bucket, union.len())));
    Ok(counts)
}

async fn stored(project: ProjectId, query: &Dau, connection: &mut PgConnection) -> Result<Vec<Stored>, sqlx::Error> {
    let (from, to, event_type) = (query.period.from().to_sqlx(), query.period.to().to_sqlx(), query.event_type.as_deref());
    // The users of a week are not the sum of its days.
    let Some(days) = query.granularity.days() else {
        return sqlx::query_file_as!(Stored, "sql/stats/dau.sql", project.0, from as _, to as _, event_type)
            .fetch_all(connection)
            .await;
    };
    let (least, most) = (days.start(), days.end());
    sqlx::query_file_as!(Stored, "sql/stats/dau_spans.sql", project.0, from as _, to as _, event_type, least, most)
        .fetch_all(connection)
        .await
}

async fn from_events(asker: &Asker, query: &Dau) -> Result<BTreeMap<Date, u64>, ApiError> {
    let (from, to) = (query.period.from(), query.period.to());
    let mut connection = asker.connection().await?;
    let rows = sqlx::query_file!(
        "sql/rows/dau.sql",
        asker.project.id.0,
        from.to_sqlx() as _,
        to.to_sqlx() as _,
        query.event_type.as_deref(),
        asker.project.zone()?.name,
        query.granularity.to_string()
    )
    .fetch_all(&mut *connection)
    .await?;
    TimeSpan::of_days(&asker.project.zone()?.calendar, from, to).refuse_archived(asker.project.id, &mut connection).await?;
    kept::check(asker, connection, Source::Events, from, period::FROM.name()).await?;
    Ok(rows.into_iter().map(|row| (row.bucket.into(), u64::try_from(row.users).unwrap_or(0))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weeks_begin_on_monday_and_months_on_the_first() {
        let wednesday = jiff::civil::date(2025, 10, 1);
        assert_eq!(Granularity::Week.bucket(wednesday), jiff::civil::date(2025, 9, 29));
        assert_eq!(Granularity::Month.bucket(wednesday), wednesday);
        assert_eq!(Granularity::Day.bucket(wednesday), wednesday);
    }

    #[test]
    fn no_bucket_follows_the_last_date() {
        for granularity in [Granularity::Day, Granularity::Week, Granularity::Month] {
            assert_eq!(granularity.next(granularity.bucket(Date::MAX)), None);
        }
    }
}
