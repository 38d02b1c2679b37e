//! Tests of the stack with real servers. Every test starts and stops its own, and most tests run in
//! parallel.
//!
//! - `lifecycle`: start, connect, kill, restart, stop.
//! - `orphans`: what happens when the process that started them is killed.
//! - `refusals`: what must not start, and which error the developer sees.
//! - `accounts`: which account the servers run as.
//! - `owner` runs the `rollcall-stack` program, `process` looks at processes, `wire` speaks just
//!   enough of HTTP and of both servers' protocols.

mod accounts;
mod lifecycle;
mod orphans;
mod owner;
mod process;
mod refusals;
mod wire;
