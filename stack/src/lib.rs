//! Private PostgreSQL and nats-server processes in a data folder, for `rollcall dev`, tests and
//! benchmarks. The servers listen on free ports of 127.0.0.1, have random passwords, and end with
//! the process that started them.
//!
//! The crate knows nothing of Rollcall's tables and streams. It is not for production, where an
//! operator provides the servers. All functions block; async code must call them on a blocking
//! thread.
//!
//! - [`Stack`] runs both servers in one folder; [`Postgres`] and [`NatsServer`] run one each.
//! - [`Search`] lists the places where the programs may be.
//! - `folder` locks a data folder and makes it reachable, `account` chooses the account of the
//!   servers, `orphan` stops servers that a killed run left behind.
//! - `process` runs one server under its `guardian`, the shell that stops the server when this
//!   process is killed; `plan` is how a server is told to stop.
//! - `scratch` is the temporary folder of an ephemeral stack.
//! - `log` reads a server's log, `port` finds free ports, `secret` generates passwords, and `wait`
//!   polls a condition.

mod account;
mod cluster;
mod error;
mod folder;
mod guardian;
mod log;
mod nats;
mod nats_program;
mod orphan;
mod plan;
mod port;
mod postgres;
mod postgres_program;
mod process;
mod scratch;
mod search;
mod secret;
mod stack;
mod wait;

pub use error::StackError;
pub use nats::{NatsServer, NatsUser};
pub use postgres::Postgres;
pub use search::Search;
pub use stack::Stack;
