//! The pipeline: how far events have come, as a whole and one by one.
//!
//! The figures are JetStream's own, and those that the workers write into PostgreSQL about
//! themselves. Whichever of the two is away, the other's are still told.

mod event;
mod overview;

pub(crate) use self::event::event;
pub(crate) use self::overview::overview;
