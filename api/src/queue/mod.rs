//! The queue as the API sees it: publishing, and whether it takes events.

pub(crate) mod confirmations;
pub(crate) mod publish;
pub(crate) mod state;
