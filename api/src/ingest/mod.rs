//! Ingestion: `POST /events`.
//!
//! `endpoint` handles the request and writes the answer. `body` reads and decompresses the body, within
//! a memory budget for all requests together. `prepare` turns it into the lines of a batch: `parse`
//! cuts it into events and validates each. `accept` makes the batch durable, through `deliver`, and
//! only then is the request answered. Nothing here reads or writes PostgreSQL.

mod accept;
mod body;
mod deliver;
mod endpoint;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod parse;
mod prepare;

pub(crate) use self::accept::BatchPublisher;
pub(crate) use self::endpoint::{Ingestion, post_events};
