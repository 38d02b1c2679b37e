//! A mailbox: the events that one reader has not been sent yet.
//!
//! Its size is limited. While it is full, it only counts further events, and the reader gets the number at
//! their position in the stream.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use metrics::counter;
use tokio::sync::Notify;

use super::event::LiveEvent;

/// Maximum number of events that wait for one reader.
const MAX_EVENTS: usize = 1_000;
/// Maximum size in bytes of the events that wait for one reader. Readers share events in memory. Only readers
/// that stopped reading at different times hold this much each, and they are disconnected after half a minute.
const MAX_BYTES: usize = 256 * 1024;
/// Number of bytes that are passed to a connection at once. The connection buffers them in addition.
const MAX_TAKEN_BYTES: usize = 16 * 1024;

/// The mailbox of one reader.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    queue: Mutex<Queue>,
    filled: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    items: VecDeque<Item>,
    events: usize,
    bytes: usize,
}

#[derive(Debug)]
enum Item {
    Event(Arc<LiveEvent>),
    /// The number of events that are missing here; `None` if it is unknown.
    Missed(Option<u64>),
}

impl Mailbox {
    /// Adds an event, or counts it as missed.
    pub(super) fn put(&self, event: &Arc<LiveEvent>) {
        let mut queue = self.queue();
        let bytes = event.frame.len();
        let has_room = queue.events < MAX_EVENTS && (queue.bytes + bytes <= MAX_BYTES || queue.events == 0);
        if has_room {
            queue.events += 1;
            queue.bytes += bytes;
            queue.items.push_back(Item::Event(event.clone()));
        } else {
            queue.miss(Some(1));
        }
        drop(queue);
        self.filled.notify_one();
    }

    /// Counts events as missed; `None` if the number is unknown.
    pub(super) fn miss(&self, events: Option<u64>) {
        self.queue().miss(events);
        self.filled.notify_one();
    }

    /// Waits for frames and returns them. Nothing is lost if the future is dropped.
    pub(super) async fn next(&self) -> Bytes {
        loop {
            if let Some(frames) = self.queue().take() {
                return frames;
            }
            self.filled.notified().await;
        }
    }

    /// Waits for an event and returns it with the number of events missed before it; `None` if that number is
    /// unknown. Nothing is lost if the future is dropped.
    pub(super) async fn next_event(&self) -> (Arc<LiveEvent>, Option<u64>) {
        loop {
            if let Some(next) = self.queue().take_event() {
                return next;
            }
            self.filled.notified().await;
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn miss(&mut self, events: Option<u64>) {
        counter!("rollcall_live_missed_events_total").increment(events.unwrap_or(0));
        match self.items.back_mut() {
            Some(Item::Missed(missed)) => *missed = missed.zip(events).map(|(missed, events)| missed + events),
            _ => self.items.push_back(Item::Missed(events)),
        }
    }

    /// Takes the first frames as one buffer; `None` if there are none.
    fn take(&mut self) -> Option<Bytes> {
        let first = self.pop()?;
        if self.items.is_empty() || first.len() >= MAX_TAKEN_BYTES {
            return Some(first);
        }
        let mut frames = BytesMut::from(first.as_ref());
        while frames.len() < MAX_TAKEN_BYTES
            && let Some(frame) = self.pop()
        {
            frames.extend_from_slice(&frame);
        }
        Some(frames.freeze())
    }

    /// Takes the first event with the number of events missed before it. A missed number at the end stays
    /// until an event follows.
    fn take_event(&mut self) -> Option<(Arc<LiveEvent>, Option<u64>)> {
        let missed = match self.items.front()? {
            Item::Event(_) => Some(0),
            Item::Missed(_) if self.items.len() == 1 => return None,
            Item::Missed(missed) => *missed,
        };
        self.items.pop_front_if(|item| matches!(item, Item::Missed(_)));
        match self.items.pop_front()? {
            Item::Event(event) => {
                self.forget(&event);
                Some((event, missed))
            }
            Item::Missed(_) => None,
        }
    }

    fn forget(&mut self, event: &LiveEvent) {
        self.events -= 1;
        self.bytes -= event.frame.len();
    }

    fn pop(&mut self) -> Option<Bytes> {
        match self.items.pop_front()? {
            Item::Event(event) => {
                self.forget(&event);
                Some(event.frame.clone())
            }
            Item::Missed(Some(events)) => Some(format!("event: missed\ndata: {{\"missed\":{events}}}\n\n").into()),
            Item::Missed(None) => Some(Bytes::from_static(b"event: missed\ndata: {\"missed\":null}\n\n")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::event::EventId;

    fn event(index: u32, bytes: usize) -> Arc<LiveEvent> {
        let id = EventId { sequence: 1, index, of: u32::MAX };
        let frame = format!("{index}{}\n\n", " ".repeat(bytes)).into();
        Arc::new(LiveEvent { id, event_type: "t".into(), actor: "u".into(), session_id: None, frame })
    }

    fn all(mailbox: &Mailbox) -> Vec<String> {
        let mut text = String::new();
        while let Some(frames) = mailbox.queue().take() {
            text.push_str(std::str::from_utf8(&frames).unwrap());
        }
        text.split_terminator("\n\n").map(|frame| frame.trim_end().to_owned()).collect()
    }

    #[test]
    fn what_a_full_mailbox_cannot_hold_is_counted_where_it_would_have_come() {
        let mailbox = Mailbox::default();
        (0..1_005).for_each(|index| mailbox.put(&event(index, 0)));
        let first = mailbox.queue().pop().unwrap();
        assert_eq!(first, "0\n\n");
        mailbox.put(&event(1_005, 0));
        mailbox.put(&event(1_006, 0));
        let frames = all(&mailbox);
        assert_eq!(frames.len(), 999 + 3);
        assert_eq!(frames[999..], ["event: missed\ndata: {\"missed\":5}", "1005", "event: missed\ndata: {\"missed\":1}"]);
    }

    #[test]
    fn an_unknown_number_stays_unknown() {
        let mailbox = Mailbox::default();
        for missed in [Some(2), None, Some(3)] {
            mailbox.miss(missed);
        }
        assert_eq!(all(&mailbox), ["event: missed\ndata: {\"missed\":null}"]);
    }

    #[tokio::test]
    async fn an_event_comes_with_what_was_missed_before_it() {
        let mailbox = Mailbox::default();
        mailbox.put(&event(0, 0));
        mailbox.miss(Some(2));
        assert_eq!(mailbox.next_event().await.1, Some(0));
        assert!(mailbox.queue().take_event().is_none());
        mailbox.put(&event(1, 0));
        let (second, missed) = mailbox.next_event().await;
        assert_eq!((second.id.index, missed), (1, Some(2)));
        let queue = mailbox.queue();
        assert_eq!((queue.items.len(), queue.events, queue.bytes), (0, 0, 0));
    }

    #[test]
    fn bytes_are_limited_but_for_a_single_event() {
        let mailbox = Mailbox::default();
        mailbox.put(&event(0, 300_000));
        mailbox.put(&event(1, 0));
        assert_eq!(all(&mailbox), ["0", "event: missed\ndata: {\"missed\":1}"]);
    }
}
