//! The pipeline: the state of the queue and the workers, and the state of a single event.
//!
//! The figures come from JetStream, and from PostgreSQL, where the workers report about themselves. If one of
//! the two is away, the figures of the other are still shown.

mod archive;
pub(crate) mod event;
pub(crate) mod overview;
