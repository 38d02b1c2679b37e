//! Queries: each in a file of its own, from its parameters to its answer.
//!
//! Every query can be answered from the rollups, in milliseconds, or, with `source=events`, from the
//! event rows in plain SQL. Both must give the same numbers; the tests compare them.

mod bitmap;
mod dau;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod period;
mod retention;
mod source;
mod top_events;
mod window;

pub(crate) use self::dau::dau;
pub(crate) use self::retention::retention;
pub(crate) use self::top_events::top_events;
