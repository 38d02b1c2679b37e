//! Retention: how many members of each cohort came back in the following windows.
//!
//! Cohort `i` contains all users who were active in window `i`. A cohort of new users excludes everyone who
//! was active on a day before that window. A late event moves a user to an earlier cohort without any
//! correction, because only the days of activity are stored.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use jiff::civil::Date;
use jiff_sqlx::ToSqlx;
use roaring::RoaringBitmap;
use serde::Serialize;
use utoipa::ToSchema;

use super::bitmap::unite;
use super::format::{Cell, Table};
use super::kept;
use super::percent::percent;
use super::question::{Answer, Asker, Question};
use super::rows::span::TimeSpan;
use super::source::Source;
use super::window::{WindowType, Windows};
use crate::auth::Zone;
use crate::error::ApiError;
use crate::parameters::{Param, Parameters};

const START_DATE: Param = Param::new(&["start_date"], "The first day of the first cohort.");
const WINDOWS: Param = Param::new(&["windows"], "How many windows each cohort is followed through.");
const WINDOW_TYPE: Param = Param::new(&["window_type"], "How long a window is.");
const COHORTS: Param = Param::new(&["cohorts"], "How many cohorts to follow, each one window after the one before.");
const COHORT: Param = Param::new(
    &["cohort"],
    "Who belongs to a cohort: everybody active in its first window, or only people without an event of any type before.",
);
const EVENT_TYPE: Param = Param::new(&["event_type"], "Only events of this type decide who belongs to a cohort.");
const RETURN_EVENT_TYPE: Param = Param::new(&["return_event_type"], "Only events of this type count as coming back.");

/// No event is on an earlier day: events begin with 1970 in UTC, when it was still this day west of
/// Greenwich.
const FIRST_DAY: Date = jiff::civil::date(1969, 12, 31);

/// The kind of cohort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumString, strum::VariantNames, strum::Display)]
#[strum(serialize_all = "lowercase")]
enum Cohort {
    Active,
    New,
}

/// `GET /stats/retention`
pub(crate) struct Retention {
    windows: Windows,
    window_type: WindowType,
    /// The number of cohorts.
    cohorts: usize,
    /// The number of windows after each cohort.
    follow: usize,
    cohort: Cohort,
    event_type: Option<String>,
    return_event_type: Option<String>,
    source: Source,
}

/// How many members of each cohort came back in the following windows.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RetentionAnswer {
    data: Vec<CohortAnswer>,
    window_type: WindowType,
}

/// One cohort and its windows.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CohortAnswer {
    /// The first day of the cohort.
    cohort_date: Date,
    users_count: u64,
    /// The percentage of the cohort that was active in each window, with two decimals.
    retention_windows: Vec<f64>,
    /// The number of members who were active in each window.
    retained_users: Vec<u64>,
    /// Whether each window is over.
    complete: Vec<bool>,
}

/// The number of users by cohort and window; window 0 is the cohort itself.
type Counts = BTreeMap<(usize, usize), u64>;

impl Question for Retention {
    type Answer = RetentionAnswer;
    const ID: &'static str = "retention";
    const PATH: &'static str = "/stats/retention";
    const SUMMARY: &'static str = "Retention of cohorts";
    const ABOUT: &'static str = "Of the people who were active in one window of time, how many were active in the next ones. Window k \
                                 begins k windows after the cohort's. An empty cohort is listed with 0 people and without windows.";
    const READS_ROWS: bool = true;
    const NEEDS_WHOLE_PERIOD: bool = true;

    fn take(parameters: &mut Parameters, _: &Zone) -> Self {
        let start = parameters.date(START_DATE);
        parameters.require(START_DATE, start.is_some());
        let follow = parameters.number(WINDOWS, 3, 1..=52) as usize;
        let window_type = parameters.one_of(WINDOW_TYPE, WindowType::Week);
        let cohorts = parameters.number(COHORTS, 1, 1..=52) as usize;
        Self {
            // A missing start is a problem, so the question is never answered with this default.
            windows: Windows::new(start.unwrap_or(FIRST_DAY), window_type, cohorts + follow),
            window_type,
            cohorts,
            follow,
            cohort: parameters.one_of(COHORT, Cohort::Active),
            event_type: parameters.text(EVENT_TYPE),
            return_event_type: parameters.text(RETURN_EVENT_TYPE),
            source: Source::take(parameters),
        }
    }

    async fn answer(self, asker: &Asker) -> Result<RetentionAnswer, ApiError> {
        let counts = match self.source {
            Source::Rollups => from_rollups(asker, &self).await?,
            Source::Events => from_events(asker, &self).await?,
        };
        let today = asker.project.zone()?.calendar.today();
        let data = (0..self.cohorts).map(|index| answer(&self, index, &counts, today)).collect();
        Ok(RetentionAnswer { data, window_type: self.window_type })
    }
}

impl Answer for RetentionAnswer {
    const IS_TABLE: bool = true;

    /// One row for each window of each cohort; window 0 is the cohort itself.
    fn table(&self) -> Option<Table> {
        let mut rows = Vec::new();
        for cohort in &self.data {
            let first = [Cell::plain(cohort.cohort_date), Cell::plain(0), Cell::plain(cohort.users_count)];
            rows.push([first.as_slice(), &[Cell::Empty, Cell::Empty]].concat());
            for (index, users) in cohort.retained_users.iter().enumerate() {
                let (percent, is_complete) = (cohort.retention_windows[index], cohort.complete[index]);
                let window = [Cell::plain(cohort.cohort_date), Cell::plain(index + 1), Cell::plain(users)];
                rows.push([window.as_slice(), &[Cell::plain(percent), Cell::plain(is_complete)]].concat());
            }
        }
        Some(Table::new(&["cohort_date", "window", "users", "percent", "complete"], rows))
    }
}

/// The answer for a project without events.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn empty_answer(mut parameters: Parameters, zone: &Zone) {
    let query = Retention::take(&mut parameters, zone);
    if parameters.finish().is_ok() {
        let today = zone.calendar.today();
        let _ = AllSeries::of(&query);
        (0..query.cohorts).for_each(|cohort| drop(answer(&query, cohort, &Counts::new(), today)));
    }
}

fn answer(query: &Retention, cohort: usize, counts: &Counts, today: Date) -> CohortAnswer {
    let count = |window| counts.get(&(cohort, window)).copied().unwrap_or(0);
    let users_count = count(0);
    let followed = if users_count == 0 { 1..1 } else { 1..query.follow + 1 };
    CohortAnswer {
        cohort_date: query.windows.first(cohort),
        users_count,
        retention_windows: followed.clone().map(|window| percent(count(window), users_count)).collect(),
        retained_users: followed.clone().map(count).collect(),
        complete: followed.map(|window| query.windows.end(cohort + window) <= today).collect(),
    }
}

/// The bitmaps of one event type, or of all: one for each window, and one for all days before.
struct Series {
    name: Option<String>,
    from: Date,
    before: RoaringBitmap,
    windows: Vec<RoaringBitmap>,
}

/// The different series that a query needs.
struct AllSeries(Vec<Series>);

impl AllSeries {
    fn of(query: &Retention) -> Self {
        let mut all = Self(Vec::new());
        for name in [&query.event_type, &query.return_event_type] {
            all.need(query, name.clone(), query.windows.first(0));
        }
        if query.cohort == Cohort::New {
            all.need(query, None, FIRST_DAY);
        }
        all
    }

    fn need(&mut self, query: &Retention, name: Option<String>, from: Date) {
        match self.0.iter_mut().find(|series| series.name == name) {
            Some(series) => series.from = series.from.min(from),
            None => self.0.push(Series {
                name,
                from,
                before: RoaringBitmap::new(),
                windows: vec![RoaringBitmap::new(); query.windows.len()],
            }),
        }
    }

    fn named(&self, name: Option<&str>) -> Option<&Series> {
        self.0.iter().find(|series| series.name.as_deref() == name)
    }
}

async fn from_rollups(asker: &Asker, query: &Retention) -> Result<Counts, ApiError> {
    let mut all = AllSeries::of(query);
    let earlier = load(asker, query, &mut all).await?;
    let (Some(comers), Some(returners)) = (all.named(query.event_type.as_deref()), all.named(query.return_event_type.as_deref()))
    else {
        return Ok(Counts::new());
    };
    let everyone = all.named(None).filter(|_| query.cohort == Cohort::New);
    let mut seen_before = everyone.map(|series| &series.before | &earlier).unwrap_or_default();
    let mut counts = Counts::new();
    for cohort in 0..query.cohorts {
        let members = &comers.windows[cohort] - &seen_before;
        counts.insert((cohort, 0), members.len());
        for window in 1..=query.follow {
            counts.insert((cohort, window), members.intersection_len(&returners.windows[cohort + window]));
        }
        if let Some(everyone) = everyone {
            seen_before |= &everyone.windows[cohort];
        }
    }
    Ok(counts)
}

/// Adds the bitmaps of days to the windows of each series, as they arrive from the database. Returns who was active on
/// days whose bitmaps were deleted, if the cohorts are of new users.
async fn load(asker: &Asker, query: &Retention, all: &mut AllSeries) -> Result<RoaringBitmap, ApiError> {
    let last = query.windows.last(query.windows.len() - 1).to_sqlx();
    let numbers: Vec<i32> = (0..).take(all.0.len()).collect();
    let names: Vec<Option<String>> = all.0.iter().map(|series| series.name.clone()).collect();
    let from: Vec<_> = all.0.iter().map(|series| series.from.to_sqlx()).collect();
    let to = vec![last; all.0.len()];
    let mut connection = asker.connection().await?;
    let mut rows = sqlx::query_file!("sql/stats/retention.sql", asker.project.id.0, &numbers, &names as _, &from as _, &to as _)
        .fetch(&mut *connection);
    while let Some(row) = rows.try_next().await? {
        let series = &mut all.0[usize::try_from(row.series).unwrap_or(0)];
        let union = match query.windows.of(row.day.into()) {
            Some(window) => &mut series.windows[window],
            None => &mut series.before,
        };
        unite(union, &row.bitmap)?;
    }
    drop(rows);
    let mut earlier = RoaringBitmap::new();
    if query.cohort == Cohort::New {
        let row = sqlx::query_file!("sql/stats/earlier_users.sql", asker.project.id.0).fetch_optional(&mut *connection).await?;
        if let Some(row) = row {
            unite(&mut earlier, &row.bitmap)?;
        }
    }
    kept::check(asker, connection, Source::Rollups, query.windows.first(0), START_DATE.name()).await?;
    Ok(earlier)
}

async fn from_events(asker: &Asker, query: &Retention) -> Result<Counts, ApiError> {
    let windows = 0..query.windows.len();
    let from: Vec<_> = windows.clone().map(|window| query.windows.first(window).to_sqlx()).collect();
    let to: Vec<_> = windows.map(|window| query.windows.last(window).to_sqlx()).collect();
    let mut connection = asker.connection().await?;
    let rows = sqlx::query_file!(
        "sql/rows/retention.sql",
        asker.project.id.0,
        &from as _,
        &to as _,
        query.cohorts as i64,
        query.follow as i64,
        asker.project.zone()?.name,
        query.event_type.as_deref(),
        query.return_event_type.as_deref(),
        query.cohort == Cohort::New
    )
    .fetch_all(&mut *connection)
    .await?;
    let last = query.windows.last(query.windows.len() - 1);
    let read = TimeSpan::of_days(&asker.project.zone()?.calendar, query.windows.first(0), last);
    // Who is new depends on all earlier events.
    let read = if query.cohort == Cohort::New { TimeSpan { to_us: read.to_us, ..TimeSpan::ALL } } else { read };
    read.refuse_archived(asker.project.id, &mut connection).await?;
    // Whether somebody is new depends on all events before.
    let (first, parameter) = if query.cohort == Cohort::New { (FIRST_DAY, COHORT) } else { (query.windows.first(0), START_DATE) };
    kept::check(asker, connection, Source::Events, first, parameter.name()).await?;
    // Counts and indexes are never negative. SQL counts cohorts from 1.
    let number = |number: i64| usize::try_from(number).unwrap_or(0);
    Ok(rows.into_iter().map(|row| ((number(row.cohort) - 1, number(row.window)), number(row.users) as u64)).collect())
}
