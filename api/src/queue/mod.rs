//! The queue as the API uses it: `publish` publishes events, `state` tells whether the queue accepts them, and
//! `dead_letters` reads and removes dead letters, and `notices` connects the replicas.

pub(crate) mod confirmations;
pub(crate) mod dead_letters;
pub(crate) mod letter;
pub(crate) mod notices;
pub(crate) mod publish;
pub(crate) mod state;
