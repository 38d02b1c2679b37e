//! Request: one request of 100,000 events, until its events are durable and until they are stored.
//!
//! Every contender begins with empty tables and stores one request before the first measured one, so that
//! caches are warm. The order of the contenders changes with each repetition.

use crate::Bench;
use crate::batch::Batch;
use crate::database::Database;
use crate::number::grouped;
use crate::outcome::Outcome;
use crate::row::{Row, Yardstick};
use crate::service::Timing;
use crate::yardstick::bare_steps::BareSteps;
use crate::yardstick::reference::Reference;
use crate::yardstick::{bare_table, payload, statements, textbook};

/// Number of users in the events. After the first request, the dictionaries have most of them.
const USERS: u32 = 50_000;

/// Rollcall and the yardsticks of this topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Contender {
    Ours,
    Reference,
    BareSteps,
    Textbook,
    Statements,
    BareTable,
}

use Contender::{BareSteps as Steps, BareTable, Ours, Reference as Plain, Statements, Textbook};

/// The durations of one contender in seconds. A contender that leaves a part out has none for it.
#[derive(Debug, Clone, Copy, Default)]
struct Took {
    accepted: Option<f64>,
    /// The part of `accepted` that the publishes took.
    published: Option<f64>,
    stored: Option<f64>,
}

impl Took {
    fn whole(timing: Timing) -> Self {
        Self { accepted: Some(timing.accepted_secs), published: None, stored: Some(timing.stored_secs) }
    }
}

struct Contest<'a> {
    bench: &'a Bench,
    reference: Option<Reference>,
    bare_steps: BareSteps,
    /// The database of the yardsticks that need no service.
    tables: Database,
}

impl<'a> Contest<'a> {
    async fn open(bench: &'a Bench, outcome: &mut Outcome) -> anyhow::Result<Self> {
        let reference = match &bench.arguments.python {
            Some(python) => Some(Reference::start(&bench.stack, python).await?),
            None => {
                outcome.note("The plain Python service was left out: no --python was given. `make bench` installs and gives it.");
                None
            }
        };
        let tables = Database::create(&bench.stack.postgres, "yardsticks").await?;
        tables.migrate().await?;
        rollcall_worker::make_partitions(&tables.pool).await?;
        textbook::set_up(&tables.pool).await?;
        bare_table::set_up(&tables.pool).await?;
        Ok(Self { bench, reference, bare_steps: BareSteps::start(&bench.stack.nats).await?, tables })
    }

    async fn run(&self, contender: Contender, batch: &Batch) -> anyhow::Result<Took> {
        let pool = &self.tables.pool;
        let stored = |secs| Took { stored: Some(secs), ..Took::default() };
        Ok(match contender {
            Ours => {
                let service = &self.bench.empty().service;
                let timing = service.ingest(&batch.json, batch.events).await?;
                // The worker would otherwise fold these deltas while the next contender is measured.
                service.quiet().await?;
                Took::whole(timing)
            }
            Plain => match &self.reference {
                Some(reference) => {
                    let timing = reference.ingest(batch).await?;
                    Took::whole(timing)
                }
                None => Took::default(),
            },
            Steps => {
                let steps = self.bare_steps.run(batch).await?;
                Took { accepted: Some(steps.all), published: Some(steps.publish), stored: None }
            }
            Textbook | Statements | BareTable => {
                let lines = payload::lines(batch);
                let prepared = payload::prepare(pool, &lines).await?;
                stored(match contender {
                    Textbook => textbook::run(pool, payload::bodies(&prepared)).await?,
                    Statements => statements::run(pool, prepared).await?,
                    _ => bare_table::run(pool, payload::bodies(&prepared)).await?,
                })
            }
        })
    }
}

pub(super) async fn run(bench: &Bench, outcome: &mut Outcome) -> anyhow::Result<()> {
    let events = bench.arguments.events;
    let name = format!("one request of {} events", grouped(events));
    let mut accepted = Row::lower(format!("{name}, request to 202"), "s")
        .against("plain Python service", Some(15.0))
        .against("bare steps: parse, compress, publish", Some(0.5))
        .against("bare publish of the chunks", None);
    let mut stored = Row::lower(format!("{name}, 202 to all stored"), "s")
        .against("plain Python service", Some(60.0))
        .against("textbook: COPY to staging, INSERT … ON CONFLICT, no rollups", Some(1.0))
        .against("bare statements of our transactions, encoded before", Some(0.6))
        .against("binary COPY into a bare table", None);
    let mut whole = Row::lower(format!("{name}, request to all stored"), "s").against("plain Python service", None);
    let contest = Contest::open(bench, outcome).await?;
    let mut order = [Ours, Plain, Steps, Textbook, Statements, BareTable];
    for rep in 0..=bench.reps() {
        let batch = Batch::new(events, USERS, 1_000 + rep)?;
        for contender in order {
            let took = contest.run(contender, &batch).await?;
            // The first round only warms up.
            if rep > 0 {
                note(&mut [&mut accepted, &mut stored, &mut whole], contender, took);
            }
        }
        order.rotate_left(1);
    }
    outcome.rows.extend([accepted, stored, whole]);
    Ok(())
}

/// Adds the durations of a contender to the rows of the report.
fn note([accepted, stored, whole]: &mut [&mut Row; 3], contender: Contender, took: Took) {
    let total = took.accepted.zip(took.stored).map(|(accepted, stored)| accepted + stored);
    if contender == Ours {
        for (row, secs) in [(accepted, took.accepted), (stored, took.stored), (whole, total)] {
            secs.into_iter().for_each(|secs| row.ours.push(secs));
        }
        return;
    }
    let place = match contender {
        Plain | Ours => 0,
        Steps | Textbook => 1,
        Statements => 2,
        BareTable => 3,
    };
    let push = |yardstick: Option<&mut Yardstick>, secs: Option<f64>| {
        if let (Some(yardstick), Some(secs)) = (yardstick, secs) {
            yardstick.measurements.push(secs);
        }
    };
    push(accepted.yardsticks.get_mut(place), took.accepted);
    push(accepted.yardsticks.get_mut(2), took.published);
    push(stored.yardsticks.get_mut(place), took.stored);
    push(whole.yardsticks.get_mut(place), total);
}
