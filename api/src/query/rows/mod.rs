//! Lists and timelines of events, page by page.
//!
//! A `selection` says which events are wanted, in which `span` of time. A `walk` chooses the windows of time
//! to search, with the help of `counted_days`. A `page` reads these windows until it is full. `events`
//! contains the questions.

pub(super) mod counted_days;
pub(super) mod event;
pub(super) mod events;
pub(super) mod page;
pub(super) mod selection;
pub(super) mod span;
mod walk;
