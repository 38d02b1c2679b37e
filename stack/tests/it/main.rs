//! The private servers for real: every test starts and stops some, most of them in parallel.
//!
//! - `lifecycle`: start, connect, kill, restart, stop.
//! - `orphans`: what happens when the process that started them is killed.
//! - `refusals`: what must not start, and what the developer is told.
//! - `accounts`: who the servers run as.
//! - `owner` runs the `rollcall-stack` program, `process` looks at processes, `wire` speaks just
//!   enough of HTTP and of both servers' protocols.

mod accounts;
mod lifecycle;
mod orphans;
mod owner;
mod process;
mod refusals;
mod wire;
