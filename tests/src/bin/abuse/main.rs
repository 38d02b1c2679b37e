//! `abuse`: does to a real API what hostile clients do, one kind after another, and shows what it
//! costs the API in memory and a well-behaved client in time. `make abuse` builds everything and runs
//! it.
//!
//! It judges nothing: the black-box tests do.

mod attack;
mod http2;
mod over_limit;
mod watch;

use std::time::{Duration, Instant};

use clap::Parser;
use reqwest::Client;
use rollcall_stack::Scratch;
use rollcall_tests::{App, AppOptions, Authority, Process, wait_until};
use serde_json::json;
use strum::VariantArray as _;

use self::attack::{Attack, Target};
use self::watch::{Memory, Neighbour};

/// Attacks an API process of its own and prints one line for each kind of attack. The line of `calm`, or of `http2-calm`, says
/// what the same client experiences without any.
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

/// The limit of the key that exceeds it.
const LIMITED_REQUESTS_PER_SECOND: u32 = 50;

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    let app = App::start_with(AppOptions { workers: 1, ..AppOptions::default() }).await;
    let keys = Keys::make(&app).await;
    let attacks: &[Attack] = if arguments.only.is_empty() { Attack::VARIANTS } else { &arguments.only };
    println!(
        "{:<18} {:>26} {:>9} {:>9} {:>9} {:>8}  outcome",
        "attack", "RSS MiB before/peak/after", "p50 ms", "p99 ms", "answered", "seconds"
    );
    for attack in attacks {
        run(*attack, &app, &keys, &arguments).await;
    }
}

/// Keys of those who attack, of another project than that of the well-behaved client.
struct Keys {
    other: String,
    limited: String,
}

impl Keys {
    async fn make(app: &App) -> Self {
        app.make_project("other", "UTC").await;
        let other = app.make_key("other", &["ingest", "read"]).await.key;
        let limits = json!({ "requests_per_second": LIMITED_REQUESTS_PER_SECOND });
        let limited = json!({ "project": "other", "name": "limited", "scopes": ["ingest"], "limits": limits });
        Self { other, limited: app.make_key_with(limited).await.key }
    }
}

/// Attacks an API and prints a line about it. Each attack has a process of its own, so that the memory of one does not show
/// in the next.
async fn run(attack: Attack, app: &App, keys: &Keys, arguments: &Arguments) {
    let (authority, folder) = (Authority::new(), Scratch::make().expect("a temporary folder"));
    let (mut api, url) = if attack.needs_tls() { with_tls(app, &authority, &folder) } else { app.process("api") };
    api.start();
    let client = || if attack.needs_tls() { authority.client().build().expect("a client") } else { Client::new() };
    let well_behaved = client();
    let target = Target {
        url: url.clone(),
        // With connections of its own.
        http: client(),
        other_key: keys.other.clone(),
        limited_key: keys.limited.clone(),
        clients: arguments.clients,
        body_bytes: arguments.body_mib << 20,
        hold: Duration::from_secs(arguments.hold_secs),
        authority,
    };
    // The first requests open connections and fill caches.
    wait_until("an event is accepted", async || watch::one_event(&well_behaved, &url).await.then_some(())).await;
    let memory = Memory::watch(api.pid().expect("it runs"));
    let neighbour = Neighbour::start(well_behaved, url);
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

/// An API that speaks TLS, and so HTTP/2.
fn with_tls(app: &App, authority: &Authority, folder: &Scratch) -> (Process, String) {
    let (certificate, key) = authority.certificate().write(folder.path(), "server");
    let (certificate, key) = (certificate.display().to_string(), key.display().to_string());
    let (process, url) = app.process_with("api", &[("API_TLS_CERT_FILE", &certificate), ("API_TLS_KEY_FILE", &key)]);
    (process, url.replace("http://", "https://"))
}
