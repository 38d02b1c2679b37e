//! The contract between the API, which publishes events, and the workers, which store them.
//!
//! An [`event`] is identified, encoded and put into a chunk; chunks travel through the [`queue`]; the
//! tables they end in are made by [`database`]. [`field`] lists the names that clients may give its
//! fields, and [`day`] cuts time into the days of a project. [`backoff`], [`dotenv`], [`settings`],
//! [`telemetry`] and [`shutdown`] are what every process does alike.
//!
//! It is not a place for code that only one of the two needs.

pub mod backoff;
pub mod database;
pub mod day;
pub mod dotenv;
pub mod event;
pub mod field;
pub mod project;
pub mod queue;
pub mod settings;
pub mod shutdown;
pub mod telemetry;
