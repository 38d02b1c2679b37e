//! Rows in PostgreSQL's binary COPY format, written straight from the decoded events.
//!
//! Source: PostgreSQL's documentation of COPY, "Binary Format". The columns stand in the order of
//! `copy_events.sql`, `copy_event_ids.sql`, `copy_sessions_delta.sql` and `copy_user_activity_delta.sql`.

use rollcall_shared::event::parse_uuid;
use sqlx::PgConnection;

use crate::store::new_event::NewEvent;
use crate::store::row::Row;
use crate::store::session::Session;
use crate::store::user_activity::UserActivity;

/// 2000-01-01, from which PostgreSQL counts times, in microseconds since 1970.
const POSTGRES_EPOCH_US: i64 = 946_684_800_000_000;
/// The same in days.
const POSTGRES_EPOCH_DAYS: i32 = 10_957;
/// Types of the elements of arrays. Source: PostgreSQL's `pg_type.dat`.
const INT8: i32 = 20;
const INT2: i32 = 21;
const INT4: i32 = 23;
const TEXT: i32 = 25;
const TIMESTAMPTZ: i32 = 1_184;
const UUID: i32 = 2_950;
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

/// Deltas of sessions, each with at least one session, as the body of one COPY.
pub(crate) fn encode_sessions(deltas: &[&[Session<'_>]]) -> Vec<u8> {
    let sessions: usize = deltas.iter().map(|delta| delta.len()).sum();
    body(deltas, sessions * 128 / deltas.len().max(1), sessions_delta)
}

/// Deltas of users, each with at least one user, as the body of one COPY.
pub(crate) fn encode_user_activity(deltas: &[&[UserActivity]]) -> Vec<u8> {
    let users: usize = deltas.iter().map(|delta| delta.len()).sum();
    body(deltas, 160 + users * 44 / deltas.len().max(1), user_activity_delta)
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
    field(out, &timestamp(event.occurred_at_us));
    field(out, &timestamp(event.received_at_us));
    field(out, new.row.identity.id.as_bytes());
    let written = parse_uuid(&event.id.0).is_none().then_some(&event.id);
    for text in
        [written, event.user_id.as_ref(), event.anonymous_id.as_ref(), event.session_id.as_ref(), event.account_id.as_ref()]
    {
        optional(out, text.map(|text| text.0.as_bytes()));
    }
    field(out, event.properties.get().as_bytes());
}

fn sessions_delta(out: &mut Vec<u8>, delta: &&[Session<'_>]) {
    let ([first, ..], [.., last]) = (delta, delta) else { return };
    out.extend_from_slice(&12_i16.to_be_bytes());
    field(out, &first.project.0.to_be_bytes());
    field(out, first.session_id.as_bytes());
    field(out, last.session_id.as_bytes());
    field(out, &(delta.len() as i32).to_be_bytes());
    array(out, TEXT, delta, |out, session| field(out, session.session_id.as_bytes()));
    array(out, TEXT, delta, |out, session| optional(out, session.user.map(|user| user.id)));
    array(out, INT2, delta, |out, session| field(out, &session.user_rank().to_be_bytes()));
    array(out, TIMESTAMPTZ, delta, |out, session| optional(out, session.user.map(|user| timestamp(user.at_us))));
    array(out, UUID, delta, |out, session| optional(out, session.user.map(|user| user.event_id)));
    array(out, TIMESTAMPTZ, delta, |out, session| field(out, &timestamp(session.started_at_us)));
    array(out, TIMESTAMPTZ, delta, |out, session| field(out, &timestamp(session.last_event_at_us)));
    array(out, INT8, delta, |out, session| field(out, &session.events.to_be_bytes()));
}

fn user_activity_delta(out: &mut Vec<u8>, delta: &&[UserActivity]) {
    let ([first, ..], [.., last]) = (delta, delta) else { return };
    out.extend_from_slice(&8_i16.to_be_bytes());
    field(out, &first.project.0.to_be_bytes());
    field(out, &first.user_ord.to_be_bytes());
    field(out, &last.user_ord.to_be_bytes());
    field(out, &(delta.len() as i32).to_be_bytes());
    array(out, INT4, delta, |out, user| field(out, &user.user_ord.to_be_bytes()));
    array(out, TIMESTAMPTZ, delta, |out, user| field(out, &timestamp(user.first_seen_us)));
    array(out, TIMESTAMPTZ, delta, |out, user| field(out, &timestamp(user.last_seen_us)));
    array(out, INT8, delta, |out, user| field(out, &user.events.to_be_bytes()));
}

/// An array of one dimension with an element for each item.
fn array<T>(out: &mut Vec<u8>, element_type: i32, items: &[T], element: impl Fn(&mut Vec<u8>, &T)) {
    let begin = out.len();
    // The length in bytes is filled in at the end. The header then says: one dimension, there may be nulls,
    // the number of items, indexes begin with 1.
    out.extend_from_slice(&[0; 4]);
    for number in [1, 1, element_type, items.len() as i32, 1] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    for item in items {
        element(out, item);
    }
    let length = (out.len() - begin - 4) as i32;
    out[begin..begin + 4].copy_from_slice(&length.to_be_bytes());
}

/// A point in time, in microseconds since 2000-01-01.
fn timestamp(at_us: i64) -> [u8; 8] {
    (at_us - POSTGRES_EPOCH_US).to_be_bytes()
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
