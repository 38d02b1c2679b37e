//! `GET /live`: what readers are told that they missed.

use rollcall_tests::{App, LiveFrame, LiveReader, WAIT_TIMEOUT, event};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

fn login(id: &str) -> Value {
    event(id, "u", "login", "2026-03-01T10:00:00Z")
}

/// What a reader was sent.
#[derive(Default)]
struct Received {
    seen: u64,
    missed: u64,
    /// The last whole frame.
    last: String,
    unread: Vec<u8>,
}

impl Received {
    /// Reads until it is `enough`.
    async fn read(&mut self, stream: &mut TcpStream, enough: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + WAIT_TIMEOUT;
        while !enough(self) {
            let read = timeout_at(deadline, stream.read_buf(&mut self.unread)).await.expect("everything in time");
            assert_ne!(read.unwrap(), 0, "the stream ends after {} seen and {} missed", self.seen, self.missed);
            while let Some(end) = self.unread.windows(2).position(|two| two == b"\n\n") {
                self.last = String::from_utf8(self.unread.drain(..end + 2).collect()).unwrap();
                // The sizes of chunks stand before some frames.
                let missed =
                    self.last.split_once(r#"data: {"missed":"#).and_then(|(_, rest)| rest.split('}').next()?.parse::<u64>().ok());
                self.seen += u64::from(self.last.contains("event: event\n"));
                self.missed += missed.unwrap_or(0);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_is_told_how_many_events_it_missed() {
    const EVENTS: u64 = 40_000;
    let app = App::start_without_workers(vec![]).await;
    let mut slow = LiveReader::unread(&app.url, "event_type=login").await;
    for batch in 0..EVENTS / 500 {
        let events: Vec<_> = (0..500).map(|n| login(&format!("e{batch}-{n}"))).collect();
        let others = (0..10).map(|n| event(&format!("o{batch}-{n}"), "u", "other", "2026-03-01T10:00:00Z"));
        app.send(&json!(events.into_iter().chain(others).collect::<Vec<_>>())).await;
    }
    let mut received = Received::default();
    received.read(&mut slow, |received| received.seen + received.missed == EVENTS).await;
    assert!(received.missed > 0, "it missed none of {EVENTS}");
    // It was told of everything, so there is room again.
    app.send(&json!([login("last")])).await;
    received.read(&mut slow, |received| received.seen + received.missed > EVENTS).await;
    assert!(received.last.contains(r#""event_id":"last""#), "{}", received.last);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_comes_back_is_told_what_it_missed() {
    let app = App::start_without_workers(vec![]).await;
    let (mut api, url) = app.process("api");
    api.start();
    app.wait_until_ready(&url).await;
    let mut reader = LiveReader::connect(&app, &app.url, "").await;
    app.send(&json!([login("e1"), login("e2"), event("e3", "u", "other", "2026-03-01T10:00:00Z")])).await;
    let [first, second, third] = [reader.event().await.0, reader.event().await.0, reader.event().await.0];
    drop(reader);
    app.send(&json!([login("e4")])).await;

    // This replica remembers the events themselves.
    let mut back = LiveReader::connect_after(&app, &app.url, "", &first).await;
    assert_eq!(back.event_ids(3).await, ["e2", "e3", "e4"]);
    let mut filtered = LiveReader::connect_after(&app, &app.url, "event_type=login", &first).await;
    assert_eq!(filtered.event_ids(2).await, ["e2", "e4"]);

    // Another one knows only that there were some: the stream does not tell of which project.
    let there = async |query, id: &str| LiveReader::connect_after(&app, &url, query, id).await;
    assert_eq!(there("", &third).await.frame().await, Some(LiveFrame::Missed(Value::Null)));
    // Unless the reader has seen an event of the stream's last message.
    let (fourth, _) = { LiveReader::connect_after(&app, &app.url, "", &third).await.event().await };
    let mut nothing = there("", &fourth).await;
    assert_eq!(there("", &second).await.frame().await, Some(LiveFrame::Missed(Value::Null)));
    app.send(&json!([login("e5")])).await;
    assert_eq!(nothing.event_ids(1).await, ["e5"]);
    assert_eq!(there("", &fourth).await.event_ids(1).await, ["e5"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rest_of_the_last_message_is_counted() {
    let app = App::start_without_workers(vec![]).await;
    app.send(&json!((0..7).map(|n| login(&format!("e{n}"))).collect::<Vec<_>>())).await;
    assert_eq!(LiveReader::connect_after(&app, &app.url, "", "1-2-7").await.frame().await, Some(LiveFrame::Missed(json!(4))));
    let filtered = LiveReader::connect_after(&app, &app.url, "user_id=u", "1-2-7").await.frame().await;
    assert_eq!(filtered, Some(LiveFrame::Missed(Value::Null)), "which of them would have passed is not known");
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_learn_that_the_connection_to_the_queue_broke() {
    let mut app = App::start_without_workers(vec![]).await;
    let mut reader = LiveReader::connect(&app, &app.url, "").await;
    app.nats.kill();
    app.nats.restart().unwrap();
    app.wait_until_all_ready().await;
    assert_eq!(reader.frame().await, Some(LiveFrame::Missed(Value::Null)));
    app.send(&json!([login("e1")])).await;
    assert_eq!(reader.event_ids(1).await, ["e1"]);
}
