//! Rows in PostgreSQL's binary COPY format, written straight from the decoded events.
//!
//! Source: PostgreSQL's documentation of COPY, "Binary Format". The columns stand in the order of
//! `copy_events.sql`.

use rollcall_shared::event::{Text, parse_uuid};

use crate::rollup::NewEvent;

/// 2000-01-01, where PostgreSQL's clock begins, in microseconds since 1970.
const POSTGRES_EPOCH_US: i64 = 946_684_800_000_000;
const COLUMNS: i16 = 12;
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";

/// The rows as the body of one COPY.
pub(crate) fn encode(events: &[NewEvent<'_, '_>]) -> Vec<u8> {
    let mut out = Vec::with_capacity(events.len() * 384);
    out.extend_from_slice(SIGNATURE);
    out.extend_from_slice(&[0; 8]); // no flags, no header extension
    for event in events {
        row(&mut out, event);
    }
    out.extend_from_slice(&(-1_i16).to_be_bytes());
    out
}

fn row(out: &mut Vec<u8>, new: &NewEvent<'_, '_>) {
    let event = &new.row.event;
    out.extend_from_slice(&COLUMNS.to_be_bytes());
    field(out, &new.row.identity.project.0.to_be_bytes());
    field(out, &new.event_type_id.to_be_bytes());
    field(out, &new.user_ord.to_be_bytes());
    field(out, &(event.occurred_at_us - POSTGRES_EPOCH_US).to_be_bytes());
    field(out, &(event.received_at_us - POSTGRES_EPOCH_US).to_be_bytes());
    field(out, new.row.identity.id.as_bytes());
    let written = parse_uuid(&event.id.0).is_none().then_some(&event.id);
    for text in
        [written, event.user_id.as_ref(), event.anonymous_id.as_ref(), event.session_id.as_ref(), event.account_id.as_ref()]
    {
        optional(out, text);
    }
    field(out, event.properties.get().as_bytes());
}

fn optional(out: &mut Vec<u8>, text: Option<&Text<'_>>) {
    match text {
        Some(text) => field(out, text.0.as_bytes()),
        None => out.extend_from_slice(&(-1_i32).to_be_bytes()),
    }
}

fn field(out: &mut Vec<u8>, bytes: &[u8]) {
    // The API bounds every field to 64 KiB.
    out.extend_from_slice(&(bytes.len() as i32).to_be_bytes());
    out.extend_from_slice(bytes);
}
