//! `abuse`: does to a real API what hostile clients do, one kind after another, and shows what it
//! costs the API in memory and a well-behaved client in time. `make abuse` builds everything and runs
//! it.
//!
//! It judges nothing: the black-box tests do.

mod attack;
mod watch;

use std::time::{Duration, Instant};

use clap::Parser;
use rollcall_tests::{App, AppOptions, wait_until};
use strum::VariantArray as _;

use self::attack::{Attack, Target};
use self::watch::{Memory, Neighbour};

/// Attacks an API process of its own and prints one line for each kind of attack.
#[derive(Debug, Parser)]
struct Arguments {
    /// Kinds of attack, by comma; all when absent.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Attack>,
    /// Clients with a large body each.
    #[arg(long, default_value_t = 200)]
    clients: usize,
    /// MiB of each large body.
    #[arg(long, default_value_t = 56)]
    body_mib: usize,
    /// Seconds for which connections are held open.
    #[arg(long, default_value_t = 40)]
    hold_secs: u64,
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    let app = App::start_with(AppOptions { workers: 1, ..AppOptions::default() }).await;
    let attacks = if arguments.only.is_empty() { Attack::VARIANTS.to_vec() } else { arguments.only.clone() };
    println!(
        "{:<18} {:>26} {:>9} {:>9} {:>9} {:>8}  outcome",
        "attack", "RSS MiB before/peak/after", "p50 ms", "p99 ms", "answered", "seconds"
    );
    for attack in attacks {
        // Each has a process of its own, so that the memory of one does not show in the next.
        let (mut api, url) = app.process("api");
        api.start();
        app.wait_until_ready(&url).await;
        let target = Target {
            url: url.clone(),
            http: app.http.clone(),
            clients: arguments.clients,
            body_bytes: arguments.body_mib << 20,
            hold: Duration::from_secs(arguments.hold_secs),
        };
        // The first requests open connections and fill caches.
        wait_until("an event is accepted", async || watch::one_event(&app.http, &url).await.then_some(())).await;
        let memory = Memory::watch(api.pid().expect("it runs"));
        let neighbour = Neighbour::start(url);
        let started = Instant::now();
        let outcome = attack.run(&target).await;
        let took = started.elapsed();
        let delays = neighbour.stop().await;
        let rss = memory.stop().await;
        let ended = match api.ended() {
            Some(status) => format!("; THE PROCESS ENDED: {status}"),
            None => api.stop().await.err().map(|error| format!("; {error}")).unwrap_or_default(),
        };
        let memory = format!("{} / {} / {}", rss.before_mib, rss.peak_mib, rss.after_mib);
        println!(
            "{:<18} {memory:>26} {:>9.1} {:>9.1} {:>9} {:>8.1}  {outcome}{ended}",
            attack.to_string(),
            delays.p50_ms,
            delays.p99_ms,
            format!("{}/{}", delays.accepted, delays.sent),
            took.as_secs_f64(),
        );
    }
}
