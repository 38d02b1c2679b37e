//! A batch: the events of several messages as rows of one transaction.
//!
//! Texts are borrowed from the decompressed messages, so a batch of 20,000 events is a few buffers
//! and one vector of rows.

use rollcall_shared::chunk::{self, ChunkError};
use rollcall_shared::day::Day;
use rollcall_shared::event::{Event, identity};
use rollcall_shared::project::ProjectId;
use uuid::Uuid;

/// A message with its payload decompressed.
#[derive(Debug)]
pub(crate) struct Decoded {
    pub(crate) project: ProjectId,
    pub(crate) lines: Vec<u8>,
}

/// What makes an event the same event: project, day of identity, id. Sorted, this is the order in
/// which identities are claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Identity {
    pub(crate) project: ProjectId,
    pub(crate) day: Day,
    pub(crate) id: Uuid,
}

/// One event on its way into the database.
#[derive(Debug)]
pub(crate) struct Row<'a> {
    /// The place of its message among those of the batch.
    pub(crate) message: usize,
    pub(crate) identity: Identity,
    pub(crate) event: Event<'a>,
}

/// The rows of all messages, in the order of their arrival.
///
/// # Errors
/// Only if a line is not an event.
pub(crate) fn rows<'a>(decoded: &[&'a Decoded]) -> Result<Vec<Row<'a>>, ChunkError> {
    let mut rows = Vec::new();
    for (message, decoded) in decoded.iter().enumerate() {
        for event in chunk::events(&decoded.lines) {
            let event = event?;
            let identity = Identity { project: decoded.project, day: event.identity_day(), id: identity(&event.id.0) };
            rows.push(Row { message, identity, event });
        }
    }
    Ok(rows)
}

/// Sorts the rows by identity and keeps the first that arrived of each. Returns, sorted likewise,
/// which other messages have one of these events too.
pub(crate) fn sort_and_deduplicate(rows: &mut Vec<Row<'_>>) -> Vec<(Identity, usize)> {
    rows.sort_by_key(|row| row.identity);
    let mut repeats = Vec::new();
    rows.dedup_by(|later, first| {
        let is_repeat = later.identity == first.identity;
        if is_repeat && later.message != first.message {
            repeats.push((later.identity, later.message));
        }
        is_repeat
    });
    repeats.dedup();
    repeats
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded_of(lines: &str) -> Decoded {
        Decoded { project: ProjectId(1), lines: lines.as_bytes().to_vec() }
    }

    fn line(id: &str, event_type: &str, day: i64) -> String {
        format!(
            r#"{{"id":"{id}","type":"{event_type}","user":"u","occurred_us":{},"received_us":0,"properties":{{}}}}"#,
            day * 86_400_000_000
        ) + "\n"
    }

    #[test]
    fn the_first_of_equal_events_stays() {
        let lines = [line("a", "first", 1), line("b", "other", 1), line("a", "second", 1), line("a", "another day", 2)].concat();
        let decoded = decoded_of(&lines);
        let mut rows = rows(&[&decoded]).unwrap();
        sort_and_deduplicate(&mut rows);
        let mut types: Vec<_> = rows.iter().map(|row| row.event.event_type.0.as_ref()).collect();
        types.sort_unstable();
        assert_eq!(types, ["another day", "first", "other"]);
    }

    #[test]
    fn an_event_of_several_messages_is_known_for_all_of_them() {
        let decoded = [line("a", "t", 1) + &line("b", "t", 1), line("b", "t", 1).repeat(2), line("b", "t", 1)];
        let decoded = decoded.map(|lines| decoded_of(&lines));
        let mut rows = rows(&decoded.iter().collect::<Vec<_>>()).unwrap();
        let repeats = sort_and_deduplicate(&mut rows);
        assert_eq!(rows.iter().map(|row| row.message).collect::<Vec<_>>(), [0, 0]);
        assert_eq!(repeats.iter().map(|(_, message)| *message).collect::<Vec<_>>(), [1, 2]);
    }
}
