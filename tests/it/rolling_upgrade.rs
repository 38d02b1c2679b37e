//! An upgrade side by side: replicas are replaced one after the other under load.
//!
//! `make upgrade FROM=COMMIT` builds an older version, and then those that are replaced are of that version. Otherwise they
//! are of the same one, which shows everything but what differs between two versions. For that there is
//! `previous_version`.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rollcall_tests::{App, AppOptions, KEY, Replica, Servers, Version, event, wait_until};
use serde_json::{Value, json};

/// Events of one request.
const BATCH: usize = 20;
/// Addresses that a client tries for one request before that counts as a failure: each twice.
const MAX_ATTEMPTS: usize = 4;

/// A client that knows every replica, like one behind a proxy.
struct Client {
    http: reqwest::Client,
    urls: Vec<String>,
    accepted: AtomicUsize,
    end: AtomicBool,
}

impl Client {
    /// Sends a request to one replica after the other until one serves it, as clients should: without an answer, or with
    /// 503, nothing is wrong with the request.
    async fn send(&self, first: usize, request: impl Fn(&str) -> reqwest::RequestBuilder) -> (u16, Value) {
        let mut refusals = Vec::new();
        for attempt in 0..MAX_ATTEMPTS {
            let url = &self.urls[(first + attempt) % self.urls.len()];
            match request(url).header("X-API-Key", KEY).timeout(Duration::from_secs(30)).send().await {
                Ok(answer) => {
                    let (status, answer) = (answer.status().as_u16(), answer.json::<Value>().await.unwrap());
                    if status != 503 {
                        return (status, answer);
                    }
                    refusals.push(answer["code"].to_string());
                }
                Err(error) => refusals.push(format!("{error:?}")),
            }
        }
        panic!("no replica serves the request: {refusals:#?}");
    }

    /// Sends batch after batch, every third of them twice. Returns how many.
    async fn send_events(&self, name: &str) -> usize {
        let mut batches = 0;
        while !self.end.load(Ordering::Relaxed) {
            let batch: Vec<_> = (0..BATCH)
                .map(|n| event(&format!("{name}-{batches}-{n}"), &format!("u{n}"), "t", "2026-03-01T10:00:00Z"))
                .collect();
            let times = if batches % 3 == 0 { 2 } else { 1 };
            for first in 0..times {
                let request = |url: &str| self.http.post(format!("{url}/events")).json(&batch);
                let (status, answer) = self.send(batches + first, request).await;
                assert_eq!(status, 202, "{answer}");
            }
            batches += 1;
            self.accepted.fetch_add(BATCH, Ordering::Relaxed);
        }
        batches
    }

    /// Asks one question after the other.
    async fn ask(&self) {
        for n in 0.. {
            if self.end.load(Ordering::Relaxed) {
                return;
            }
            let request = |url: &str| self.http.get(format!("{url}/stats/top-events?from=2026-03-01&to=2026-03-01"));
            let (status, answer) = self.send(n, request).await;
            assert_eq!(status, 200, "{answer}");
        }
    }

    async fn is_ready(&self, url: &str) -> Option<()> {
        let answer = self.http.get(format!("{url}/health/ready")).send().await.ok()?;
        (answer.json::<Value>().await.ok()?["status"] == "ready").then_some(())
    }

    /// Waits until some more events are accepted.
    async fn go_on(&self) {
        let before = self.accepted.load(Ordering::Relaxed);
        wait_until("events come in", async || (self.accepted.load(Ordering::Relaxed) > before + 10 * BATCH).then_some(())).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_are_replaced_under_load_and_no_request_fails_and_nothing_is_lost_or_doubled() {
    let (old, new) = (Version::previous(), Version::current());
    let servers = Servers::empty().await;
    old.migrate(&servers).await;
    let mut replicas = ["worker", "api", "worker", "api"].map(|program| Replica::start(program, &old, &servers));
    let urls = replicas.each_ref().map(Replica::url);
    let apis = vec![urls[1].clone(), urls[3].clone()];
    let http = reqwest::Client::new();
    let client = Client { http, urls: apis, accepted: AtomicUsize::new(0), end: AtomicBool::new(false) };
    for url in &urls {
        wait_until("the old replica is ready", async || client.is_ready(url).await).await;
    }

    let upgrade = async {
        client.go_on().await;
        new.migrate(&servers).await;
        // The old replicas work with the new schema.
        client.go_on().await;
        for (replica, url) in replicas.iter_mut().zip(&urls) {
            assert_eq!(replica.replace(&new, &servers).await, Ok(()));
            wait_until("the new replica is ready", async || client.is_ready(url).await).await;
            // Old and new ones side by side.
            client.go_on().await;
        }
        client.end.store(true, Ordering::Relaxed);
    };
    let senders = ["a", "b", "c"].map(|name| client.send_events(name));
    let ((), (), batches) = tokio::join!(upgrade, client.ask(), futures::future::join_all(senders));

    let sent = batches.iter().sum::<usize>() * BATCH;
    let logs: Vec<_> = replicas.iter().map(Replica::log).collect();
    assert!(logs.iter().all(|log| !log.contains("ERROR")), "{logs:#?}");
    let app = App::start_on(servers, AppOptions { workers: 0, ..AppOptions::default() }).await;
    app.wait_until_stored().await;
    let counts: (i64, i64) =
        sqlx::query_as("select count(*), count(distinct client_event_id) from events").fetch_one(&app.pool).await.unwrap();
    assert_eq!(counts, (sent as i64, sent as i64), "lost or doubled");
    let counted = app.ask("/stats/top-events?from=2026-03-01&to=2026-03-01").await;
    assert_eq!(counted, json!({"data": [{"event_type": "t", "count": sent}]}));
    let users = app.ask("/stats/dau?from=2026-03-01&to=2026-03-01").await;
    assert_eq!(users["data"], json!([{"date": "2026-03-01", "unique_users": BATCH}]));
    assert_eq!(app.get("/admin/dead-letters").await.1["data"], json!([]));
}
