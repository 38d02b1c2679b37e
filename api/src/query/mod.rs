//! Queries: each question in a file of its own, from its parameters to its answer.
//!
//! `question` is what all of them have in common; `format` writes answers as JSON or CSV; `cursor`
//! pages through lists. The statistics can be answered from the rollups, in milliseconds, or, with
//! `source=events`, from the event rows in plain SQL. Both must give the same numbers; the tests
//! compare them.

mod accounts;
mod bitmap;
mod cursor;
mod dau;
mod event_types;
mod filter;
mod format;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod paging;
mod period;
pub(crate) mod question;
mod retention;
mod rows;
mod sessions;
mod source;
mod top_events;
mod window;

pub(crate) use self::cursor::Cursors;
pub(crate) use self::question::Answering;
