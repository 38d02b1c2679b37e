//! The queue: deliveries come in, and are answered.

pub(crate) mod consumer;
pub(crate) mod delivery;
