//! Live events: `GET /live` sends events as server-sent events as soon as they are accepted.
//!
//! A `link` is a connection to NATS of its own. Over it a process sees the messages of the projects that
//! have readers, and the confirmations of the queue; `acceptance` pairs the two, because only a confirmed
//! message holds accepted events. The `channel` of a project decodes each confirmed message once, remembers
//! the latest events in its `history`, and puts each event into the `mailbox` of every reader whose `filter`
//! it passes. A reader that does not keep up is told how many events it missed.
//!
//! Nothing of this takes part in the ingestion of events. Where nobody reads, there is no connection either.

mod acceptance;
mod channel;
pub(crate) mod endpoint;
mod event;
mod filter;
mod history;
mod hub;
mod link;
mod mailbox;
mod places;
mod reader;
mod subscription;

pub(crate) use self::hub::Live;
pub(crate) use self::reader::key_ended;
pub(crate) use self::subscription::{LiveEvents, Seen};
