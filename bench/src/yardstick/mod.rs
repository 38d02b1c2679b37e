//! Yardsticks: other ways to the same end, each as small as it can be.
//!
//! - `reference` is the plain Python service: what somebody writes in an afternoon.
//! - `textbook` stages rows and inserts them with `on conflict do nothing`: what a database course
//!   teaches. `statements` is our own transaction without anything around it; `bare_table` is a COPY
//!   into a table without any index, which nothing can beat.
//! - `bare_steps` parses, compresses and publishes, and does nothing else.
//! - `unpublished` is our own API, answering without the queue.
//!
//! The sixth, the SQL over the rows, is a parameter of the API (`source=events`).

pub(crate) mod bare_steps;
pub(crate) mod bare_table;
pub(crate) mod payload;
pub(crate) mod reference;
pub(crate) mod statements;
pub(crate) mod textbook;
pub(crate) mod unpublished;
