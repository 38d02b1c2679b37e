//! Acceptance: which of the messages that were published are durable.
//!
//! A plain subscription gets a message when it is published: before the stream stores it, and even if the
//! stream refuses it. JetStream sends the confirmation to the reply subject of the message. The events are
//! accepted only when both have arrived. They can arrive in either order, because they may come from
//! different servers of a cluster.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use async_nats::Message;
use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::response::Response;
use rollcall_shared::queue::stream::STREAM;

/// Maximum number of messages that wait for their confirmation: those in flight from a hundred API processes.
const MAX_MESSAGES: usize = 3_200;
/// Maximum size of these messages in bytes: those in flight from two API processes with large messages.
const MAX_MESSAGE_BYTES: usize = 32 << 20;
/// Timeout for a confirmation. Publishers give up earlier.
const MAX_WAIT: Duration = Duration::from_secs(10);
/// Maximum number of confirmations that are kept because their messages may arrive later. Most belong to
/// projects without readers, whose messages never arrive.
const MAX_CONFIRMATIONS: usize = 4_096;

/// Pairs messages with their confirmations by the reply subject. Each message is kept with a `T`.
pub(super) struct Acceptance<T> {
    messages: HashMap<String, Unconfirmed<T>>,
    /// The messages in the order of their arrival; some may be confirmed already.
    arrivals: VecDeque<(Instant, String)>,
    message_bytes: usize,
    confirmed: HashMap<String, u64>,
    confirmations: VecDeque<String>,
}

struct Unconfirmed<T> {
    message: Message,
    with: T,
}

/// A message that is durable.
pub(super) struct Accepted<T> {
    pub(super) message: Message,
    /// Its sequence in the stream.
    pub(super) sequence: u64,
    pub(super) with: T,
}

/// The answer of the queue to a message.
enum Verdict {
    Durable(u64),
    Refused,
}

impl<T> Acceptance<T> {
    pub(super) fn new() -> Self {
        Self {
            messages: HashMap::new(),
            arrivals: VecDeque::new(),
            message_bytes: 0,
            confirmed: HashMap::new(),
            confirmations: VecDeque::new(),
        }
    }

    /// Adds a message that was published. Returns it if its confirmation has already arrived.
    ///
    /// A message without a reply subject is not from the API and is ignored.
    pub(super) fn published(&mut self, message: Message, with: T) -> Option<Accepted<T>> {
        let reply = message.reply.as_ref()?.to_string();
        if let Some(sequence) = self.confirmed.remove(&reply) {
            return Some(Accepted { message, sequence, with });
        }
        self.message_bytes += message.payload.len();
        self.arrivals.push_back((Instant::now(), reply.clone()));
        self.messages.insert(reply, Unconfirmed { message, with });
        None
    }

    /// Handles a message to an inbox of the API. Returns the message that it confirms, if that has arrived.
    pub(super) fn replied(&mut self, reply: &Message) -> Option<Accepted<T>> {
        let verdict = verdict(&reply.payload)?;
        let unconfirmed = self.take(&reply.subject);
        match (verdict, unconfirmed) {
            (Verdict::Refused, _) => None,
            (Verdict::Durable(sequence), Some(Unconfirmed { message, with })) => Some(Accepted { message, sequence, with }),
            (Verdict::Durable(sequence), None) => {
                self.confirmed.insert(reply.subject.to_string(), sequence);
                self.confirmations.push_back(reply.subject.to_string());
                if self.confirmations.len() > MAX_CONFIRMATIONS
                    && let Some(oldest) = self.confirmations.pop_front()
                {
                    self.confirmed.remove(&oldest);
                }
                None
            }
        }
    }

    /// Drops messages that have waited too long. Returns those that were dropped earlier for lack of room,
    /// which may have been accepted.
    pub(super) fn expire(&mut self) -> Vec<T> {
        let mut displaced = Vec::new();
        while let Some((arrived, reply)) = self.arrivals.front() {
            let is_late = arrived.elapsed() > MAX_WAIT;
            let is_over = self.messages.len() > MAX_MESSAGES || self.message_bytes > MAX_MESSAGE_BYTES;
            let is_done = !self.messages.contains_key(reply);
            if !(is_late || is_over || is_done) {
                break;
            }
            let Some((_, reply)) = self.arrivals.pop_front() else { break };
            if let Some(unconfirmed) = self.take(&reply)
                && !is_late
            {
                displaced.push(unconfirmed.with);
            }
        }
        displaced
    }

    fn take(&mut self, reply: &str) -> Option<Unconfirmed<T>> {
        let unconfirmed = self.messages.remove(reply)?;
        self.message_bytes -= unconfirmed.message.payload.len();
        Some(unconfirmed)
    }
}

/// Parses a reply; `None` if it is not about a message.
fn verdict(reply: &[u8]) -> Option<Verdict> {
    match serde_json::from_slice(reply).ok()? {
        Response::Ok(PublishAck { stream, sequence, .. }) if stream == STREAM => Some(Verdict::Durable(sequence)),
        Response::Ok(_) => None,
        Response::Err { .. } => Some(Verdict::Refused),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(subject: &str, reply: Option<&str>, payload: &str) -> Message {
        Message {
            subject: subject.into(),
            reply: reply.map(Into::into),
            payload: payload.to_owned().into(),
            headers: None,
            status: None,
            description: None,
            length: 0,
        }
    }

    fn event(reply: &str) -> Message {
        message("events.ingest.1", Some(reply), "chunk")
    }

    fn confirmation(of: &str, sequence: u64) -> Message {
        message(of, None, &format!(r#"{{"stream":"EVENTS","seq":{sequence}}}"#))
    }

    #[test]
    fn a_message_and_its_confirmation_are_paired_in_either_order() {
        let mut acceptance = Acceptance::new();
        assert!(acceptance.published(event("a"), 'a').is_none());
        assert!(acceptance.replied(&confirmation("b", 8)).is_none());
        let first = acceptance.replied(&confirmation("a", 7)).unwrap();
        let second = acceptance.published(event("b"), 'b').unwrap();
        assert_eq!([(first.sequence, first.with), (second.sequence, second.with)], [(7, 'a'), (8, 'b')]);
        assert!(acceptance.replied(&confirmation("a", 9)).is_none());
        assert!(acceptance.messages.is_empty() && acceptance.message_bytes == 0);
    }

    #[test]
    fn what_the_queue_refuses_is_forgotten() {
        let mut acceptance = Acceptance::new();
        acceptance.published(event("a"), ());
        let refusal =
            r#"{"error":{"code":503,"err_code":10077,"description":"maximum bytes exceeded"},"stream":"EVENTS","seq":0}"#;
        assert!(acceptance.replied(&message("a", None, refusal)).is_none());
        assert!(acceptance.messages.is_empty() && acceptance.confirmed.is_empty());
    }

    #[test]
    fn other_replies_say_nothing() {
        let mut acceptance = Acceptance::new();
        acceptance.published(event("a"), ());
        for payload in ["", "{}", r#"{"inserted":1,"dead_lettered":0,"pending":0}"#, r#"{"stream":"EVENTS_DLQ","seq":1}"#] {
            assert!(acceptance.replied(&message("a", None, payload)).is_none(), "{payload}");
        }
        assert!(acceptance.replied(&confirmation("a", 1)).is_some());
        assert!(acceptance.published(message("events.ingest.1", None, "chunk"), ()).is_none());
    }

    #[test]
    fn messages_and_confirmations_are_limited() {
        let mut acceptance = Acceptance::new();
        for number in 0..MAX_MESSAGES + 2 {
            acceptance.published(event(&number.to_string()), number);
            acceptance.replied(&confirmation(&format!("other-{number}"), 1));
        }
        assert_eq!(acceptance.expire(), [0, 1]);
        assert!(acceptance.expire().is_empty());
        (0..MAX_CONFIRMATIONS).for_each(|number| drop(acceptance.replied(&confirmation(&format!("x-{number}"), 1))));
        assert_eq!((acceptance.confirmed.len(), acceptance.confirmations.len()), (MAX_CONFIRMATIONS, MAX_CONFIRMATIONS));
    }
}
