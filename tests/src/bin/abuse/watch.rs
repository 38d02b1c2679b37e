//! What is watched during an attack: the memory of the API, and a client that does nothing wrong.

use std::time::{Duration, Instant};

use reqwest::Client;
use rollcall_tests::{KEY, event};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Between two looks at the memory.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
/// Between two requests of the well-behaved client.
const REQUEST_INTERVAL: Duration = Duration::from_millis(20);
/// After the attack, the API gets this long to free what it held.
const SETTLE_TIME: Duration = Duration::from_secs(2);

/// Resident memory of a process in MiB; 0 once it has ended.
pub(crate) struct Rss {
    pub(crate) before_mib: u64,
    pub(crate) peak_mib: u64,
    pub(crate) after_mib: u64,
}

/// Watches the memory of one process.
pub(crate) struct Memory {
    pid: u32,
    before_mib: u64,
    end: CancellationToken,
    peak_mib: JoinHandle<u64>,
}

impl Memory {
    pub(crate) fn watch(pid: u32) -> Self {
        let end = CancellationToken::new();
        let until = end.clone();
        let peak_mib = tokio::spawn(async move {
            let mut peak = 0;
            while until.run_until_cancelled(tokio::time::sleep(LOOK_INTERVAL)).await.is_some() {
                peak = peak.max(rss_mib(pid));
            }
            peak
        });
        Self { pid, before_mib: rss_mib(pid), end, peak_mib }
    }

    pub(crate) async fn stop(self) -> Rss {
        tokio::time::sleep(SETTLE_TIME).await;
        self.end.cancel();
        let peak_mib = self.peak_mib.await.unwrap_or(0);
        Rss { before_mib: self.before_mib, peak_mib, after_mib: rss_mib(self.pid) }
    }
}

fn rss_mib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) / 1024
}

/// How the well-behaved client was served.
pub(crate) struct Delays {
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) accepted: usize,
    pub(crate) sent: usize,
}

/// A client that sends one event after another.
pub(crate) struct Neighbour {
    end: CancellationToken,
    delays: JoinHandle<Vec<(f64, bool)>>,
}

impl Neighbour {
    pub(crate) fn start(http: Client, url: String) -> Self {
        let end = CancellationToken::new();
        let until = end.clone();
        let delays = tokio::spawn(async move {
            let mut delays = Vec::new();
            while until.run_until_cancelled(tokio::time::sleep(REQUEST_INTERVAL)).await.is_some() {
                let started = Instant::now();
                let accepted = one_event(&http, &url).await;
                delays.push((started.elapsed().as_secs_f64() * 1000.0, accepted));
            }
            delays
        });
        Self { end, delays }
    }

    pub(crate) async fn stop(self) -> Delays {
        self.end.cancel();
        let mut all = self.delays.await.unwrap_or_default();
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        let at = |share: f64| all.get((all.len() as f64 * share) as usize).map_or(f64::NAN, |(delay, _)| *delay);
        Delays {
            p50_ms: at(0.5),
            p99_ms: at(0.99),
            accepted: all.iter().filter(|(_, accepted)| *accepted).count(),
            sent: all.len(),
        }
    }
}

/// Sends one event. Whether it was accepted.
pub(crate) async fn one_event(http: &Client, url: &str) -> bool {
    let request = http.post(format!("{url}/events")).header("X-API-Key", KEY).timeout(Duration::from_secs(60));
    let answer = request.json(&event(&uuid::Uuid::now_v7().to_string(), "well", "behaved", "2026-03-01T10:00:00Z")).send().await;
    answer.is_ok_and(|answer| answer.status() == 202)
}
