//! Ingestion: `POST /events`.
//!
//! `endpoint` handles the request; `options` are its parameters, and `description` says what it reads. `body`
//! reads and decompresses the body, within a memory budget for all requests together. `prepare` turns it into
//! the lines of a batch: `parse` cuts it into events and validates each, by the rules of the project too if it has any.
//! `ingestion` then makes the batch durable, through `deliver`, and only then `endpoint` answers. Nothing here reads or writes
//! PostgreSQL.

mod body;
mod deliver;
mod description;
pub(crate) mod endpoint;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod ingestion;
mod options;
mod parse;
mod prepare;

pub(crate) use self::ingestion::Ingestion;
