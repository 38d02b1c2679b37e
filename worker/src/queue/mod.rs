//! The queue: messages come in and go to `settle`, in batches or alone.

pub(crate) mod consumer;
