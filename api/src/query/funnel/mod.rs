//! Funnels: how many people take one step after the other, and how long it takes them.
//!
//! The API reads the rows of the steps once, sorts them by person and time, and processes one person after the
//! other (`chain`). A join in PostgreSQL would take many times as long. If the rows need too much memory, the
//! people are divided into slices, which are processed one after the other.

mod answer;
mod chain;
mod rows;
mod tally;
mod within;

use std::fmt::Display;

use jiff::{SignedDuration, Timestamp, ToSpan};
use jiff_sqlx::ToSqlx;
use sqlx::PgConnection;

pub(crate) use self::answer::FunnelAnswer;
use self::chain::{MAX_STEPS, Rules};
use self::rows::{Slice, Wanted};
use self::tally::Tallies;
use self::within::Within;
use super::bucket::{Buckets, Interval};
use super::filter::{Filters, Property, take_breakdown};
use super::kept;
use super::period::{self, Period};
use super::question::{Asker, Question};
use super::rows::span::TimeSpan;
use super::source::Source;
use super::turn::Turn;
use super::type_number;
use super::value::Values;
use crate::auth::Zone;
use crate::error::ApiError;
use crate::parameters::{Param, Parameters};
use crate::read_pool::Connection;

const STEPS: Param = Param::new(
    &["steps"],
    "The event types of 2 to 10 steps, in order, separated by commas. For names that contain commas, send it once for each step.",
);
const BREAKDOWN: Param = Param::new(
    &["breakdown"],
    "A property of the event of the first step, as a path such as `cart.currency`: its 20 largest values and all others together get a \
     funnel of their own.",
);

/// Average number of events in a slice, 32 bytes each. A higher number means fewer passes over the rows of long
/// periods.
const MAX_OCCURRENCES: i64 = 4_000_000;
/// Maximum number of slices. Each slice is a pass over the rows.
const MAX_SLICES: i64 = 8;

/// `GET /stats/funnel`
pub(crate) struct Funnel {
    steps: Vec<String>,
    period: Period,
    within: Within,
    filters: Filters,
    breakdown: Option<Property>,
}

impl Question for Funnel {
    type Answer = FunnelAnswer;
    const ID: &'static str = "funnel";
    const PATH: &'static str = "/stats/funnel";
    const SUMMARY: &'static str = "How many people take one step after the other";
    const ABOUT: &'static str = "A person enters with an event of the first step within the period. A chain is one event for each step, in \
                                 order of time, no event used twice, all within a time from the first; later steps may happen after \
                                 the period. A person counts for every step that their deepest chain reaches; of equally deep chains the \
                                 one with the earliest entry gives the times. A filter applies to the events of all steps. `complete` is \
                                 false as long as somebody who entered in the period has time left.";
    const READS_ROWS: bool = true;
    const NEEDS_WHOLE_PERIOD: bool = true;

    fn take(parameters: &mut Parameters, zone: &Zone) -> Self {
        Self {
            steps: take_steps(parameters),
            period: Period::take(parameters, zone.calendar.today()),
            within: Within::take(parameters),
            filters: Filters::take(parameters),
            breakdown: take_breakdown(parameters, BREAKDOWN),
        }
    }

    async fn answer(self, asker: &Asker) -> Result<FunnelAnswer, ApiError> {
        asker.answering.recent.funnels.get(asker, self.compute(asker)).await
    }
}

fn take_steps(parameters: &mut Parameters) -> Vec<String> {
    let mut steps = parameters.repeated(STEPS);
    parameters.require(STEPS, !steps.is_empty());
    if let [joined] = steps.as_slice() {
        steps = joined.split(',').map(str::to_owned).collect();
    }
    let is_valid = (2..=MAX_STEPS).contains(&steps.len()) && steps.iter().all(|step| !step.is_empty());
    if !is_valid && !parameters.has_problem(STEPS) {
        let message = format!("must be 2 to {MAX_STEPS} event types, separated by commas, and none of them empty");
        parameters.problem(STEPS.name(), "out_of_range", message);
    }
    steps
}

impl Funnel {
    async fn compute(&self, asker: &Asker) -> Result<FunnelAnswer, ApiError> {
        let turn = asker.answering.turns.take(asker.project.id).await?;
        let as_of = super::recent::now();
        // Only the beginning and the end of the period are used, so any interval is right.
        let period = Buckets::new(self.period, Interval::Month, asker.project.zone()?.calendar.time_zone());
        let mut values = Values::default();
        let tallies = self.tallies(asker, &turn, &period, &mut values).await?;
        let is_complete = period.end().saturating_add(self.within()).unwrap_or(Timestamp::MAX) <= as_of;
        let values = self.breakdown.is_some().then(|| values.into_texts());
        Ok(FunnelAnswer::new(&self.steps, tallies, values).with(self.within.secs(), is_complete, as_of))
    }

    async fn tallies(&self, asker: &Asker, turn: &Turn, period: &Buckets, values: &mut Values) -> Result<Tallies, ApiError> {
        let mut connection = asker.connection().await?;
        let numbers = type_number::numbers(&mut connection, asker.project.id, &self.steps).await?;
        // No chain continues past a step without events. If the first step has no events, nothing needs to be
        // read.
        let known: Vec<i32> = self.steps.iter().map_while(|step| numbers.get(step).copied()).collect();
        let mut kinds: Vec<i32> = Vec::new();
        for number in &known {
            if !kinds.contains(number) {
                kinds.push(*number);
            }
        }
        if kinds.is_empty() {
            connection.answered();
            return Ok(Tallies::default());
        }
        let place = |number: &i32| kinds.iter().position(|kind| kind == number).unwrap_or(0) as u8;
        let micros = |instant: Timestamp| instant.as_microsecond();
        let rules = Rules {
            steps: known.iter().map(place).collect(),
            entries_us: period.ranges().into_iter().map(|range| micros(range.start)..micros(range.end)).collect(),
            within_us: self.within.micros(),
        };
        let wanted = Wanted {
            project: asker.project.id,
            kinds: &kinds,
            start: period.start(),
            end: period.end(),
            within: self.within(),
            breakdown: self.breakdown.as_ref(),
            filters: &self.filters,
        };
        let (tallies, connection) = self.read_and_add(connection, turn, &wanted, rules, values).await?;
        kept::check(asker, connection, Source::Events, self.period.from(), period::FROM.name()).await?;
        Ok(tallies)
    }

    /// Reads and processes one slice after the other, which limits the memory for rows.
    async fn read_and_add(
        &self,
        mut connection: Connection,
        turn: &Turn,
        wanted: &Wanted<'_>,
        rules: Rules,
        values: &mut Values,
    ) -> Result<(Tallies, Connection), ApiError> {
        let size = self.size(&mut connection, wanted).await?;
        let slices = size / MAX_OCCURRENCES + 1;
        if slices > MAX_SLICES {
            return Err(too_large(size));
        }
        let of = i32::try_from(slices).unwrap_or(i32::MAX);
        let room = if self.filters.is_empty() { usize::try_from(size / slices).unwrap_or(0) } else { 0 };
        let mut tallies = Tallies::default();
        for number in 0..of {
            turn.check()?;
            let mut occurrences = wanted.read(&mut connection, Slice { number, of }, values, room).await?;
            let (rules, turn) = (rules.clone(), turn.clone());
            let added = tokio::task::spawn_blocking(move || {
                tallies.add(&rules, &mut occurrences);
                // The events take their memory also if nobody waits for the answer any more.
                drop((occurrences, turn));
                tallies
            });
            tallies = added.await.map_err(ApiError::internal)?;
        }
        let last = wanted.end.saturating_add(wanted.within).unwrap_or(Timestamp::MAX);
        let read = TimeSpan { from_us: wanted.start.as_microsecond(), to_us: last.as_microsecond() };
        read.refuse_archived(wanted.project, &mut connection).await?;
        Ok((tallies, connection))
    }

    /// The number of events of the steps, without filters.
    async fn size(&self, connection: &mut PgConnection, wanted: &Wanted<'_>) -> Result<i64, ApiError> {
        let last = self.period.to().saturating_add(self.within.days().days());
        let (from, last) = (self.period.from().to_sqlx(), last.to_sqlx());
        let counted = sqlx::query_file_scalar!("sql/funnel/size.sql", wanted.project.0, wanted.kinds, from as _, last as _);
        Ok(counted.fetch_one(connection).await?)
    }

    fn within(&self) -> SignedDuration {
        SignedDuration::from_secs(self.within.secs().cast_signed())
    }
}

/// The error for a funnel of more events than the API processes.
fn too_large(events: impl Display) -> ApiError {
    ApiError::TooSlow(sqlx::Error::Protocol(format!("a funnel of {events} events")))
}

/// The answer for a project without events.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn empty_answer(mut parameters: Parameters, zone: &Zone) {
    let funnel = Funnel::take(&mut parameters, zone);
    if parameters.finish().is_ok() {
        assert!((2..=MAX_STEPS).contains(&funnel.steps.len()));
        drop(FunnelAnswer::new(&funnel.steps, Tallies::default(), funnel.breakdown.map(|_| Vec::new())));
    }
}
