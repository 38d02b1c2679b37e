//! Trends: the number of events or people by hour, day, week or month.
//!
//! Without filter and breakdown, events are counted from the rollups, and so are people in days, weeks and
//! months. Everything else is counted from the rows, events by PostgreSQL and people by the API, and cached
//! for a few seconds.

mod rollups;
mod rows;
mod series;
mod users;

use jiff::Timestamp;
use rollcall_shared::project::ProjectId;
use serde::Serialize;
use utoipa::ToSchema;

pub(crate) use self::series::Series;
use self::series::Tally;
use super::bucket::{Buckets, Interval};
use super::filter::{Filters, Property, take_breakdown};
use super::format::{Cell, Table};
use super::kept;
use super::period::{self, Period};
use super::question::{Answer, Asker, Question};
use super::recent::Weighed;
use super::rows::span::TimeSpan;
use super::source::Source;
use super::type_number;
use crate::auth::Zone;
use crate::error::ApiError;
use crate::parameters::{Param, Parameters};

const METRIC: Param = Param::new(&["metric"], "What to count: events, or the different people who had one.");
const EVENT_TYPE: Param = Param::new(
    &["event_type"],
    "Count events of this type only. Where it is sent several times, each type is a series; without it, all events together are one.",
);
const INTERVAL: Param = Param::new(
    &["interval"],
    "How the period is cut: into hours, days, ISO weeks (from Monday) or months of the project's time zone.",
);
const BREAKDOWN: Param = Param::new(
    &["breakdown"],
    "A property of the events, as a path such as `cart.currency`: its 20 largest values and all others together are series of their own.",
);

/// Maximum number of days of a period with hourly buckets.
const MAX_DAYS_OF_HOURS: i64 = 31;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema, strum::EnumString, strum::VariantNames, strum::Display)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub(crate) enum Metric {
    Events,
    /// Different people. The total counts a person who was active on two days once.
    Users,
}

/// The series of a period, and their totals.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct TrendsAnswer {
    data: Vec<Series>,
    metric: Metric,
    interval: Interval,
    /// When the answer was computed.
    as_of: Timestamp,
}

/// `GET /stats/trends`
pub(crate) struct Trends {
    metric: Metric,
    /// The requested types; empty for all types together.
    event_types: Vec<String>,
    interval: Interval,
    period: Period,
    filters: Filters,
    breakdown: Option<Property>,
    source: Source,
}

/// The event types of the series in order, with their numbers in the database.
#[derive(Debug)]
struct Types(Vec<Type>);

#[derive(Debug)]
struct Type {
    /// `None` for all types together.
    name: Option<String>,
    /// 0 for all types together; `None` for a type that was never stored.
    number: Option<i32>,
}

/// What to count.
#[derive(Clone, Copy)]
struct Counting<'a> {
    project: ProjectId,
    trends: &'a Trends,
    types: &'a Types,
    buckets: &'a Buckets,
}

impl Question for Trends {
    type Answer = TrendsAnswer;
    const ID: &'static str = "trends";
    const PATH: &'static str = "/stats/trends";
    const SUMMARY: &'static str = "Events or people over time";
    const ABOUT: &'static str = "Counts events, or different people, in each hour, day, week or month of a period, with the total of \
                                 the whole period. Hours are for periods of up to 31 days. A breakdown gives a series to each of the \
                                 20 largest values of a property; the last series, named `other`, holds the remaining values, if \
                                 there are more. The value is null for events without the property.";
    const READS_ROWS: bool = true;
    const NEEDS_WHOLE_PERIOD: bool = true;

    fn take(parameters: &mut Parameters, zone: &Zone) -> Self {
        let metric = parameters.one_of(METRIC, Metric::Events);
        let mut event_types = Vec::new();
        for name in parameters.repeated(EVENT_TYPE) {
            if !event_types.contains(&name) {
                event_types.push(name);
            }
        }
        let interval = parameters.one_of(INTERVAL, Interval::Day);
        let period = Period::take(parameters, zone.calendar.today());
        if interval == Interval::Hour && period.days() > MAX_DAYS_OF_HOURS {
            let message = format!("a period that is cut into hours must be 1 to {MAX_DAYS_OF_HOURS} days");
            parameters.problem(INTERVAL.name(), "out_of_range", message);
        }
        let filters = Filters::take(parameters);
        let breakdown = take_breakdown(parameters, BREAKDOWN);
        Self { metric, event_types, interval, period, filters, breakdown, source: Source::take(parameters) }
    }

    async fn answer(self, asker: &Asker) -> Result<TrendsAnswer, ApiError> {
        let has_rollup = self.metric == Metric::Events || self.interval != Interval::Hour;
        let is_in_rollups = self.filters.is_empty() && self.breakdown.is_none() && has_rollup;
        match self.source {
            Source::Rollups if is_in_rollups => self.compute(asker, true).await,
            Source::Rollups => asker.answering.recent.trends.get(asker, self.compute(asker, false)).await,
            Source::Events => self.compute(asker, false).await,
        }
    }
}

impl Trends {
    async fn compute(&self, asker: &Asker, from_rollups: bool) -> Result<TrendsAnswer, ApiError> {
        let buckets = Buckets::new(self.period, self.interval, asker.project.zone()?.calendar.time_zone());
        let needs_memory = !from_rollups && self.metric == Metric::Users;
        let _turn = if needs_memory { Some(asker.answering.turns.take(asker.project.id).await?) } else { None };
        let as_of = super::recent::now();
        let mut connection = asker.connection().await?;
        let types = self.types(&mut connection, asker).await?;
        let counting = Counting { project: asker.project.id, trends: self, types: &types, buckets: &buckets };
        let tally = match (from_rollups, self.metric) {
            _ if types.numbers().is_empty() => counting.nothing(),
            (true, Metric::Events) if self.interval == Interval::Hour => rollups::count_hours(&mut connection, counting).await?,
            (true, Metric::Events) => rollups::count(&mut connection, counting).await?,
            (true, Metric::Users) => rollups::unite_users(&mut connection, counting).await?,
            (false, Metric::Events) => rows::count(&mut connection, counting).await?,
            (false, Metric::Users) => users::count(&mut connection, counting).await?,
        };
        if !from_rollups {
            let read = TimeSpan { from_us: buckets.start().as_microsecond(), to_us: buckets.end().as_microsecond() };
            read.refuse_archived(asker.project.id, &mut connection).await?;
        }
        let source = if from_rollups { Source::Rollups } else { Source::Events };
        kept::check(asker, connection, source, self.period.from(), period::FROM.name()).await?;
        let data = tally.into_series(&types.names(), &buckets, self.breakdown.is_some());
        Ok(TrendsAnswer { data, metric: self.metric, interval: self.interval, as_of })
    }

    async fn types(&self, connection: &mut sqlx::PgConnection, asker: &Asker) -> Result<Types, ApiError> {
        if self.event_types.is_empty() {
            return Ok(Types(vec![Type { name: None, number: Some(0) }]));
        }
        let numbers = type_number::numbers(connection, asker.project.id, &self.event_types).await?;
        let of = |name: &String| Type { name: Some(name.clone()), number: numbers.get(name).copied() };
        Ok(Types(self.event_types.iter().map(of).collect()))
    }
}

impl Counting<'_> {
    /// A tally without events.
    fn nothing(self) -> Tally {
        Tally::new(self.buckets.labels().len())
    }
}

impl Types {
    fn names(&self) -> Vec<Option<String>> {
        self.0.iter().map(|one| one.name.clone()).collect()
    }

    /// The numbers of the types that have stored events.
    fn numbers(&self) -> Vec<i32> {
        self.0.iter().filter_map(|one| one.number).collect()
    }

    /// The same numbers, or `None` for all types together.
    fn chosen(&self) -> Option<Vec<i32>> {
        let numbers = self.numbers();
        (numbers != [0]).then_some(numbers)
    }

    fn place(&self, number: i32) -> Option<usize> {
        self.0.iter().position(|one| one.number == Some(number))
    }
}

impl Answer for TrendsAnswer {
    const IS_TABLE: bool = true;

    fn table(&self) -> Option<Table> {
        let rows = self.data.iter().flat_map(|series| {
            series.points().iter().map(|point| {
                let names = [series.event_type(), series.value()].map(Cell::text);
                let numbers = [Cell::plain(&point.at), Cell::plain(point.value), Cell::plain(series.total())];
                names.into_iter().chain(numbers).collect()
            })
        });
        Some(Table::new(&["event_type", "value", "at", self.metric.to_string().as_str(), "total"], rows.collect()))
    }
}

impl Weighed for TrendsAnswer {
    fn bytes(&self) -> usize {
        self.data.iter().map(Series::bytes).sum()
    }
}

/// The answer for a project without events.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn empty_answer(mut parameters: Parameters, zone: &Zone) {
    let trends = Trends::take(&mut parameters, zone);
    if parameters.finish().is_ok() {
        let buckets = Buckets::new(trends.period, trends.interval, zone.calendar.time_zone());
        let series = Tally::new(buckets.labels().len()).into_series(&[None], &buckets, false);
        assert!((1..=1100).contains(&series[0].points().len()));
    }
}
