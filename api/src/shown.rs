//! The JSON of one accepted event, in dead letters and live events.

use jiff::Timestamp;
use rollcall_shared::event::{Event, Text};
use serde::Serialize;
use serde::ser::{Error, Serializer};
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// An event with the field names of the API. It is not a [`serde_json::Value`], which cannot represent every
/// number that properties may contain.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AcceptedEvent)]
pub(crate) struct Shown<'e> {
    #[schema(value_type = String)]
    event_id: Text<'e>,
    #[schema(value_type = String)]
    event_type: Text<'e>,
    #[schema(value_type = Option<String>)]
    user_id: Option<Text<'e>>,
    #[schema(value_type = Option<String>)]
    anonymous_id: Option<Text<'e>>,
    #[schema(value_type = Option<String>)]
    session_id: Option<Text<'e>>,
    #[schema(value_type = Option<String>)]
    account_id: Option<Text<'e>>,
    occurred_at: Timestamp,
    received_at: Timestamp,
    #[schema(value_type = Object)]
    #[serde(serialize_with = "as_json")]
    properties: &'e str,
}

impl<'e> From<Event<'e>> for Shown<'e> {
    fn from(event: Event<'e>) -> Self {
        let time = |microseconds| Timestamp::from_microsecond(microseconds).unwrap_or_default();
        Self {
            event_id: event.id,
            event_type: event.event_type,
            user_id: event.user_id,
            anonymous_id: event.anonymous_id,
            session_id: event.session_id,
            account_id: event.account_id,
            occurred_at: time(event.occurred_at_us),
            received_at: time(event.received_at_us),
            properties: event.properties,
        }
    }
}

/// Writes the text of a JSON value as it is.
fn as_json<S: Serializer>(json: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serde_json::from_str::<&RawValue>(json).map_err(S::Error::custom)?.serialize(serializer)
}
