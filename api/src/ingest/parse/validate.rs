//! Validation: turns the raw fields of one event into a line of a chunk, or into the list of its problems.
//!
//! It is pure: the clock and random numbers come only through [`Rules`], and there is no input or output.

use std::borrow::Cow;

use rollcall_shared::event::{Event, Text, derived_id};
use rollcall_shared::field::Field;

use crate::auth::Horizon;
use crate::event_rules::{Check, Subject};
use crate::ingest::parse::batch_id::BatchId;
use crate::ingest::parse::judge::Judge;
use crate::ingest::parse::wire::WireEvent;
use crate::problem::Problem;

/// What the validation of an event depends on in addition to its own fields.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules<'a> {
    /// When the server received the request, in microseconds since 1970.
    pub(crate) received_at_us: i64,
    /// The batch, which provides the ids and times of events that came without.
    pub(crate) batch: BatchId,
    /// The key that the client chose. If there is one, it provides the ids instead.
    pub(crate) idempotency_key: Option<&'a str>,
    /// The first day whose events the project keeps, if it does not keep all.
    pub(crate) horizon: Option<Horizon>,
}

/// Validates the event at `index` of its batch, and checks it if it is valid. Appends its line to `lines` and returns
/// its id, or returns all its problems.
pub(crate) fn validate<'a, C: Check>(
    wire: &WireEvent<'a>,
    index: usize,
    rules: Rules<'_>,
    check: &mut C,
    lines: &mut Vec<u8>,
) -> Result<Cow<'a, str>, Vec<Problem>> {
    let mut judge = Judge::new(rules);
    if wire.is_no_object {
        judge.report(
            "",
            "not_an_object",
            "an event is a JSON object with at least event_type and one of user_id, anonymous_id, session_id",
        );
        return Err(judge.verdict(index, None));
    }
    for fault in &wire.faults {
        judge.fault(fault);
    }
    let event_id = wire.get(Field::EventId).and_then(|named| judge.event_id(named));
    let event_type = judge.event_type(wire);
    let [user_id, anonymous_id, session_id, account_id] =
        [Field::UserId, Field::AnonymousId, Field::SessionId, Field::AccountId].map(|field| judge.id(wire.get(field)));
    if [Field::UserId, Field::AnonymousId, Field::SessionId].iter().all(|field| wire.get(*field).is_none()) {
        judge.report("user_id", "required", "at least one of user_id, anonymous_id and session_id is required");
    }
    let occurred_at = wire.get(Field::OccurredAt);
    let occurred_at_us = match occurred_at {
        Some(named) => judge.time(named),
        // It is in the past if a batch is sent again with the key that the API had named.
        None => judge.kept(Field::OccurredAt.name(), rules.batch.received_at_us()),
    };
    let properties = judge.properties(wire);

    let (Some(event_type), Some(occurred_at_us), Some(properties), true) =
        (event_type, occurred_at_us, properties, judge.problems.is_empty())
    else {
        return Err(judge.verdict(index, event_id.as_deref()));
    };
    let has_id = event_id.is_some();
    let (id, chosen_by_client) = match (event_id, rules.idempotency_key) {
        (Some(id), _) => (id, true),
        (None, Some(key)) => (Cow::Owned(derived_id(key, index).to_string()), true),
        (None, None) => (Cow::Owned(rules.batch.event_id(index).to_string()), false),
    };
    let subject = Subject {
        id: &id,
        event_type: &event_type,
        type_field: wire.get(Field::EventType).map_or(Field::EventType.name(), |named| named.name),
        properties: &properties,
        properties_field: wire.get(Field::Properties).map_or(Field::Properties.name(), |named| named.name),
    };
    if let Some(problem) = check.check(&subject) {
        judge.problems.push(problem);
        return Err(judge.verdict(index, Some(&*id).filter(|_| has_id)));
    }
    let event = Event {
        id: Text(Cow::Borrowed(&id)),
        event_type: Text(event_type),
        user_id: user_id.map(Text),
        anonymous_id: anonymous_id.map(Text),
        session_id: session_id.map(Text),
        account_id: account_id.map(Text),
        occurred_at_us,
        received_at_us: rules.received_at_us,
        undated: chosen_by_client && occurred_at.is_none(),
        properties: &properties,
    };
    event.write_line(lines);
    Ok(id)
}
