//! Rows in PostgreSQL's binary COPY format, written straight from the decoded events.
//!
//! Source: PostgreSQL's documentation of COPY, "Binary Format". The columns stand in the order of
//! `copy_events.sql` and `copy_event_ids.sql`.

use rollcall_shared::event::parse_uuid;
use sqlx::PgConnection;

use crate::store::new_event::NewEvent;
use crate::store::row::Row;
use crate::store::write::timestamp::TimestampTz;

/// 2000-01-01, from which PostgreSQL counts days, in days since 1970.
const POSTGRES_EPOCH_DAYS: i32 = 10_957;
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";

/// Sends the body of one COPY from standard input; returns how many rows the server counted.
///
/// # Errors
/// Those of the server and the connection. The connection may be left inside the COPY, so it must be
/// closed.
pub(crate) async fn run(connection: &mut PgConnection, statement: &'static str, body: Vec<u8>) -> Result<u64, sqlx::Error> {
    let mut copy = connection.copy_in_raw(statement).await?;
    copy.send(body).await?;
    copy.finish().await
}

/// The rows as the body of one COPY.
pub(crate) fn encode(events: &[NewEvent<'_, '_>]) -> Vec<u8> {
    body(events, 384, row)
}

/// The identities of the rows as the body of one COPY.
pub(crate) fn encode_identities(rows: &[Row<'_>]) -> Vec<u8> {
    body(rows, 38, identity)
}

fn body<T>(items: &[T], bytes_of_one: usize, write: fn(&mut Vec<u8>, &T)) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + items.len() * bytes_of_one);
    out.extend_from_slice(SIGNATURE);
    out.extend_from_slice(&[0; 8]); // no flags, no header extension
    for item in items {
        write(&mut out, item);
    }
    out.extend_from_slice(&(-1_i16).to_be_bytes());
    out
}

fn identity(out: &mut Vec<u8>, row: &Row<'_>) {
    out.extend_from_slice(&3_i16.to_be_bytes());
    field(out, &row.identity.project.0.to_be_bytes());
    field(out, row.identity.id.as_bytes());
    field(out, &(row.identity.day.0 - POSTGRES_EPOCH_DAYS).to_be_bytes());
}

fn row(out: &mut Vec<u8>, new: &NewEvent<'_, '_>) {
    let event = &new.row.event;
    out.extend_from_slice(&12_i16.to_be_bytes());
    field(out, &new.row.identity.project.0.to_be_bytes());
    field(out, &new.event_type_id.to_be_bytes());
    field(out, &new.user_ord.to_be_bytes());
    field(out, &TimestampTz(event.occurred_at_us).to_bytes());
    field(out, &TimestampTz(event.received_at_us).to_bytes());
    field(out, new.row.identity.id.as_bytes());
    let written = parse_uuid(&event.id.0).is_none().then_some(&event.id);
    for text in
        [written, event.user_id.as_ref(), event.anonymous_id.as_ref(), event.session_id.as_ref(), event.account_id.as_ref()]
    {
        optional(out, text.map(|text| text.0.as_bytes()));
    }
    field(out, event.properties.as_bytes());
}

fn optional(out: &mut Vec<u8>, bytes: Option<impl AsRef<[u8]>>) {
    match bytes {
        Some(bytes) => field(out, bytes.as_ref()),
        None => out.extend_from_slice(&(-1_i32).to_be_bytes()),
    }
}

fn field(out: &mut Vec<u8>, bytes: &[u8]) {
    // The API bounds every field to 64 KiB.
    out.extend_from_slice(&(bytes.len() as i32).to_be_bytes());
    out.extend_from_slice(bytes);
}
