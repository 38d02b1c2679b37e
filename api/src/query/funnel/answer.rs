//! The answer to a funnel.

use std::borrow::Cow;
use std::cmp::Reverse;

use jiff::Timestamp;
use serde::Serialize;
use utoipa::openapi::schema::AnyOfBuilder;
use utoipa::openapi::{ArrayBuilder, Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::tally::{Tallies, Tally};
use crate::problem::clipped;
use crate::query::format::{Cell, Table};
use crate::query::percent::percent;
use crate::query::question::Answer;
use crate::query::recent::Weighed;
use crate::query::value::{MAX_NAMED, OTHER};

/// How many people reached each step.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct FunnelAnswer {
    data: Data,
    within_seconds: u64,
    /// Whether the time for all steps is over for everybody who entered in the period.
    complete: bool,
    /// When the answer was computed.
    as_of: Timestamp,
}

#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub(crate) enum Data {
    /// Without a breakdown.
    Steps(Vec<Step>),
    /// With a breakdown, the largest value first. All values without their own funnel are the last entry, named
    /// `other`.
    Values(Vec<OfValue>),
}

/// The derived schema would demand exactly one of the two kinds, and an empty list is both.
impl PartialSchema for Data {
    fn schema() -> RefOr<Schema> {
        let list = |item, about| ArrayBuilder::new().items(Ref::from_schema_name(item)).description(Some(about));
        let steps = list(Step::name(), "Without a breakdown.");
        let values = list(
            OfValue::name(),
            "With a breakdown, the largest value first. All values without their own funnel are the last entry, named `other`.",
        );
        AnyOfBuilder::new().item(steps).item(values).into()
    }
}

impl ToSchema for Data {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("FunnelEntry")
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.extend([(Step::name().into_owned(), Step::schema()), (OfValue::name().into_owned(), OfValue::schema())]);
        OfValue::schemas(schemas);
    }
}

/// The funnel of the people who entered with one value of the property.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct OfValue {
    /// Null for entries without the property. Values longer than 200 characters are cut.
    value: Option<String>,
    steps: Vec<Step>,
}

/// The people who reached one step.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Step {
    /// The event type.
    step: String,
    users: u64,
    /// The percentage of the users of the first step, with two decimals.
    percent_of_first: f64,
    /// The percentage of the users of the previous step, with two decimals.
    percent_of_previous: f64,
    /// The median of the seconds since the previous step; null for the first step, and if nobody reached this
    /// one.
    median_seconds: Option<f64>,
}

impl FunnelAnswer {
    /// The answer for these tallies. With a breakdown, `values` are the texts of the values by their numbers.
    pub(super) fn new(steps: &[String], tallies: Tallies, values: Option<Vec<Option<String>>>) -> Self {
        let data = match values {
            None => Data::Steps(answer_steps(steps, tallies.total())),
            Some(texts) => Data::Values(answer_values(steps, tallies, &texts)),
        };
        Self { data, within_seconds: 0, complete: false, as_of: Timestamp::UNIX_EPOCH }
    }

    pub(super) fn with(self, within_seconds: u64, complete: bool, as_of: Timestamp) -> Self {
        Self { within_seconds, complete, as_of, ..self }
    }
}

fn answer_steps(steps: &[String], mut tally: Tally) -> Vec<Step> {
    let answer = |(place, step): (usize, &String)| Step {
        step: step.clone(),
        users: tally.users[place],
        percent_of_first: percent(tally.users[place], tally.users[0]),
        percent_of_previous: percent(tally.users[place], tally.users[place.saturating_sub(1)]),
        median_seconds: tally.median_seconds(place),
    };
    steps.iter().enumerate().map(answer).collect()
}

fn answer_values(steps: &[String], tallies: Tallies, texts: &[Option<String>]) -> Vec<OfValue> {
    let mut values: Vec<(Option<&str>, Tally)> =
        tallies.by_value().map(|(number, tally)| (texts.get(number).and_then(Option::as_deref), tally)).collect();
    // Values of equal size are sorted by name, with null last.
    values.sort_by_key(|(text, tally)| (Reverse(tally.users[0]), text.is_none(), *text));
    let mut rest = values.split_off(values.len().min(MAX_NAMED)).into_iter().map(|(_, tally)| tally);
    let other = rest.next().map(|first| {
        rest.fold(first, |mut other, tally| {
            other.merge(tally);
            other
        })
    });
    let named = values.into_iter().map(|(text, tally)| (text.map(|text| clipped(text).into_owned()), tally));
    let other = other.map(|tally| (Some(OTHER.to_owned()), tally));
    named.chain(other).map(|(value, tally)| OfValue { value, steps: answer_steps(steps, tally) }).collect()
}

impl FunnelAnswer {
    fn values(&self) -> Vec<(Option<&str>, &[Step])> {
        match &self.data {
            Data::Steps(steps) => vec![(None, steps.as_slice())],
            Data::Values(values) => values.iter().map(|of| (of.value.as_deref(), of.steps.as_slice())).collect(),
        }
    }
}

impl Answer for FunnelAnswer {
    const IS_TABLE: bool = true;

    fn table(&self) -> Option<Table> {
        let columns = ["value", "step", "users", "percent_of_first", "percent_of_previous", "median_seconds"];
        let row = |value: Option<&str>, step: &Step| {
            vec![
                Cell::text(value),
                Cell::text(Some(&step.step)),
                Cell::plain(step.users),
                Cell::plain(step.percent_of_first),
                Cell::plain(step.percent_of_previous),
                step.median_seconds.map_or(Cell::Empty, Cell::plain),
            ]
        };
        let is_broken_down = matches!(self.data, Data::Values(_));
        let rows = self.values().into_iter().flat_map(|(value, steps)| steps.iter().map(move |step| row(value, step)));
        let skipped = usize::from(!is_broken_down);
        Some(Table::new(&columns[skipped..], rows.map(|row| row[skipped..].to_vec()).collect()))
    }
}

impl Weighed for FunnelAnswer {
    fn bytes(&self) -> usize {
        let bytes = |(value, steps): (Option<&str>, &[Step])| {
            let names = steps.iter().map(|step| step.step.len() + size_of::<Step>());
            value.map_or(0, str::len) + size_of::<OfValue>() + names.sum::<usize>()
        };
        self.values().into_iter().map(bytes).sum()
    }
}
