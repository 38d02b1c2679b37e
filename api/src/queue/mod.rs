//! The queue as the API uses it: `publish` publishes events, as long as there is `room` for them, `state` tells
//! whether the queue accepts them, `dead_letters` reads and removes dead letters, and `notices` connects the replicas.

pub(crate) mod confirmations;
pub(crate) mod dead_letters;
mod in_flight;
pub(crate) mod letter;
pub(crate) mod notices;
pub(crate) mod publish;
mod room;
pub(crate) mod state;
