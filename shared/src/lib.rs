//! The contract between the API, which publishes events, and the workers, which store them.
//!
//! [`event`] defines an event and its identity, and [`field`] the names that clients may use for its fields. Events
//! travel through the [`queue`] in chunks. [`database`] creates the tables that they are stored in, and [`day`]
//! cuts time into the days of a project. [`backoff`], [`dotenv`], [`settings`], [`telemetry`] and [`shutdown`]
//! are the same for every process.
//!
//! Code that only one of the two needs does not belong here.

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
