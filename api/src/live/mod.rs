//! Live events: `GET /live` sends events as server-sent events as soon as they are accepted.
//!
//! A `link` is a separate connection to NATS. Over it, a process receives the messages of the projects that
//! have readers, and the confirmations of the queue. `acceptance` pairs the two, because only the events of a
//! confirmed message are accepted. The `channel` of a project decodes each confirmed message once, keeps the
//! latest events in its `history`, and puts each event into the `mailbox` of every reader whose `filter` it
//! passes. A reader that does not keep up is told how many events it missed.
//!
//! Ingestion does not depend on any of this. Without readers, there is no such connection.

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
