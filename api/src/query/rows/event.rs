//! An event in answers.

use jiff::Timestamp;
use jiff_sqlx::Timestamp as SqlTimestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::FromRow;
use sqlx::types::Json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::query::format::Cell;

/// An event with the ids that the client sent.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Event {
    event_id: String,
    event_type: String,
    user_id: Option<String>,
    anonymous_id: Option<String>,
    session_id: Option<String>,
    account_id: Option<String>,
    /// When it happened according to the client, in UTC.
    occurred_at: Timestamp,
    /// When Rollcall received it, in UTC.
    received_at: Timestamp,
    /// A JSON object, byte for byte as it was sent.
    #[schema(value_type = Object)]
    properties: Box<RawValue>,
}

/// The columns of [`Event::table`].
pub(crate) const COLUMNS: [&str; 9] =
    ["event_id", "event_type", "user_id", "anonymous_id", "session_id", "account_id", "occurred_at", "received_at", "properties"];

/// An event as the statement returns it.
#[derive(Debug, FromRow)]
pub(super) struct EventRow {
    pub(super) event_id: Uuid,
    client_event_id: Option<String>,
    event_type: String,
    user_id: Option<String>,
    anonymous_id: Option<String>,
    session_id: Option<String>,
    account_id: Option<String>,
    occurred_at: SqlTimestamp,
    received_at: SqlTimestamp,
    properties: Json<Box<RawValue>>,
}

impl EventRow {
    /// When it happened, in microseconds.
    pub(super) fn occurred_at_us(&self) -> i64 {
        self.occurred_at.to_jiff().as_microsecond()
    }

    /// Its approximate size in memory.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.properties.get().len()
    }
}

impl From<EventRow> for Event {
    fn from(row: EventRow) -> Self {
        Self {
            event_id: row.client_event_id.unwrap_or_else(|| row.event_id.to_string()),
            event_type: row.event_type,
            user_id: row.user_id,
            anonymous_id: row.anonymous_id,
            session_id: row.session_id,
            account_id: row.account_id,
            occurred_at: row.occurred_at.to_jiff(),
            received_at: row.received_at.to_jiff(),
            properties: row.properties.0,
        }
    }
}

impl Event {
    /// A JSON object.
    pub(crate) fn properties(&self) -> &RawValue {
        &self.properties
    }

    /// Its cells in a table with [`COLUMNS`].
    pub(crate) fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::text(Some(&self.event_id)),
            Cell::text(Some(&self.event_type)),
            Cell::text(self.user_id.as_deref()),
            Cell::text(self.anonymous_id.as_deref()),
            Cell::text(self.session_id.as_deref()),
            Cell::text(self.account_id.as_deref()),
            Cell::plain(self.occurred_at),
            Cell::plain(self.received_at),
            Cell::plain(self.properties.get()),
        ]
    }
}
