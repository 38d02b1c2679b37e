//! Large bodies that arrive slowly, in pieces, and in any order with others: they are read meanwhile, and the outcome is that
//! of a body that arrives at once.

use std::time::Duration;

use futures::StreamExt;
use futures::future::join_all;
use futures::stream;
use reqwest::Body;
use rollcall_tests::{App, AppOptions, KEY};
use serde_json::{Value, json};

/// More events than the answer lists, of more bytes than a small body may have: about 500 KB.
const EVENTS: usize = 4_000;

/// An event of about 130 bytes.
fn event(number: usize) -> String {
    format!(
        r#"{{"event_id":"e{number}","event_type":"é","user_id":{number},"properties":{{"path":"/ä/{number}","n":[1,{{"a":"]"}}]}}}}"#
    )
}

fn envelope(events: &[String]) -> Vec<u8> {
    format!(r#"{{ "events" : [{}] }}"#, events.join(" ,\n")).into_bytes()
}

fn events(prefix: usize) -> Vec<String> {
    (0..EVENTS).map(|number| event(prefix * EVENTS + number)).collect()
}

/// Sends a body in pieces, with a pause after each; returns the status and the answer.
async fn trickle(app: &App, key: &str, query: &str, body: Vec<u8>, piece: usize, pause: Duration) -> (u16, Value) {
    let pieces: Vec<Vec<u8>> = body.chunks(piece).map(<[u8]>::to_vec).collect();
    let pieces = stream::iter(pieces).then(move |piece| async move {
        tokio::time::sleep(pause).await;
        Ok::<_, std::io::Error>(piece)
    });
    let request = app.http.post(format!("{}/events{query}", app.url)).header("X-API-Key", key);
    let request = request.header("Content-Type", "application/json").body(Body::wrap_stream(pieces));
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn stored(app: &App) -> i64 {
    app.wait_until_stored().await;
    app.stored().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_in_pieces_of_any_size_is_accepted_as_a_whole() {
    let app = App::start().await;
    for (round, piece) in [7_001, 65_536, 300_000].into_iter().enumerate() {
        let (status, answer) = trickle(&app, KEY, "", envelope(&events(round)), piece, Duration::from_millis(1)).await;
        assert_eq!((status, &answer["events_count"]), (202, &json!(EVENTS)), "{answer}");
    }
    assert_eq!(stored(&app).await, 3 * EVENTS as i64);
    // Sent again at once, all of them are duplicates.
    assert_eq!(app.post("/events", &[], envelope(&events(1))).await.0, 202);
    assert_eq!(stored(&app).await, 3 * EVENTS as i64);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_as_of_a_body_that_arrives_at_once_and_nothing_is_stored() {
    let app = App::start().await;
    let good = events(0);
    let with = |place: usize, event: &str| {
        let mut events = good.clone();
        events[place] = event.to_owned();
        envelope(&events)
    };
    let whole = envelope(&good);
    let mut no_text = whole.clone();
    let place = no_text.len() - 100;
    no_text[place] = 0xff;
    let cases = [
        (422, "an invalid event", with(3_000, r#"{"event_type":"t"}"#), ""),
        (422, "half a pair in a name", with(3_900, r#"{"event_type":"t","user_id":1,"\ud800":1}"#), ""),
        (422, "another value", with(3_999, "1"), ""),
        (400, "a missing comma", with(3_500, "{} {}"), ""),
        (400, "an unfinished body", whole[..whole.len() - 5].to_vec(), ""),
        (400, "more behind it", [whole.clone(), b"x".to_vec()].concat(), ""),
        (422, "a field beside the events", [&whole[..whole.len() - 1], br#","more":1}"#].concat(), ""),
        (400, "no text", no_text, ""),
        (202, "invalid events among others", with(3_000, r#"{"event_type":"t"}"#), "?partial=true"),
    ];
    for (expected, what, body, query) in cases {
        let (status, slow) = trickle(&app, KEY, query, body.clone(), 50_000, Duration::ZERO).await;
        let (_, at_once) = app.post(&format!("/events{query}"), &[], body).await;
        assert_eq!(status, expected, "{what}: {slow}");
        let without_ids = |mut answer: Value| {
            for id in ["batch_id", "request_id", "instance"] {
                answer.as_object_mut().unwrap().remove(id);
            }
            answer
        };
        assert_eq!(without_ids(slow), without_ids(at_once), "{what}");
    }
    // Only those of the last case are stored, once.
    assert_eq!(stored(&app).await, EVENTS as i64 - 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_bodies_at_once_than_have_threads_are_all_accepted() {
    // Each project has two large bodies at a time.
    let app =
        App::start_with(AppOptions { variables: vec![("MAX_BODY_BYTES", "4000000".to_owned())], ..AppOptions::default() }).await;
    let keys: Vec<String> = (0..6).map(|number| format!("key-{number}")).collect();
    for key in &keys {
        app.add_key(&format!("project-{key}"), key, &["ingest"]).await;
    }
    let sent =
        (0..12).map(|round| trickle(&app, &keys[round / 2], "", envelope(&events(round)), 40_000, Duration::from_millis(20)));
    for (status, answer) in join_all(sent).await {
        assert_eq!(status, 202, "{answer}");
    }
    assert_eq!(stored(&app).await, 12 * EVENTS as i64);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_leave_in_the_middle_leave_nothing_behind() {
    let app = App::start().await;
    for round in 0..20 {
        let body = envelope(&events(round));
        let begun = stream::iter([Ok::<_, std::io::Error>(body[..400_000].to_vec())]).chain(stream::pending());
        let request = app.http.post(format!("{}/events", app.url)).header("X-API-Key", KEY).body(Body::wrap_stream(begun));
        assert!(tokio::time::timeout(Duration::from_millis(300), request.send()).await.is_err(), "the rest never comes");
    }
    // Memory, places and threads are free again.
    for round in 20..24 {
        let (status, answer) = trickle(&app, KEY, "", envelope(&events(round)), 100_000, Duration::ZERO).await;
        assert_eq!(status, 202, "{answer}");
    }
    assert_eq!(stored(&app).await, 4 * EVENTS as i64);
}
