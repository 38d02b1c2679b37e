//! Yardsticks: other ways to do the same work, each as small as possible.
//!
//! - `reference` is a plain Python service, as somebody writes it in an afternoon.
//! - `textbook` copies rows into a staging table and inserts them with `on conflict do nothing`. `statements`
//!   runs only the statements of Rollcall's own transaction. `bare_table` copies rows into a table without
//!   any index, which is the upper limit.
//! - `bare_steps` parses, compresses and publishes, and does nothing else.
//! - `unpublished` is Rollcall's API answering without publishing.
//!
//! SQL over the rows, another yardstick, is a parameter of the API (`source=events`).

pub(crate) mod bare_steps;
pub(crate) mod bare_table;
pub(crate) mod payload;
pub(crate) mod reference;
pub(crate) mod statements;
pub(crate) mod textbook;
pub(crate) mod unpublished;
