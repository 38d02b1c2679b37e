//! The pipeline: how far all events have come, and how far a single one has.
//!
//! The figures come from JetStream, and from PostgreSQL, where the workers report about themselves. If one of
//! the two is away, the figures of the other are still shown.

pub(crate) mod event;
pub(crate) mod overview;
