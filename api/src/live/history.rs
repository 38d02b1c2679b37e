//! The history of a channel: its latest events, for readers that reconnect.

use std::collections::VecDeque;
use std::sync::Arc;

use super::event::{EventId, LiveEvent};

/// Maximum number of events, no more than a mailbox holds.
const MAX_EVENTS: usize = 1_000;
/// Maximum size of the events in bytes.
const MAX_BYTES: usize = 256 * 1024;

/// The latest events of one project, oldest first.
#[derive(Debug)]
pub(super) struct History {
    events: VecDeque<Arc<LiveEvent>>,
    bytes: usize,
    /// The last sequence of the stream before the history began, if the history contains every event since
    /// then.
    complete_after: Option<u64>,
}

/// The events after a given event.
#[derive(Debug)]
pub(super) struct Since {
    /// The number of events that the history no longer has; `None` if it is unknown.
    pub(super) missed: Option<u64>,
    /// The events that the history has.
    pub(super) events: Vec<Arc<LiveEvent>>,
}

impl History {
    /// A history that begins after this sequence of the stream.
    pub(super) fn begin_after(sequence: u64) -> Self {
        Self { events: VecDeque::new(), bytes: 0, complete_after: Some(sequence) }
    }

    /// Adds an event and drops the oldest ones.
    pub(super) fn add(&mut self, event: Arc<LiveEvent>) {
        self.bytes += event.frame.len();
        self.events.push_back(event);
        while self.events.len() > MAX_EVENTS || self.bytes > MAX_BYTES {
            let Some(oldest) = self.events.pop_front() else { break };
            self.bytes -= oldest.frame.len();
            self.complete_after = None;
        }
    }

    /// Drops all events, because an unknown number of events is missing.
    pub(super) fn break_off(&mut self) {
        self.events.clear();
        self.bytes = 0;
        self.complete_after = None;
    }

    /// The events after the given one, as far as they are known.
    pub(super) fn since(&self, id: EventId) -> Since {
        if let Some(place) = self.events.iter().position(|event| event.id == id) {
            return Since { missed: Some(0), events: self.events.iter().skip(place + 1).cloned().collect() };
        }
        // The rest of the given event's message is missing, and the history has everything after that
        // message.
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
