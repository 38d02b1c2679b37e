//! Rows: the events of several messages, to be stored in one transaction.
//!
//! Rows borrow their texts from the decompressed messages, so a batch of 20,000 events consists of a
//! few buffers and one vector of rows.

use async_nats::jetstream::Message;
use rollcall_shared::day::Day;
use rollcall_shared::event::{Event, identity};
use rollcall_shared::project::ProjectId;
use rollcall_shared::queue::chunk::{self, ChunkError};
use uuid::Uuid;

/// A message with its payload decompressed.
#[derive(Debug)]
pub(crate) struct Decoded {
    pub(crate) project: ProjectId,
    pub(crate) lines: Vec<u8>,
}

/// Why a message holds no events that can be stored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DecodeError {
    /// Its subject names no project.
    #[error("the subject names no project")]
    NoProject,
    /// Its payload is not a chunk.
    #[error(transparent)]
    Chunk(#[from] ChunkError),
}

impl Decoded {
    /// Decompresses a message.
    ///
    /// # Errors
    /// [`DecodeError`]; no retry changes it.
    pub(crate) fn of(project: Option<ProjectId>, message: &Message) -> Result<Self, DecodeError> {
        let project = project.ok_or(DecodeError::NoProject)?;
        let lines = chunk::decompress(message.headers.as_ref(), &message.payload)?;
        Ok(Self { project, lines })
    }
}

/// The identity of an event: two events with the same day, project and id are the same event.
///
/// Its order is the order in which identities are claimed: partition after partition, as a COPY writes
/// them, and within each partition in the order of its index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Identity {
    pub(crate) day: Day,
    pub(crate) project: ProjectId,
    pub(crate) id: Uuid,
}

/// One event, to be written as one row.
#[derive(Debug)]
pub(crate) struct Row<'a> {
    /// The index of its message in the batch.
    pub(crate) message_index: usize,
    pub(crate) identity: Identity,
    pub(crate) event: Event<'a>,
}

impl Row<'_> {
    /// The UTC day on which the event happened. It is also the day of its identity, unless the event is undated.
    pub(crate) fn day(&self) -> Day {
        Day::utc_of(self.event.occurred_at_us)
    }
}

/// The contents of the messages of a batch.
#[derive(Debug, Default)]
pub(crate) struct Contents<'a> {
    /// The rows of all messages except the unreadable ones, in the order of arrival.
    pub(crate) rows: Vec<Row<'a>>,
    /// The indexes of messages that contain a line which is not an event.
    pub(crate) unreadable: Vec<(usize, ChunkError)>,
}

/// Reads all messages.
pub(crate) fn read(decoded: &[Decoded]) -> Contents<'_> {
    let mut contents = Contents::default();
    for (message_index, decoded) in decoded.iter().enumerate() {
        let begin = contents.rows.len();
        for event in chunk::events(&decoded.lines) {
            match event {
                Ok(event) => {
                    let identity = Identity { day: event.identity_day(), project: decoded.project, id: identity(&event.id.0) };
                    contents.rows.push(Row { message_index, identity, event });
                }
                Err(error) => {
                    contents.rows.truncate(begin);
                    contents.unreadable.push((message_index, error));
                    break;
                }
            }
        }
    }
    contents
}

/// Sorts the rows by identity and keeps the first row of each identity. If other messages contain the same
/// event, returns its identity with the index of each of them, in the same order.
pub(crate) fn sort_and_deduplicate(rows: &mut Vec<Row<'_>>) -> Vec<(Identity, usize)> {
    // Rows are large: the keys are sorted, and each row is moved once.
    rows.sort_by_cached_key(|row| row.identity);
    let mut repeats = Vec::new();
    rows.dedup_by(|later, first| {
        let is_repeat = later.identity == first.identity;
        if is_repeat && later.message_index != first.message_index {
            repeats.push((later.identity, later.message_index));
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
        let decoded = [decoded_of(&lines)];
        let mut rows = read(&decoded).rows;
        sort_and_deduplicate(&mut rows);
        let mut types: Vec<_> = rows.iter().map(|row| row.event.event_type.0.as_ref()).collect();
        types.sort_unstable();
        assert_eq!(types, ["another day", "first", "other"]);
    }

    #[test]
    fn an_event_of_several_messages_is_known_for_all_of_them() {
        let decoded = [line("a", "t", 1) + &line("b", "t", 1), line("b", "t", 1).repeat(2), line("b", "t", 1)];
        let decoded = decoded.map(|lines| decoded_of(&lines));
        let mut rows = read(&decoded).rows;
        let repeats = sort_and_deduplicate(&mut rows);
        assert_eq!(rows.iter().map(|row| row.message_index).collect::<Vec<_>>(), [0, 0]);
        assert_eq!(repeats.iter().map(|(_, message_index)| *message_index).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn one_bad_line_spoils_its_message_and_no_other() {
        let good = line("a", "good", 1);
        let decoded = [good.clone(), format!("{good}{{}}\n"), good].map(|lines| decoded_of(&lines));
        let contents = read(&decoded);
        assert_eq!(contents.rows.iter().map(|row| row.message_index).collect::<Vec<_>>(), [0, 2]);
        assert!(matches!(contents.unreadable[..], [(1, ChunkError::Line { line: 1, .. })]));
    }
}
