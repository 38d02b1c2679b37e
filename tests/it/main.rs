//! Black-box tests: facts about the running service, over HTTP and against the database.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod abuse;
mod auth;
mod backpressure;
mod bench;
mod bulk;
mod catalog;
mod chaos;
mod cli;
mod compaction;
mod compose;
mod dead_letters;
mod dictionary;
mod disagreement;
mod encodings;
mod events;
mod health;
mod hostile;
mod identity;
mod import;
mod indexes;
mod ingest;
mod limits;
mod locks;
mod metrics;
mod migrations;
mod outage;
mod partitions;
mod pipeline;
mod property;
mod questions;
mod rejections;
mod scale;
mod session_lists;
mod sessions;
mod settings;
mod stalls;
mod start;
mod stats;
mod stops;
mod top_events;
mod traces;
mod trouble;
mod waiting;
