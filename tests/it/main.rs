//! Black-box tests: facts about the running service, over HTTP and against the database.

mod ingest;
mod stats;
