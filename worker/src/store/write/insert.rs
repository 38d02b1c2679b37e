//! INSERT: the way in which small batches are written.
//!
//! The end of a COPY is a separate small packet. TCP holds it back until the previous packet is acknowledged,
//! and the other side delays the acknowledgement by 40 ms (Nagle's algorithm and delayed acknowledgements);
//! sqlx cannot turn that off. A large COPY is acknowledged while it is read and does not wait, but a small
//! one would take twenty times as long as necessary. An INSERT is one packet each way.

use rollcall_shared::event::{Text, parse_uuid};
use sqlx::PgConnection;

use crate::store::new_event::NewEvent;

/// Up to this many rows are inserted, more are copied. An INSERT costs PostgreSQL about 10 microseconds
/// more per row than a COPY, so beyond a few thousand rows it would cost more than the 40 ms.
pub(crate) const INSERT_MAX_ROWS: usize = 1_000;

/// Inserts the rows; returns how many the server counted.
pub(crate) async fn insert(connection: &mut PgConnection, events: &[NewEvent<'_, '_>]) -> Result<u64, sqlx::Error> {
    let mut written = Vec::with_capacity(events.len());
    for new in events {
        let id = &new.row.event.id;
        written.push(parse_uuid(&id.0).is_none().then(|| id.0.as_ref()));
    }
    let properties: Vec<_> = events.iter().map(|new| new.row.event.properties).collect();
    let inserted = sqlx::query_file!(
        "sql/store/insert_events.sql",
        &column(events, |new| new.row.identity.project.0),
        &column(events, |new| new.event_type_id),
        &column(events, |new| new.user_ord),
        &column(events, |new| new.row.event.occurred_at_us),
        &column(events, |new| new.row.event.received_at_us),
        &column(events, |new| new.row.identity.id),
        &written as _,
        &texts(events.iter().map(|new| new.row.event.user_id.as_ref())) as _,
        &texts(events.iter().map(|new| new.row.event.anonymous_id.as_ref())) as _,
        &texts(events.iter().map(|new| new.row.event.session_id.as_ref())) as _,
        &texts(events.iter().map(|new| new.row.event.account_id.as_ref())) as _,
        &properties as _,
    )
    .execute(connection)
    .await?;
    Ok(inserted.rows_affected())
}

fn column<'a, T, V>(items: &'a [T], value: impl Fn(&'a T) -> V) -> Vec<V> {
    items.iter().map(value).collect()
}

fn texts<'a>(texts: impl Iterator<Item = Option<&'a Text<'a>>>) -> Vec<Option<&'a str>> {
    texts.map(|text| text.map(|text| text.0.as_ref())).collect()
}
