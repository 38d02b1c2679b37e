//! Clients that hold connections or invent names harm nobody else.

use rollcall_tests::{App, AppOptions, KEY, event, wait_until};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn start(variables: &[(&'static str, &str)]) -> App {
    let variables = variables.iter().map(|&(name, value)| (name, value.to_owned())).collect();
    App::start_with(AppOptions { workers: 0, variables, ..AppOptions::default() }).await
}

async fn connect(app: &App) -> TcpStream {
    TcpStream::connect(app.url.trim_start_matches("http://")).await.unwrap()
}

/// Sends bytes as they are on a connection of their own.
async fn send(app: &App, bytes: &str) -> TcpStream {
    let mut stream = connect(app).await;
    stream.write_all(bytes.as_bytes()).await.unwrap();
    stream
}

/// What comes until the server closes.
async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // A reset is an end too.
    let read = tokio::time::timeout(rollcall_tests::WAIT_TIMEOUT, stream.read_to_end(&mut answer)).await;
    let _ = read.expect("the server closes the connection");
    String::from_utf8(answer).unwrap()
}

/// Whether the server has closed a connection on which it has nothing to say.
async fn is_closed(stream: &TcpStream) -> bool {
    !matches!(stream.try_read(&mut [0]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
}

#[tokio::test(flavor = "multi_thread")]
async fn invented_methods_share_one_label() {
    let app = start(&[]).await;
    let mut stream = connect(&app).await;
    for n in 0..300 {
        let last = if n == 299 { "connection: close\r\n" } else { "" };
        let head = format!("INVENTED{n} /stats/dau HTTP/1.1\r\nhost: x\r\n{last}\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
    }
    assert_eq!(rest(&mut stream).await.matches("HTTP/1.1 405").count(), 300);
    let metrics = app.http.get(format!("{}/metrics", app.url)).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("method=\"other\"") && !metrics.contains("INVENTED"), "{metrics:.2000}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_does_not_end_is_closed() {
    let app = start(&[("API_HEADER_TIMEOUT_MS", "300")]).await;
    for beginning in ["", "GET /health HTTP/1.1\r\nx-slow: ", "GET /health HTTP/1.1\r\nhost: x\r\n\r\n"] {
        rest(&mut send(&app, beginning).await).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_is_too_large_is_refused() {
    let app = start(&[]).await;
    let head = |bytes| format!("GET /health HTTP/1.1\r\nconnection: close\r\nx: {}\r\n\r\n", "x".repeat(bytes));
    assert!(rest(&mut send(&app, &head(60_000)).await).await.starts_with("HTTP/1.1 200"));
    // What is refused is not read to its end, so writing may fail, and the answer may be lost by it.
    let mut stream = connect(&app).await;
    let _ = stream.write_all(&head(100_000).as_bytes()[..66_000]).await;
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_make_room_for_new_clients() {
    let app = start(&[("API_MAX_CONNECTIONS", "8")]).await;
    let mut idle = Vec::new();
    for n in 0..40 {
        idle.push(send(&app, if n % 2 == 0 { "" } else { "GET /health HTTP/1.1\r\nx-half: " }).await);
        let one = json!([event("one", "u", "t", "2026-03-01T10:00:00Z")]);
        let fresh = reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap();
        let sent = fresh.post(format!("{}/events", app.url)).header("X-API-Key", KEY).json(&one).send().await.unwrap();
        assert_eq!(sent.status(), 202);
    }
    wait_until("most are closed", async || {
        let mut open = 0;
        for stream in &idle {
            open += usize::from(!is_closed(stream).await);
        }
        (open <= 8).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_past_the_most_connections_with_requests_is_refused_until_one_ends() {
    let app = start(&[("API_MAX_CONNECTIONS", "4")]).await;
    let half =
        format!("POST /events HTTP/1.1\r\nhost: x\r\nX-API-Key: {KEY}\r\ncontent-length: 100\r\nexpect: 100-continue\r\n\r\n");
    let mut busy = Vec::new();
    for _ in 0..4 {
        let mut stream = send(&app, &half).await;
        // The handler reads the body, so the request is under way.
        stream.read_exact(&mut [0; 25]).await.unwrap();
        busy.push(stream);
    }
    let answer = rest(&mut connect(&app).await).await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("retry-after: 1") && answer.contains("overloaded"), "{answer}");
    busy.pop();
    let health = "GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    wait_until("there is a place", async || {
        let mut stream = connect(&app).await;
        // A refused connection may be reset while it is written to.
        let _ = stream.write_all(health.as_bytes()).await;
        rest(&mut stream).await.starts_with("HTTP/1.1 200").then_some(())
    })
    .await;
}
