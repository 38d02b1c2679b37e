//! Questions: each in a file of its own, from parameters to answer.
//!
//! Every question has two ways to its answer: the rollups, in milliseconds, and with
//! `source=events` the rows themselves in plain SQL. Both must give the same numbers; the tests
//! hold them against each other.

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
