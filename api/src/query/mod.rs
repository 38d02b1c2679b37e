//! Queries: one file or folder for each question, with its parameters and its answer.
//!
//! `question` defines what all questions have in common; `format` writes answers as JSON or CSV. The
//! statistics can be answered from the rollups, in milliseconds, or, with `source=events`, from the event rows
//! in plain SQL. Both must give the same numbers; the tests compare them.

mod accounts;
mod bitmap;
mod bucket;
mod dau;
pub(crate) mod description;
mod event_types;
mod filter;
mod format;
mod funnel;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod kept;
mod percent;
mod period;
pub(crate) mod question;
mod recent;
mod retention;
mod rows;
mod sessions;
mod source;
mod top_events;
mod trends;
mod turn;
mod type_number;
mod users;
mod value;
mod window;

pub(crate) use self::question::Answering;
pub(crate) use self::recent::RecentAnswers;
pub(crate) use self::rows::events::Events;
pub(crate) use self::turn::Turns;
