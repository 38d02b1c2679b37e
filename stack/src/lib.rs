//! Private PostgreSQL, nats-server and SeaweedFS processes in a data folder, for `rollcall dev`, tests and
//! benchmarks. The servers listen on free ports of 127.0.0.1, have random passwords, and end with
//! the process that started them.
//!
//! The crate knows nothing of Rollcall's tables and streams. It is not for production, where an
//! operator provides the servers. All functions block; async code must call them on a blocking
//! thread.
//!
//! - [`Stack`] is PostgreSQL and nats-server in one folder; [`Postgres`], [`NatsServer`] and [`S3Server`] are each
//!   alone.
//! - [`Search`] says where their programs are looked for.
//! - [`Scratch`] is a temporary folder, such as that of an ephemeral stack.
//! - `folder` locks a data folder and makes it reachable, `account` drops root, `orphan` ends what
//!   a killed run left behind.
//! - `process` runs one server under its `guardian`, the shell that stops the server when this
//!   process is killed; `plan` is how a server is told to stop.
//! - `log`, `port`, `secret` and `wait` are what their names say.

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
mod s3;
mod scratch;
mod search;
mod secret;
mod stack;
mod wait;

pub use error::StackError;
pub use nats::{NatsServer, NatsUser};
pub use postgres::Postgres;
pub use s3::S3Server;
pub use scratch::Scratch;
pub use search::Search;
pub use stack::Stack;
