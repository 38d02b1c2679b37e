//! `GET /live`: who may read, how many, and for how long.

use std::time::{Duration, Instant};

use rollcall_tests::{App, KEY, LiveFrame, LiveReader, event, metric, wait_until};
use serde_json::{Value, json};
use tokio::net::TcpStream;

fn login(id: &str) -> Value {
    event(id, "u", "login", "2026-03-01T10:00:00Z")
}

/// Status and code of the answer to a reader that is refused.
async fn refusal(app: &App, query: &str, key: &str, last_event_id: Option<&str>) -> (u16, String) {
    let response = LiveReader::ask(app, &app.url, query, key, last_event_id).await;
    let status = response.status().as_u16();
    (status, response.json::<Value>().await.unwrap()["code"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comment_keeps_the_connection_in_use() {
    let app = App::start_without_workers(vec![("LIVE_HEARTBEAT_MS", "100".to_owned())]).await;
    let began = Instant::now();
    let mut reader = LiveReader::connect(&app, &app.url, "").await;
    for _ in 0..3 {
        assert_eq!(reader.frame().await, Some(LiveFrame::Comment("heartbeat".to_owned())));
    }
    assert!(began.elapsed() >= Duration::from_millis(290), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_are_limited_by_key_and_in_all() {
    let limits = [("LIVE_MAX_READERS_PER_KEY", "2"), ("LIVE_MAX_READERS", "3")];
    let app = App::start_without_workers(limits.map(|(name, value)| (name, value.to_owned())).to_vec()).await;
    app.add_key("other", "other-key", &["read"]).await;
    let first = LiveReader::connect(&app, &app.url, "").await;
    let _second = LiveReader::connect(&app, &app.url, "").await;
    assert_eq!(refusal(&app, "", KEY, None).await, (429, "too_many_readers".to_owned()));
    let _third = LiveReader::of(LiveReader::ask(&app, &app.url, "", "other-key", None).await).await;
    assert_eq!(refusal(&app, "", "other-key", None).await, (503, "live_full".to_owned()));
    drop(first);
    wait_until("the place is free", async || {
        (LiveReader::ask(&app, &app.url, "", "other-key", None).await.status() == 200).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keys_of_a_project_share_its_readers() {
    let app = App::start_without_workers(vec![("LIVE_MAX_READERS_PER_PROJECT", "2".to_owned())]).await;
    app.add_key("default", "second", &["read"]).await;
    app.add_key("default", "third", &["read"]).await;
    app.add_key("other", "other-key", &["read"]).await;
    let _first = LiveReader::connect(&app, &app.url, "").await;
    let _second = LiveReader::of(LiveReader::ask(&app, &app.url, "", "second", None).await).await;
    assert_eq!(refusal(&app, "", "third", None).await, (429, "too_many_readers".to_owned()));
    assert_eq!(LiveReader::ask(&app, &app.url, "", "other-key", None).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_keep_their_connections_and_leave_half_of_them_to_others() {
    let app = App::start_without_workers(vec![]).await;
    let (mut api, url) = app.process_with("api", &[("API_MAX_CONNECTIONS", "4")]);
    api.start();
    app.wait_until_ready(&url).await;
    let mut readers = [LiveReader::connect(&app, &url, "").await, LiveReader::connect(&app, &url, "").await];
    let refused = LiveReader::ask(&app, &url, "", KEY, None).await;
    assert_eq!((refused.status().as_u16(), refused.json::<Value>().await.unwrap()["code"].clone()), (503, json!("live_full")));
    // Each of these takes the place of one that waits, and none that of a reader.
    let address = url.strip_prefix("http://").unwrap();
    let mut idle = Vec::new();
    for _ in 0..8 {
        idle.push(TcpStream::connect(address).await.unwrap());
    }
    // A connection that this test kept may have lost its place, too, so the events come on a new one.
    let newcomer = reqwest::Client::new();
    let sent = newcomer.post(format!("{url}/events")).header("X-API-Key", KEY).json(&login("e1")).send().await.unwrap();
    assert_eq!(sent.status(), 202);
    for reader in &mut readers {
        assert_eq!(reader.event_ids(1).await, ["e1"]);
    }
    assert_eq!(metric(&url, "rollcall_live_readers").await, Some(2.0));
    drop(readers);
    wait_until("they are gone", async || (metric(&url, "rollcall_live_readers").await? == 0.0).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_stops_in_time_and_ends_its_readers_streams() {
    let app = App::start_without_workers(vec![]).await;
    let (mut api, url) = app.process("api");
    api.start();
    app.wait_until_ready(&url).await;
    let mut readers = Vec::new();
    for _ in 0..20 {
        readers.push(LiveReader::connect(&app, &url, "").await);
    }
    let _unread = LiveReader::unread(&url, "").await;
    app.send(&json!((0..20_000).map(|n| login(&format!("e{n}"))).collect::<Vec<_>>())).await;
    assert_eq!(readers[0].event().await.1["event_id"], "e0");
    let began = Instant::now();
    assert_eq!(api.stop().await, Ok(()));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    for reader in &mut readers[1..] {
        while reader.frame().await.is_some() {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_needs_a_key_that_may_read_for_as_long_as_it_reads() {
    let app = App::start_without_workers(vec![]).await;
    app.add_key("other", "sends", &["ingest"]).await;
    app.add_key("other", "reads", &["read"]).await;
    assert_eq!(refusal(&app, "", "nobody", None).await, (401, "unauthorized".to_owned()));
    assert_eq!(refusal(&app, "", "sends", None).await, (403, "forbidden".to_owned()));
    let mut reader = LiveReader::of(LiveReader::ask(&app, &app.url, "", "reads", None).await).await;
    let began = Instant::now();
    let revoked = sqlx::query("update api_keys set revoked_at = now() where key_hash = sha256('reads'::bytea)");
    revoked.execute(&app.pool).await.unwrap();
    while reader.frame().await.is_some() {}
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_reads_there_is_no_connection_for_it() {
    let app = App::start_without_workers(vec![]).await;
    app.send(&json!([login("e1")])).await;
    let connections = async || {
        let answer = app.http.get(format!("{}/connz", app.nats.monitor_url())).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        answer["connections"].as_array().unwrap().iter().filter(|one| one["name"] == "rollcall-api").count()
    };
    let before = connections().await;
    let _reader = LiveReader::connect(&app, &app.url, "").await;
    assert_eq!(connections().await, before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_parameters_are_refused() {
    let app = App::start_without_workers(vec![]).await;
    let refused = || (400, "invalid_parameters".to_owned());
    assert_eq!(refusal(&app, "event=login", KEY, None).await, refused());
    assert_eq!(refusal(&app, "event_type=", KEY, None).await, refused());
    assert_eq!(refusal(&app, "", KEY, Some("yesterday")).await, refused());
}
