//! Topics: groups of rows of the report that are measured together.
//!
//! - `request` sends one large request and waits until it is stored, with empty tables at the beginning.
//! - `forms` sends as many events as gzip, as NDJSON and in many requests.
//! - `growth` stores the same events at every stage, also right after a checkpoint, and measures the size on
//!   disk.
//! - `indexes` measures the cost of each index and of sessions when events are stored and when their day is
//!   over.
//! - `reads` sends the frequent queries at every stage, and compares them with SQL over the rows.
//! - `lists` reads pages of events, timelines, sessions, users, accounts and event types at the largest
//!   stage.
//! - `analysis` queries trends and a funnel at the largest stage.
//! - `plans` writes down how PostgreSQL executes each statement, and only if it is asked for.
//! - `clients` sends small requests from many clients.
//! - `delay` measures single events on an idle service.
//! - `live` measures how fast readers of `/live` get an event on an idle service.
//! - `fairness` measures events of twenty projects while millions of events of one of them wait.
//! - `archive` exports, drops, restores and replays a day.
//! - `memory` comes last and reports the peak memory of API and worker over all topics.

mod analysis;
mod archive;
mod clients;
mod delay;
mod fairness;
mod forms;
mod growth;
mod indexes;
mod lists;
mod live;
mod memory;
mod plans;
mod reads;
mod request;

use clap::ValueEnum;
use rollcall_stack::Stack;
use strum::Display;

use crate::Bench;
use crate::outcome::Outcome;

/// A topic, with its name on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Display)]
#[strum(serialize_all = "kebab-case")]
pub(crate) enum Topic {
    Request,
    Forms,
    Growth,
    Indexes,
    Reads,
    Lists,
    Analysis,
    Clients,
    Delay,
    Live,
    Fairness,
    Archive,
    Memory,
    Plans,
}

impl Topic {
    /// The topics of `only` in the order of the report; all topics if `only` is empty.
    pub(crate) fn chosen(only: &[Self]) -> impl Iterator<Item = Self> {
        Self::value_variants()
            .iter()
            .copied()
            .filter(|topic| if only.is_empty() { !matches!(topic, Self::Plans) } else { only.contains(topic) })
    }

    /// Prepares the servers for the chosen topics. Call it before the services start.
    pub(crate) async fn prepare(only: &[Self], stack: &Stack) -> anyhow::Result<()> {
        if Self::chosen(only).any(|topic| matches!(topic, Self::Plans)) {
            plans::load_module(&stack.postgres).await?;
        }
        Ok(())
    }

    pub(crate) async fn run(self, bench: &Bench, outcome: &mut Outcome) -> anyhow::Result<()> {
        match self {
            Self::Request => request::run(bench, outcome).await,
            Self::Forms => forms::run(bench, outcome).await,
            Self::Growth => growth::run(bench, outcome).await,
            Self::Indexes => indexes::run(bench, outcome).await,
            Self::Reads => reads::run(bench, outcome).await,
            Self::Lists => lists::run(bench, outcome).await,
            Self::Analysis => analysis::run(bench, outcome).await,
            Self::Clients => clients::run(bench, outcome).await,
            Self::Delay => delay::run(bench, outcome).await,
            Self::Live => live::run(bench, outcome).await,
            Self::Fairness => fairness::run(bench, outcome).await,
            Self::Archive => archive::run(bench, outcome).await,
            Self::Memory => memory::run(bench, outcome),
            Self::Plans => plans::run(bench, outcome).await,
        }
    }
}
