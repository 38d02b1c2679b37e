//! Services that are asked to stop under load end well and in time, and lose nothing.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use nix::sys::signal::Signal;
use rollcall_stack::Scratch;
use rollcall_tests::{App, AppOptions, KEY, Process, binary, event, free_port, wait_until};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How often API and worker are stopped.
const STOPS: usize = 12;
/// Events of one request.
const BATCH: usize = 40;

/// Sends batch after batch, each until it is accepted, until told to end. Returns how many were.
async fn client(app: &App, url: &str, name: &str, end: &AtomicBool, accepted: &AtomicUsize) -> usize {
    let mut batches = 0;
    while !end.load(Ordering::Relaxed) {
        let batch: Vec<_> =
            (0..BATCH).map(|n| event(&format!("{name}-{batches}-{n}"), &format!("u{n}"), "t", "2026-03-01T10:00:00Z")).collect();
        wait_until("a batch is accepted", async || {
            let request = app.http.post(format!("{url}/events")).header("X-API-Key", KEY).json(&batch);
            // Between two processes nobody listens.
            let response = request.timeout(Duration::from_secs(30)).send().await.ok()?;
            let status = response.status();
            assert!(status == 202 || status == 503, "{status}: {}", response.text().await.unwrap());
            (status == 202).then_some(())
        })
        .await;
        batches += 1;
        accepted.fetch_add(BATCH, Ordering::Relaxed);
    }
    batches
}

#[tokio::test(flavor = "multi_thread")]
async fn api_and_worker_stop_in_the_middle_of_load_again_and_again_and_lose_nothing() {
    let app = App::start_with(AppOptions { workers: 1, ..AppOptions::default() }).await;
    let (mut api, url) = app.process("api");
    let (mut worker, worker_url) = app.process("worker");
    let (end, accepted) = (AtomicBool::new(false), AtomicUsize::new(0));
    let stops = async {
        for stop in 0..STOPS {
            api.start();
            worker.start();
            app.wait_until_ready(&url).await;
            app.wait_until_ready(&worker_url).await;
            let (before, more) = (accepted.load(Ordering::Relaxed), BATCH * (1 + stop % 5));
            wait_until("events come in", async || (accepted.load(Ordering::Relaxed) >= before + more).then_some(())).await;
            let signal = if stop % 2 == 0 { Signal::SIGTERM } else { Signal::SIGINT };
            let (api, worker) = tokio::join!(api.stop_by(signal), worker.stop_by(signal));
            assert_eq!((api, worker), (Ok(()), Ok(())));
        }
        api.start();
        end.store(true, Ordering::Relaxed);
    };
    let names = ["a", "b", "c", "d"];
    let clients = futures::future::join_all(names.map(|name| client(&app, &url, name, &end, &accepted)));
    let ((), batches) = tokio::join!(stops, clients);
    app.wait_until_stored().await;
    let sent = batches.iter().sum::<usize>() * BATCH;
    let counts: (i64, i64) =
        sqlx::query_as("select count(*), count(distinct client_event_id) from events").fetch_one(&app.pool).await.unwrap();
    assert_eq!(counts, (sent as i64, sent as i64), "lost or doubled");
    let counted = app.ask("/stats/top-events?from=2026-03-01&to=2026-03-01").await;
    assert_eq!(counted, json!({"data": [{"event_type": "t", "count": sent}]}));
    app.wait_until_no_message_is_counted().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_waits_is_answered_before_the_api_ends() {
    let app = App::start_with(AppOptions { workers: 0, ..AppOptions::default() }).await;
    let (mut api, url) = app.process("api");
    api.start();
    app.wait_until_ready(&url).await;
    let request = app.http.post(format!("{url}/events?wait=stored&timeout_ms=30000")).header("X-API-Key", KEY);
    let request = request.json(&event("waits", "u", "t", "2026-03-01T10:00:00Z")).send();
    let stop = async {
        let stream = app.jetstream().await.get_stream("EVENTS").await.unwrap();
        wait_until("the event is durable", async || (stream.get_info().await.ok()?.state.messages == 1).then_some(())).await;
        api.stop().await
    };
    let (response, stopped) = tokio::join!(request, stop);
    assert_eq!(stopped, Ok(()));
    let response = response.unwrap();
    assert_eq!(response.status(), 202, "accepted, and not waited for any longer");
    assert_eq!(response.json::<Value>().await.unwrap()["status"], "accepted");
}

#[tokio::test(flavor = "multi_thread")]
async fn services_whose_servers_never_came_stop_all_the_same() {
    let nowhere =
        || vec![("DATABASE_URL", "postgres://nobody@127.0.0.1:9/x".to_owned()), ("NATS_URL", "nats://127.0.0.1:9".to_owned())];
    let folder = Scratch::make().unwrap();
    for (program, variable) in [("api", "API_LISTEN"), ("worker", "WORKER_LISTEN")] {
        let mut variables = nowhere();
        variables.push((variable, format!("127.0.0.1:{}", free_port())));
        let mut process = Process::new(program.to_owned(), binary(program), variables, folder.path().to_owned());
        process.start();
        let log = folder.path().join(format!("{program}.log"));
        wait_until("it waits", async || std::fs::read_to_string(&log).ok()?.contains("does not answer").then_some(())).await;
        assert_eq!(process.stop().await, Ok(()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rollcall_dev_stops_under_load_and_keeps_what_it_accepted() {
    let folder = Scratch::make().unwrap();
    let (address, data) = (format!("127.0.0.1:{}", free_port()), folder.path().join("data").display().to_string());
    let url = format!("http://{address}");
    let app = App::start_with(AppOptions { workers: 0, ..AppOptions::default() }).await;
    let mut variables: Vec<_> = ["PATH", "HOME"].iter().filter_map(|name| Some((*name, std::env::var(name).ok()?))).collect();
    variables.extend([("API_KEY", KEY.to_owned()), ("NATS_SERVER", app.nats.program().display().to_string())]);
    let mut dev = Process::new("dev".to_owned(), binary("rollcall"), variables, folder.path().to_owned());
    dev = dev.with_arguments(&["dev", "--listen", &address, "--data", &data, "--workers", "2"]);
    let (end, accepted) = (AtomicBool::new(false), AtomicUsize::new(0));
    let stops = async {
        for signal in [Signal::SIGTERM, Signal::SIGINT] {
            dev.start();
            app.wait_until_ready(&url).await;
            let before = accepted.load(Ordering::Relaxed);
            wait_until("events come in", async || (accepted.load(Ordering::Relaxed) > before + 10 * BATCH).then_some(())).await;
            assert_eq!(dev.stop_by(signal).await, Ok(()));
        }
        dev.start();
        end.store(true, Ordering::Relaxed);
        app.wait_until_ready(&url).await;
    };
    let ((), batches) = tokio::join!(stops, client(&app, &url, "a", &end, &accepted));
    wait_until("all are stored and counted", async || {
        let request = app.http.get(format!("{url}/stats/top-events?from=2026-03-01&to=2026-03-01")).header("X-API-Key", KEY);
        let answer: Value = request.send().await.ok()?.json().await.ok()?;
        (answer["data"][0]["count"] == batches * BATCH).then_some(())
    })
    .await;
    assert_eq!(dev.stop().await, Ok(()));
}

/// Clients that each hold a connection in another way: nothing sent, half a head, half a body, and many
/// requests whose answers are not read.
async fn clients_that_dawdle(address: &str) -> Vec<TcpStream> {
    let body =
        format!("POST /events HTTP/1.1\r\nhost: x\r\nX-API-Key: {KEY}\r\ncontent-length: 100\r\nexpect: 100-continue\r\n\r\n");
    let unread = "GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n".repeat(1_000);
    let mut clients = Vec::new();
    for bytes in ["", "GET /health HTTP/1.1\r\nx-half: ", &body, &unread] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        clients.push(stream);
    }
    // The body is asked for, so its request is under way.
    clients[2].read_exact(&mut [0; 25]).await.unwrap();
    clients
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_dawdle_do_not_keep_rollcall_dev_from_stopping() {
    let folder = Scratch::make().unwrap();
    let address = format!("127.0.0.1:{}", free_port());
    let app = App::start_with(AppOptions { workers: 0, ..AppOptions::default() }).await;
    let mut variables: Vec<_> = ["PATH", "HOME"].iter().filter_map(|name| Some((*name, std::env::var(name).ok()?))).collect();
    variables.extend([("API_KEY", KEY.to_owned()), ("NATS_SERVER", app.nats.program().display().to_string())]);
    let mut dev = Process::new("dev".to_owned(), binary("rollcall"), variables, folder.path().to_owned());
    dev = dev.with_arguments(&["dev", "--listen", &address, "--data", &folder.path().join("data").display().to_string()]);
    dev.start();
    app.wait_until_ready(&format!("http://{address}")).await;
    let _clients = clients_that_dawdle(&address).await;
    dev.signal(Signal::SIGINT);
    assert_eq!(dev.stop_by(Signal::SIGTERM).await, Ok(()), "also when it is asked twice");
}
