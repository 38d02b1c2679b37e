//! GraphQL over WebSockets: how many connections there may be, and for how long.

use std::time::{Duration, Instant};

use rollcall_tests::{App, GraphQlSocket, KEY, event, metric, wait_until};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_limited_by_project_and_strangers_keep_nobody_out() {
    let app = App::start_without_workers(vec![]).await;
    app.add_key("other", "other-key", &["read"]).await;
    // A quarter are for WebSockets, and half of those for one project.
    let (mut api, url) = app.process_with("api", &[("API_MAX_CONNECTIONS", "16")]);
    api.start();
    app.wait_until_ready(&url).await;
    let _first = GraphQlSocket::connect(&url, KEY).await;
    let _second = GraphQlSocket::connect(&url, KEY).await;
    let mut third = GraphQlSocket::open(&url).await;
    third.send(json!({"type": "connection_init", "payload": {"X-API-Key": KEY}})).await;
    assert_eq!(third.closed().await, 1013);
    let headers = [("sec-websocket-protocol", "graphql-transport-ws"), ("x-api-key", KEY)];
    let refused = GraphQlSocket::open_with(&url, &headers).await.err().expect("no connection");
    assert!(refused.to_string().contains("429"), "{refused}");

    let first_stranger = GraphQlSocket::open(&url).await;
    let second_stranger = GraphQlSocket::open(&url).await;
    let _third = GraphQlSocket::connect(&url, "other-key").await;
    assert_eq!(first_stranger.closed().await, 1013);
    let _fourth = GraphQlSocket::connect(&url, "other-key").await;
    assert_eq!(second_stranger.closed().await, 1013);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_loses_its_connection_with_its_key() {
    let app = App::start_without_workers(vec![]).await;
    app.add_key("default", "short", &["read"]).await;
    let (mut api, url) = app.process("api");
    api.start();
    app.wait_until_ready(&url).await;
    let mut slow = GraphQlSocket::connect_with_little_room(&url, "short").await;
    slow.subscribe("1", "subscription { events { payload } }").await;
    wait_until("it is a reader", async || (metric(&url, "rollcall_live_readers").await? == 1.0).then_some(())).await;
    // More than the sockets between the two hold.
    for batch in 0..60 {
        let large = (0..4).map(|number| {
            let mut event = event(&format!("{batch}-{number}"), "u", "t", "2026-03-01T10:00:00Z");
            event["properties"] = json!({"text": "x".repeat(60_000)});
            event
        });
        app.send(&large.collect()).await;
    }
    let began = Instant::now();
    sqlx::query("delete from api_keys where name = 'short'").execute(&app.pool).await.unwrap();
    wait_until("it is gone", async || (metric(&url, "rollcall_live_readers").await? == 0.0).then_some(())).await;
    // A client that takes nothing is given up after half a minute in any case.
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}
