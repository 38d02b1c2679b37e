//! The history of a channel: its latest events, for readers that come back.

use std::collections::VecDeque;
use std::sync::Arc;

use super::event::{EventId, LiveEvent};

/// Events that are remembered. No more than fit into a mailbox.
const MAX_EVENTS: usize = 1_000;
/// Bytes that are remembered.
const MAX_BYTES: usize = 256 * 1024;

/// The latest events of one project, oldest first.
#[derive(Debug)]
pub(super) struct History {
    events: VecDeque<Arc<LiveEvent>>,
    bytes: usize,
    /// The last sequence of the stream before the history began, if the history has every event since.
    complete_after: Option<u64>,
}

/// What has come since an event.
#[derive(Debug)]
pub(super) struct Since {
    /// How many events are not remembered; `None` if nobody knows.
    pub(super) missed: Option<u64>,
    /// The remembered ones.
    pub(super) events: Vec<Arc<LiveEvent>>,
}

impl History {
    /// A history that begins after this sequence of the stream.
    pub(super) fn begin_after(sequence: u64) -> Self {
        Self { events: VecDeque::new(), bytes: 0, complete_after: Some(sequence) }
    }

    /// Adds an event and forgets the oldest ones.
    pub(super) fn add(&mut self, event: Arc<LiveEvent>) {
        self.bytes += event.frame.len();
        self.events.push_back(event);
        while self.events.len() > MAX_EVENTS || self.bytes > MAX_BYTES {
            let Some(oldest) = self.events.pop_front() else { break };
            self.bytes -= oldest.frame.len();
            self.complete_after = None;
        }
    }

    /// Forgets everything: events are missing that nobody can count.
    pub(super) fn break_off(&mut self) {
        self.events.clear();
        self.bytes = 0;
        self.complete_after = None;
    }

    /// What has come after an event, as far as it is known.
    pub(super) fn since(&self, id: EventId) -> Since {
        if let Some(place) = self.events.iter().position(|event| event.id == id) {
            return Since { missed: Some(0), events: self.events.iter().skip(place + 1).cloned().collect() };
        }
        // Of the message itself, the rest is missing; after it came nothing that is not here.
        let missed = self.complete_after.filter(|sequence| *sequence == id.sequence).map(|_| id.rest());
        let later = self.events.iter().filter(|event| event.id.position() > id.position());
        Since { missed, events: later.cloned().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(sequence: u64, index: u32, of: u32) -> EventId {
        EventId { sequence, index, of }
    }

    fn add(history: &mut History, id: EventId, bytes: usize) {
        let frame = vec![b' '; bytes].into();
        history.add(Arc::new(LiveEvent { id, event_type: "t".into(), actor: "u".into(), session_id: None, frame }));
    }

    fn since(history: &History, id: EventId) -> (Option<u64>, Vec<(u64, u32)>) {
        let since = history.since(id);
        (since.missed, since.events.iter().map(|event| event.id.position()).collect())
    }

    #[test]
    fn after_a_remembered_event_nothing_is_missing() {
        let mut history = History::begin_after(10);
        (0..3).for_each(|index| add(&mut history, id(12, index, 3), 10));
        add(&mut history, id(20, 0, 1), 10);
        assert_eq!(since(&history, id(12, 1, 3)), (Some(0), vec![(12, 2), (20, 0)]));
        assert_eq!(since(&history, id(20, 0, 1)), (Some(0), vec![]));
    }

    #[test]
    fn after_the_event_before_the_beginning_only_the_rest_of_its_message_is_missing() {
        let mut history = History::begin_after(10);
        assert_eq!(since(&history, id(10, 0, 1)), (Some(0), vec![]));
        add(&mut history, id(12, 0, 1), 10);
        assert_eq!(since(&history, id(10, 2, 7)), (Some(4), vec![(12, 0)]));
    }

    #[test]
    fn what_came_in_between_is_not_known() {
        let mut history = History::begin_after(10);
        assert_eq!(since(&history, id(9, 0, 1)), (None, vec![]));
        add(&mut history, id(12, 0, 1), 10);
        assert_eq!(since(&history, id(9, 0, 1)), (None, vec![(12, 0)]));
        (0..2_000).for_each(|index| add(&mut history, id(13, index, 2_000), 10));
        assert_eq!(history.events.len(), 1_000);
        assert_eq!(since(&history, id(12, 0, 1)).0, None);
        add(&mut history, id(14, 0, 1), 300_000);
        assert_eq!(history.events.len(), 0);
        history.break_off();
        assert_eq!(since(&history, id(14, 0, 1)), (None, vec![]));
    }
}
