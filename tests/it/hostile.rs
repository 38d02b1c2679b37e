//! Bodies and addresses made to do harm: deep, wide and long-keyed ones.
//!
//! Each is answered with a few problems and little text, and others are served meanwhile.

use std::io::Write;

use reqwest::StatusCode;
use rollcall_tests::{App, AppOptions, KEY};
use serde_json::{Value, json};

/// The most that an answer to a single bad event may take.
const MAX_ANSWER_BYTES: usize = 16 * 1024;
/// Problems listed of one event.
const MAX_PROBLEMS: usize = 20;

async fn api() -> App {
    App::start_with(AppOptions { workers: 0, ..AppOptions::default() }).await
}

/// Sends a body that must be refused as the one event's fault, while a neighbour's event is accepted.
async fn assert_refused(app: &App, what: &str, body: String) -> Vec<Value> {
    // Compressed as an attacker would; the connection carries little.
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(body.as_bytes()).unwrap();
    let request = app
        .http
        .post(format!("{}/events", app.url))
        .header("X-API-Key", KEY)
        .header("Content-Type", "application/json")
        .header("Content-Encoding", "gzip")
        .body(encoder.finish().unwrap());
    let neighbour = json!({"event_type": "t", "user_id": 1});
    let (response, _) = tokio::join!(request.send(), app.send(&neighbour));
    let response = response.unwrap();
    assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY, "{what}");
    let answer = response.bytes().await.unwrap();
    assert!(answer.len() <= MAX_ANSWER_BYTES, "{what}: an answer of {} bytes", answer.len());
    let mut answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(answer["invalid_events"], 1, "{what}: {answer}");
    let Value::Array(errors) = answer["errors"].take() else { panic!("{what}: no list of errors") };
    assert!((1..=MAX_PROBLEMS).contains(&errors.len()), "{what}: {} problems", errors.len());
    errors
}

/// The event with these further fields.
fn event(fields: &str) -> String {
    format!(r#"{{"event_type":"t","user_id":1,{fields}}}"#)
}

fn nested(levels: usize, inner: &str) -> String {
    "[".repeat(levels) + inner + "]".repeat(levels).as_str()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deep_value_is_refused_for_its_depth() {
    let app = api().await;
    for levels in [7_000, 4_000_000] {
        for inner in [r#""\u0041""#, "1e999", "0"] {
            for (name, fields) in [
                ("x", format!(r#""x":{}"#, nested(levels, inner))),
                ("payload", format!(r#""payload":{{"a":{}}}"#, nested(levels, inner))),
            ] {
                let errors = assert_refused(&app, &format!("{levels} levels of {name}"), event(&fields)).await;
                let code = if levels == 7_000 { "too_deep" } else { "too_large" };
                let field = if name == "x" && levels > 7_000 { "properties" } else { name };
                assert_eq!((&errors[0]["field"], &errors[0]["code"]), (&json!(field), &json!(code)));
            }
        }
    }
    let objects = format!(r#""payload":{}1{}"#, r#"{"\u0041":"#.repeat(5_000), "}".repeat(5_000));
    assert_eq!(assert_refused(&app, "objects", event(&objects)).await[0]["code"], "too_deep");
    assert_eq!(assert_refused(&app, "no event", nested(2, &nested(4_000_000, "\"\\u0041\""))).await[0]["code"], "not_an_object");
    // The parser's own error would repeat the text.
    assert_eq!(assert_refused(&app, "one long text", format!("\"{}\"", "x".repeat(8 << 20))).await[0]["code"], "not_an_object");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_key_before_millions_of_items_is_refused_for_its_size() {
    let app = api().await;
    let (key, items) = ("k".repeat(12_000_000), vec!["1"; 6_000_000].join(","));
    for fields in [
        format!(r#""{key}":[{items},"\u0000"]"#),
        format!(r#""payload":{{"{key}":[{items},"\u0000"]}}"#),
        format!(r#""\ud800{key}":[{items},"\u0000"]"#),
    ] {
        let errors = assert_refused(&app, "a long key", event(&fields)).await;
        assert!(matches!(errors[0]["code"].as_str(), Some("too_large" | "invalid_text")), "{errors:?}");
    }
    // Within the limits of size, a path is still cut to what an answer can repeat.
    let fields = format!(r#""payload":{{"{}":[{},"\u0000"]}}"#, "k".repeat(30_000), vec!["1"; 15_000].join(","));
    let errors = assert_refused(&app, "a path", event(&fields)).await;
    assert_eq!(errors[0]["code"], "invalid_text");
    assert!(errors[0]["field"].as_str().unwrap().len() < 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn at_most_twenty_problems_of_an_event_are_listed() {
    let app = api().await;
    let conflicts: Vec<String> = (0..400_000).map(|n| format!(r#""ts":{n}"#)).collect();
    assert_eq!(assert_refused(&app, "conflicts", event(&conflicts.join(","))).await.len(), MAX_PROBLEMS);
    let halves: Vec<String> = (0..400_000).map(|n| format!(r#""\ud800{n}":1"#)).collect();
    assert_eq!(assert_refused(&app, "names that are no text", event(&halves.join(","))).await.len(), MAX_PROBLEMS);
    let texts: Vec<String> = (0..2_000).map(|n| format!(r#""k{n}":"\u0000""#)).collect();
    assert_eq!(assert_refused(&app, "texts that cannot be stored", event(&texts.join(","))).await.len(), MAX_PROBLEMS);
    let wide: Vec<String> = (0..1_000_000).map(|n| format!(r#""k{n}":{n}"#)).collect();
    assert_eq!(assert_refused(&app, "many fields", event(&wide.join(","))).await[0]["code"], "too_large");
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_agree_and_differ_in_length_are_compared_in_little_time() {
    let app = api().await;
    // Each short value is compared with the long one.
    let long = format!(r#""user_id":"{}\u0041""#, "x".repeat(8_000_000));
    let short = vec![r#""user_id":"\u0041""#; 400_000].join(",");
    let errors = assert_refused(&app, "one long, many short", format!(r#"{{"event_type":"t",{long},{short}}}"#)).await;
    assert_eq!(errors[0]["code"], "conflicting_fields");
    let objects = vec![format!(r#""payload":{{"a":[{}],"b":1}}"#, vec!["0"; 30_000].join(",")); 60];
    let swapped = format!(r#""payload":{{"b":1,"a":[{}]}}"#, vec!["0"; 30_000].join(","));
    assert_accepted(&app, event(&format!("{},{swapped}", objects.join(",")))).await;
}

async fn assert_accepted(app: &App, body: String) {
    let (status, answer) = app.post("/events", &[], body).await;
    assert_eq!(status, 202, "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_hostile_events_are_answered_in_a_megabyte() {
    let app = api().await;
    let hostile = event(&vec![r#""ts":1,"ts":2,"\ud800":1"#; 40].join(","));
    let body = format!("[{}]", vec![hostile; 10_000].join(","));
    let (status, answer) = app.post("/events", &[], body).await;
    assert_eq!((status, &answer["invalid_events"]), (422, &json!(10_000)));
    assert_eq!(answer["errors"].as_array().unwrap().len(), 100 * MAX_PROBLEMS);
    assert!(answer.to_string().len() < 1 << 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_of_thousands_of_parameters_is_answered_with_twenty_problems() {
    let app = api().await;
    let (status, answer) = app.get(&format!("/stats/dau?{}", "a=&".repeat(15_000))).await;
    assert_eq!((status, answer["errors"].as_array().unwrap().len()), (400, MAX_PROBLEMS));
    let (status, answer) = app.get(&format!("/stats/dau?{}=1", "n".repeat(40_000))).await;
    assert_eq!(status, 400);
    assert!(answer.to_string().len() < MAX_ANSWER_BYTES);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_process_stops_in_time_under_hostile_bodies() {
    let app = api().await;
    let (mut process, url) = app.process("api");
    process.start();
    app.wait_until_ready(&url).await;
    let fields = format!(r#""{}":[{}]"#, "k".repeat(12_000_000), vec!["1"; 6_000_000].join(","));
    let body = event(&fields);
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let request = app
            .http
            .post(format!("{url}/events"))
            .header("X-API-Key", KEY)
            .header("Content-Type", "application/json")
            .body(body.clone());
        senders.spawn(request.send());
    }
    // One answer tells that the others are under way.
    senders.join_next().await;
    process.stop().await.unwrap();
}
