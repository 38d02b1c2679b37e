//! Events themselves: lists and timelines, page by page.
//!
//! A `selection` says which events, in which `span` of time; a `walk` finds the windows of time to search
//! for them, guided by `counted_days`; a `page` reads the windows until it is full. `events` are the
//! questions.

pub(super) mod counted_days;
mod event;
pub(super) mod events;
pub(super) mod page;
pub(super) mod selection;
pub(super) mod span;
mod walk;
