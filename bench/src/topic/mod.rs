//! Topics: groups of rows that are measured together.
//!
//! - `request` sends one large request and waits until it is stored; everybody begins without rows.
//! - `growth` stores the same at every stage, also right after a checkpoint, and weighs it.
//! - `indexes` tells what each index and the sessions cost, when events are stored and when their day is over.
//! - `reads` asks what is asked every day, at every stage, and the same of the SQL over the rows.
//! - `lists` reads pages of events, timelines, sessions, users and accounts.
//! - `analysis` asks for trends and a funnel at the largest stage.
//! - `clients` loads the API with small requests from many clients.
//! - `delay` times single events on an idle service.
//! - `memory` comes last and tells what API and worker held at the most, through all of it.

mod analysis;
mod clients;
mod delay;
mod growth;
mod indexes;
mod lists;
mod memory;
mod reads;
mod request;

use clap::ValueEnum;
use strum::Display;

use crate::Bench;
use crate::outcome::Outcome;

/// A group of rows, by its name on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Display)]
#[strum(serialize_all = "kebab-case")]
pub(crate) enum Topic {
    Request,
    Growth,
    Indexes,
    Reads,
    Lists,
    Analysis,
    Clients,
    Delay,
    Memory,
}

impl Topic {
    /// Those that were asked for, in the order of the report; all if none was.
    pub(crate) fn chosen(only: &[Self]) -> impl Iterator<Item = Self> {
        Self::value_variants().iter().copied().filter(|topic| only.is_empty() || only.contains(topic))
    }

    pub(crate) async fn run(self, bench: &Bench, outcome: &mut Outcome) -> anyhow::Result<()> {
        match self {
            Self::Request => request::run(bench, outcome).await,
            Self::Growth => growth::run(bench, outcome).await,
            Self::Indexes => indexes::run(bench, outcome).await,
            Self::Reads => reads::run(bench, outcome).await,
            Self::Lists => lists::run(bench, outcome).await,
            Self::Analysis => analysis::run(bench, outcome).await,
            Self::Clients => clients::run(bench, outcome).await,
            Self::Delay => delay::run(bench, outcome).await,
            Self::Memory => memory::run(bench, outcome),
        }
    }
}
