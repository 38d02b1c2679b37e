//! The properties of the newest events of a type.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::auth::Zone;
use crate::error::ApiError;
use crate::parameters::{Param, Parameters};
use crate::problem::clipped;
use crate::query::format::{Cell, Table};
use crate::query::question::{Answer, Asker, Question};
use crate::query::rows::event::Event;
use crate::query::rows::page;
use crate::query::rows::selection::Selection;

const NAME: Param = Param::new(&["name"], "The event type.");

/// Number of events that are read.
const SAMPLED_EVENTS: usize = 1_000;
/// Maximum number of listed properties, the most frequent ones.
const MAX_PROPERTIES: usize = 200;
/// Properties that are counted at most: those that were met first. Each takes about half a kilobyte while the
/// answer is made, and events can have names that never occur again.
const MAX_COUNTED_PROPERTIES: usize = 10_000;
/// Frequent values that are listed of each property.
const MAX_VALUES: usize = 10;

/// `GET /event-types/{name}/properties`
pub(crate) struct EventTypeProperties {
    event_type: String,
}

/// The properties in the newest events of a type, the most frequent first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PropertiesAnswer {
    event_type: String,
    /// The number of events that were read, at most 1,000.
    events_sampled: usize,
    data: Vec<Property>,
}

/// A property.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct Property {
    property: String,
    /// The JSON types of its values.
    types: Vec<&'static str>,
    /// The share of the events that have it, from 0 to 1, with four decimals.
    share: f64,
    /// Its most frequent values that are texts, numbers or booleans. Texts are cut to 200 characters.
    values: Vec<ValueCount>,
}

/// The number of events in which a property has a value.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct ValueCount {
    #[schema(value_type = Value)]
    value: Value,
    count: usize,
}

impl Question for EventTypeProperties {
    type Answer = PropertiesAnswer;
    const ID: &'static str = "event_type_properties";
    const PATH: &'static str = "/event-types/{name}/properties";
    const SUMMARY: &'static str = "Properties of an event type";
    const ABOUT: &'static str = "Looks at the newest 1,000 events of a type and lists the properties they have, with their JSON types and \
                                 most frequent values.";
    const READS_ROWS: bool = true;

    fn take(parameters: &mut Parameters, _: &Zone) -> Self {
        Self { event_type: parameters.required_text(NAME) }
    }

    async fn answer(self, asker: &Asker) -> Result<PropertiesAnswer, ApiError> {
        let events = page::newest(asker, Selection::of_type(self.event_type.clone()), SAMPLED_EVENTS).await?;
        let events_sampled = events.len();
        // To parse megabytes would hold up the requests of others.
        let summing_up =
            tokio::task::spawn_blocking(move || summary(counted(events.iter().map(Event::properties)), events.len()));
        let data = summing_up.await.map_err(ApiError::internal)?;
        Ok(PropertiesAnswer { event_type: self.event_type, events_sampled, data })
    }
}

/// The counts of one property.
#[derive(Default)]
struct Counted {
    events: usize,
    types: BTreeSet<&'static str>,
    values: HashMap<String, usize>,
}

fn counted<'a>(events: impl Iterator<Item = &'a RawValue>) -> BTreeMap<String, Counted> {
    let mut counted: BTreeMap<String, Counted> = BTreeMap::new();
    for properties in events {
        // Properties were validated when they were accepted, so they are always an object.
        let Ok(Value::Object(properties)) = serde_json::from_str(properties.get()) else { continue };
        for (name, value) in properties {
            if counted.len() == MAX_COUNTED_PROPERTIES && !counted.contains_key(&name) {
                continue;
            }
            let property = counted.entry(name).or_default();
            property.events += 1;
            property.types.insert(type_of(&value));
            if let Some(value) = scalar(value) {
                *property.values.entry(value.to_string()).or_default() += 1;
            }
        }
    }
    counted
}

/// The most frequent properties of `sampled` events.
fn summary(counted: BTreeMap<String, Counted>, sampled: usize) -> Vec<Property> {
    let mut data: Vec<_> = counted.into_iter().collect();
    data.sort_by(|(a_name, a), (b_name, b)| b.events.cmp(&a.events).then_with(|| a_name.cmp(b_name)));
    data.truncate(MAX_PROPERTIES);
    data.into_iter().map(|(name, counted)| property(name, counted, sampled)).collect()
}

fn property(name: String, counted: Counted, sampled: usize) -> Property {
    let mut values: Vec<_> = counted.values.into_iter().collect();
    values.sort_by(|(a_value, a), (b_value, b)| b.cmp(a).then_with(|| a_value.cmp(b_value)));
    values.truncate(MAX_VALUES);
    let value = |(value, count): (String, usize)| ValueCount { value: serde_json::from_str(&value).unwrap_or_default(), count };
    Property {
        property: name,
        types: counted.types.into_iter().collect(),
        share: (10_000.0 * counted.events as f64 / sampled as f64).round() / 10_000.0,
        values: values.into_iter().map(value).collect(),
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The text of a string, number or boolean; `None` for other values.
fn scalar(value: Value) -> Option<Value> {
    match value {
        Value::String(text) => Some(Value::String(clipped(&text).into_owned())),
        Value::Bool(_) | Value::Number(_) => Some(value),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

impl Answer for PropertiesAnswer {
    const IS_TABLE: bool = true;

    /// One row for each property, without its values, because a property may have several.
    fn table(&self) -> Option<Table> {
        let row = |found: &Property| {
            vec![Cell::text(Some(&found.property)), Cell::plain(found.types.join(" ")), Cell::plain(found.share)]
        };
        Some(Table::new(&["property", "types", "share"], self.data.iter().map(row).collect()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn properties_are_counted_by_event() {
        let events = [r#"{"plan":"pro","seats":3}"#, r#"{"plan":"pro","seats":null}"#, r#"{"plan":"free"}"#, "{}"];
        let events: Vec<Box<RawValue>> = events.map(|event| RawValue::from_string(event.to_owned()).unwrap()).into();
        let found = serde_json::to_value(summary(counted(events.iter().map(AsRef::as_ref)), 4)).unwrap();
        let expected = json!([
            {"property": "plan", "types": ["string"], "share": 0.75,
             "values": [{"value": "pro", "count": 2}, {"value": "free", "count": 1}]},
            {"property": "seats", "types": ["null", "number"], "share": 0.5, "values": [{"value": 3, "count": 1}]},
        ]);
        assert_eq!(found, expected);
    }

    #[test]
    fn names_that_never_occur_again_do_not_hide_the_others() {
        let unique = |event: usize| (0..4_000).map(move |number| format!(r#","n{event}-{number}":1"#)).collect::<String>();
        let event = |event| RawValue::from_string(format!(r#"{{"plan":"pro"{}}}"#, unique(event))).unwrap();
        let events: Vec<Box<RawValue>> = (0..5).map(event).collect();
        let counted = counted(events.iter().map(AsRef::as_ref));
        assert_eq!(counted.len(), MAX_COUNTED_PROPERTIES);
        let found = summary(counted, 5);
        assert_eq!((found.len(), found[0].property.as_str(), found[0].share), (MAX_PROPERTIES, "plan", 1.0));
    }
}
