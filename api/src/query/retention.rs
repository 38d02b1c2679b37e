//! Retention: of those who came in one window, how many came back in the next ones.
//!
//! Cohort `i` is everyone active in window `i`; asked for new users, without everyone who was
//! active on any day before that window. A late event moves a user to an earlier cohort by itself,
//! because nothing but the days of activity is kept.

use std::collections::BTreeMap;
use std::str::FromStr;

use axum::Json;
use axum::extract::State;
use futures::TryStreamExt;
use jiff::civil::Date;
use jiff_sqlx::ToSqlx;
use roaring::RoaringBitmap;
use serde::Serialize;

use super::bitmap::unite;
use super::source::Source;
use super::window::{WindowType, Windows};
use crate::auth::{Access, Project, Read};
use crate::error::ApiError;
use crate::extract::Parameters;
use crate::read_pool::ReadPool;

/// Days before this one have no events: 1970 began, in UTC, on this day west of Greenwich.
const FIRST_DAY: Date = jiff::civil::date(1969, 12, 31);

/// Who belongs to a cohort.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cohort {
    Active,
    New,
}

impl FromStr for Cohort {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "active" => Ok(Self::Active),
            "new" => Ok(Self::New),
            _ => Err(()),
        }
    }
}

struct Query {
    windows: Windows,
    /// How many of the windows begin a cohort.
    cohorts: usize,
    /// How many windows each cohort is followed through.
    follow: usize,
    cohort: Cohort,
    event_type: Option<String>,
    return_event_type: Option<String>,
}

impl Query {
    fn take(parameters: &mut Parameters) -> (Self, WindowType) {
        let start = parameters.date(&["start_date"]);
        let follow = parameters.number("windows", 3, 1..=52) as usize;
        let window_type = parameters.parsed(&["window_type"], "day, week or month").unwrap_or(WindowType::Week);
        let cohorts = parameters.number("cohorts", 1, 1..=52) as usize;
        let cohort = parameters.parsed(&["cohort"], "active or new").unwrap_or(Cohort::Active);
        let event_type = parameters.text(&["event_type"]);
        let return_event_type = parameters.text(&["return_event_type"]);
        if start.is_none() && !parameters.has_problem(&["start_date"]) {
            parameters.problem("start_date", "required", "is required: the first day of the first cohort");
        }
        let windows = Windows::new(start.unwrap_or(FIRST_DAY), window_type, cohorts + follow);
        (Self { windows, cohorts, follow, cohort, event_type, return_event_type }, window_type)
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct Answer {
    data: Vec<CohortAnswer>,
    window_type: WindowType,
}

#[derive(Debug, Serialize)]
struct CohortAnswer {
    cohort_date: Date,
    users_count: u64,
    /// Percent, two decimals.
    retention_windows: Vec<f64>,
    retained_users: Vec<u64>,
    /// Whether the window is over.
    complete: Vec<bool>,
}

/// Users by cohort and window; window 0 is the cohort itself.
type Counts = BTreeMap<(usize, usize), u64>;

/// `GET /stats/retention`
pub(crate) async fn retention(
    State(reads): State<ReadPool>,
    access: Access<Read>,
    mut parameters: Parameters,
) -> Result<Json<Answer>, ApiError> {
    let (query, window_type) = Query::take(&mut parameters);
    let source = Source::take(&mut parameters);
    parameters.finish()?;
    let counts = match source {
        Source::Rollups => from_rollups(&reads, &access.project, &query).await?,
        Source::Events => from_events(&reads, &access.project, &query).await?,
    };
    let today = access.project.zone()?.calendar.today();
    let data = (0..query.cohorts).map(|index| answer(&query, index, &counts, today)).collect();
    Ok(Json(Answer { data, window_type }))
}

/// The answer where there are no events.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn empty_answer(mut parameters: Parameters, today: Date) {
    let (query, _) = Query::take(&mut parameters);
    if parameters.finish().is_ok() {
        let _ = AllSeries::of(&query);
        (0..query.cohorts).for_each(|cohort| drop(answer(&query, cohort, &Counts::new(), today)));
    }
}

fn answer(query: &Query, cohort: usize, counts: &Counts, today: Date) -> CohortAnswer {
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

/// Two decimals, halves away from zero.
fn percent(part: u64, whole: u64) -> f64 {
    (10_000.0 * part as f64 / whole as f64).round() / 100.0
}

/// The bitmaps of one event type, or of all: one a window, and one for all days before.
struct Series {
    name: Option<String>,
    from: Date,
    before: RoaringBitmap,
    windows: Vec<RoaringBitmap>,
}

/// The distinct series that a query needs.
struct AllSeries(Vec<Series>);

impl AllSeries {
    fn of(query: &Query) -> Self {
        let mut all = Self(Vec::new());
        for name in [&query.event_type, &query.return_event_type] {
            all.need(query, name.clone(), query.windows.first(0));
        }
        if query.cohort == Cohort::New {
            all.need(query, None, FIRST_DAY);
        }
        all
    }

    fn need(&mut self, query: &Query, name: Option<String>, from: Date) {
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

async fn from_rollups(reads: &ReadPool, project: &Project, query: &Query) -> Result<Counts, ApiError> {
    let mut all = AllSeries::of(query);
    load(reads, project, query, &mut all).await?;
    let (Some(comers), Some(returners)) = (all.named(query.event_type.as_deref()), all.named(query.return_event_type.as_deref()))
    else {
        return Ok(Counts::new());
    };
    let everyone = all.named(None).filter(|_| query.cohort == Cohort::New);
    let mut seen_before = everyone.map(|series| series.before.clone()).unwrap_or_default();
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

/// Unites the stored days into the windows of each series, as they arrive.
async fn load(reads: &ReadPool, project: &Project, query: &Query, all: &mut AllSeries) -> Result<(), ApiError> {
    let last = query.windows.last(query.windows.len() - 1).to_sqlx();
    let numbers: Vec<i32> = (0..).take(all.0.len()).collect();
    let names: Vec<Option<String>> = all.0.iter().map(|series| series.name.clone()).collect();
    let from: Vec<_> = all.0.iter().map(|series| series.from.to_sqlx()).collect();
    let to = vec![last; all.0.len()];
    let mut connection = reads.acquire(project.id).await?;
    let mut rows = sqlx::query_file!("sql/stats/retention.sql", project.id.0, &numbers, &names as _, &from as _, &to as _)
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
    connection.answered();
    Ok(())
}

async fn from_events(reads: &ReadPool, project: &Project, query: &Query) -> Result<Counts, ApiError> {
    let windows = 0..query.windows.len();
    let from: Vec<_> = windows.clone().map(|window| query.windows.first(window).to_sqlx()).collect();
    let to: Vec<_> = windows.map(|window| query.windows.last(window).to_sqlx()).collect();
    let mut connection = reads.acquire(project.id).await?;
    let rows = sqlx::query_file!(
        "sql/rows/retention.sql",
        project.id.0,
        &from as _,
        &to as _,
        query.cohorts as i64,
        query.follow as i64,
        project.zone()?.name,
        query.event_type.as_deref(),
        query.return_event_type.as_deref(),
        query.cohort == Cohort::New
    )
    .fetch_all(&mut *connection)
    .await?;
    connection.answered();
    // Counts and places are never negative; SQL counts cohorts from 1.
    let number = |number: i64| usize::try_from(number).unwrap_or(0);
    Ok(rows.into_iter().map(|row| ((number(row.cohort) - 1, number(row.window)), number(row.users) as u64)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_have_two_decimals() {
        assert_eq!([percent(33, 80), percent(1, 3), percent(2, 3), percent(80, 80)], [41.25, 33.33, 66.67, 100.0]);
    }
}
