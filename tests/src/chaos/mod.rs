//! Chaos: faults injected into real processes, and a ledger that says what must be there afterwards.
//!
//! A [`run`] starts a `fleet`: two APIs, three workers, nats-server and PostgreSQL, each a process of
//! its own, with a `proxy` on every path between them. Each `client` sends batches of events that the
//! `catalog` gives it, repeats them as a good SDK does, and writes into the `ledger` what was
//! acknowledged. Meanwhile the `injector` follows the `schedule`, which follows from the seed: every
//! `fault` is done and undone, and `recovery` measures how long the service needs after it. A few
//! events are poison, which PostgreSQL refuses, so that dead letters are written under faults too. The
//! `archivist` archives, drops and restores days all the time.
//!
//! Then the faults end, all days are restored, the queue drains, and every [`Check`] is made: the `rows` and `dead_letters`
//! against the ledger, the `statistics` against the oracle, and `leaks`. At last PostgreSQL takes
//! the poison, all dead letters are redriven twice at the same time, and the checks are made again.
//!
//! The faults of a seed are the same in every run; how the processes take them is not. A failure of a
//! seed may therefore need several runs to be seen again.

mod archivist;
mod batch;
mod calm;
mod catalog;
mod check;
mod client;
mod consumer;
mod dead_letters;
mod failure;
mod fault;
mod fleet;
mod injector;
mod journal;
mod leaks;
mod ledger;
mod locks;
mod proxy;
mod recovery;
mod report;
mod rows;
mod run;
mod schedule;
mod servers;
mod statistics;
mod stored;
mod stranger;
mod stream;
mod verdict;

pub use self::check::Check;
pub use self::failure::Failure;
pub use self::fault::FaultKind;
pub use self::report::{Report, table};
pub use self::run::{Plan, run};
