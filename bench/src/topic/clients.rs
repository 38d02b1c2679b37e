//! Clients: small requests from a growing number of clients. The service answers each when its events are
//! durable.
//!
//! The yardstick is Rollcall's API answering without publishing. The difference is the cost of durability and
//! of the worker, which stores at the same time on the same cores.

use crate::Bench;
use crate::load::{self, Request, Seen};
use crate::outcome::Outcome;
use crate::row::Row;
use crate::yardstick::unpublished::Unpublished;

const CLIENTS: [usize; 4] = [1, 16, 64, 256];
/// Numbers of events per request.
const EVENTS: [u32; 2] = [1, 20];
/// The case for which a target is defined: one event per request, 64 clients.
const TARGET: (u32, usize) = (1, 64);
const AT_LEAST: f64 = 0.5;

/// The measurements of one number of events and one number of clients.
struct Case {
    clients: usize,
    request: Request,
    rate: Row,
    p50: Row,
    p99: Row,
}

impl Case {
    fn new(events: u32, clients: usize) -> Self {
        let what = match (events, clients) {
            (1, 1) => "single events, 1 client".to_owned(),
            (1, _) => format!("single events, {clients} clients"),
            (_, 1) => format!("{events} events a request, 1 client"),
            _ => format!("{events} events a request, {clients} clients"),
        };
        let yardstick = "without publishing";
        let at_least = Some(AT_LEAST).filter(|_| (events, clients) == TARGET);
        Self {
            clients,
            request: Request::new(events),
            rate: Row::higher(format!("{what}, durable"), "requests/s").against(yardstick, at_least),
            p50: Row::lower(format!("{what}, request to 202, p50"), "ms").against(yardstick, None),
            p99: Row::lower(format!("{what}, request to 202, p99"), "ms").against(yardstick, None),
        }
    }

    fn note(&mut self, ours: Seen, theirs: Seen) {
        for (row, ours, theirs) in [
            (&mut self.rate, ours.requests_per_second, theirs.requests_per_second),
            (&mut self.p50, ours.p50_ms, theirs.p50_ms),
            (&mut self.p99, ours.p99_ms, theirs.p99_ms),
        ] {
            row.ours.push(ours);
            row.yardsticks[0].measurements.push(theirs);
        }
    }
}

pub(super) async fn run(bench: &Bench, outcome: &mut Outcome) -> anyhow::Result<()> {
    let service = &bench.full().service;
    let unpublished = Unpublished::start(service, bench.stack.folder()).await?;
    let mut cases: Vec<Case> =
        EVENTS.iter().flat_map(|events| CLIENTS.iter().map(|clients| Case::new(*events, *clients))).collect();
    for rep in 0..=bench.reps() {
        for case in &mut cases {
            let theirs = load::run(unpublished.address, case.clients, &case.request, bench.load_time()).await?;
            let ours = load::run(service.api_address, case.clients, &case.request, bench.load_time()).await?;
            // The worker would otherwise store the remaining events while the next case is measured.
            service.wait_until_drained().await?;
            // The first round only warms up connections and caches.
            if rep > 0 {
                case.note(ours, theirs);
            }
        }
    }
    outcome.note("The clients of all loads run on the same cores as the servers, for both sides alike.");
    outcome.rows.extend(cases.into_iter().flat_map(|case| [case.rate, case.p50, case.p99]));
    Ok(())
}
