//! What is refused, and in which words.

use rollcall_tests::{App, AppOptions};
use serde_json::{Value, json};

/// The service refuses properties with more bytes of JSON than this.
const MAX_PROPERTIES_BYTES: usize = 65_536;

async fn api() -> App {
    App::start_with(AppOptions { workers: 0, ..AppOptions::default() }).await
}

/// The errors of a single event, as (field, code) pairs.
async fn errors(app: &App, event: &str) -> Vec<(String, String)> {
    let (status, answer) = app.post("/events", &[], event.to_owned()).await;
    assert_eq!(status, 422, "{event}: {answer}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    answer["errors"].as_array().unwrap().iter().map(|error| (text(&error["field"]), text(&error["code"]))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_rule_of_an_event_is_enforced() {
    let app = api().await;
    let long = "x".repeat(201);
    let deep = format!("{}1{}", r#"{"a":"#.repeat(33), "}".repeat(33));
    let cases: Vec<(String, &[(&str, &str)])> = vec![
        ("17".into(), &[("", "not_an_object")]),
        ("{}".into(), &[("event_type", "required"), ("user_id", "required")]),
        ("[]".into(), &[("", "not_an_object")]),
        ("null".into(), &[("", "not_an_object")]),
        (r#"{"user_id":1}"#.into(), &[("event_type", "required")]),
        (r#"{"user_id":1,"event_type":7}"#.into(), &[("event_type", "wrong_type")]),
        (r#"{"user_id":1,"type":""}"#.into(), &[("type", "wrong_length")]),
        (format!(r#"{{"user_id":1,"event":"{long}"}}"#), &[("event", "wrong_length")]),
        (r#"{"user_id":1,"payload":{"action":7}}"#.into(), &[("event_type", "required")]),
        (r#"{"event_type":"t"}"#.into(), &[("user_id", "required")]),
        (r#"{"event_type":"t","user_id":null}"#.into(), &[("user_id", "required")]),
        (r#"{"event_type":"t","userId":1.5}"#.into(), &[("userId", "wrong_type")]),
        (r#"{"event_type":"t","user_id":{}}"#.into(), &[("user_id", "wrong_type")]),
        (r#"{"event_type":"t","user_id":""}"#.into(), &[("user_id", "wrong_length")]),
        (format!(r#"{{"event_type":"t","sessionId":"{long}"}}"#), &[("sessionId", "wrong_length")]),
        (format!(r#"{{"event_type":"t","user_id":1,"accountId":"{long}"}}"#), &[("accountId", "wrong_length")]),
        (r#"{"event_type":"t","user_id":1,"event_id":5}"#.into(), &[("event_id", "wrong_type")]),
        (r#"{"event_type":"t","user_id":1,"messageId":""}"#.into(), &[("messageId", "wrong_length")]),
        (format!(r#"{{"event_type":"t","user_id":1,"uuid":"{long}"}}"#), &[("uuid", "wrong_length")]),
        (r#"{"event_type":"t","user_id":1,"event_id":"a\nb"}"#.into(), &[("event_id", "invalid_text")]),
        (r#"{"event_type":"t","user_id":1,"ts":"soon"}"#.into(), &[("ts", "invalid_time")]),
        (r#"{"event_type":"t","user_id":1,"ts":true}"#.into(), &[("ts", "invalid_time")]),
        (r#"{"event_type":"t","user_id":1,"ts":"0000-01-01T00:00:00Z"}"#.into(), &[("ts", "out_of_range")]),
        (r#"{"event_type":"t","user_id":1,"time":"9999-12-31T23:59:59Z"}"#.into(), &[("time", "out_of_range")]),
        (r#"{"event_type":"t","user_id":1,"ts":-1}"#.into(), &[("ts", "out_of_range")]),
        (r#"{"event_type":"t","user_id":1,"properties":[]}"#.into(), &[("properties", "wrong_type")]),
        (format!(r#"{{"event_type":"t","user_id":1,"metadata":{deep}}}"#), &[("metadata", "too_deep")]),
        (
            format!(r#"{{"event_type":"t","user_id":1,"payload":{{"a":"{}"}}}}"#, "x".repeat(MAX_PROPERTIES_BYTES)),
            &[("payload", "too_large")],
        ),
        (r#"{"event_type":"t\u0000","user_id":1}"#.into(), &[("event_type", "invalid_text")]),
        (r#"{"event_type":"t","user_id":"\ud800"}"#.into(), &[("user_id", "invalid_text")]),
        (r#"{"event_type":"t","user_id":1,"payload":{"a":[{"b":"\u0000"}]}}"#.into(), &[("payload.a[0].b", "invalid_text")]),
        (r#"{"event_type":"t","user_id":1,"note":{"x":"\udc00"}}"#.into(), &[("note.x", "invalid_text")]),
        (r#"{"event_type":"t","user_id":1,"\ud800x":2}"#.into(), &[("\\ud800x", "invalid_text")]),
        (r#"{"event_type":"t","user_id":1,"a":{"\ud800x":2}}"#.into(), &[("a.\\ud800x", "invalid_text")]),
        (r#"{"event_type":"t","user_id":1,"payload":{"a":[1,1e999]}}"#.into(), &[("payload.a[1]", "out_of_range")]),
        (r#"{"event_type":"t","user_id":1,"n":-1E+0999,"m":1e99}"#.into(), &[("n", "out_of_range")]),
        ("1e999".into(), &[("", "not_an_object")]),
        (r#""\ud800""#.into(), &[("", "not_an_object")]),
        (format!(r#"{{"event_type":"t","user_id":1,"note":{deep}}}"#), &[("note", "too_deep")]),
        (format!(r#"{{"user_id":1,"payload":{{"action":"{long}"}}}}"#), &[("payload.action", "wrong_length")]),
        (r#"{"event_type":"t","user_id":1,"n":1,"n":2}"#.into(), &[("n", "conflicting_fields")]),
        (r#"{"event_type":"t","user_id":1,"n":1,"n":"1"}"#.into(), &[("n", "conflicting_fields")]),
        (
            r#"{"event_type":"t","user_id":18446744073709551617,"userId":18446744073709551618}"#.into(),
            &[("userId", "conflicting_fields")],
        ),
        (
            r#"{"event_type":"t","user_id":1,"ts":9007199254740993,"time":9007199254740992.0}"#.into(),
            &[("time", "conflicting_fields"), ("ts", "out_of_range")],
        ),
        (r#"{"event_type":"t","type":"u","user_id":1}"#.into(), &[("type", "conflicting_fields")]),
        (
            r#"{"user_id":"","ts":"x","properties":1}"#.into(),
            &[("event_type", "required"), ("user_id", "wrong_length"), ("ts", "invalid_time"), ("properties", "wrong_type")],
        ),
    ];
    for (event, expected) in cases {
        let got = errors(&app, &format!("[{event}]")).await;
        let expected: Vec<_> = expected.iter().map(|(field, code)| ((*field).to_owned(), (*code).to_owned())).collect();
        assert_eq!(got, expected, "{event:.200}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lies_just_within_the_rules_is_accepted() {
    let app = api().await;
    let deep = format!("{}1{}", r#"{"a":"#.repeat(32), "}".repeat(32));
    let almost_a_day_ahead = jiff::Timestamp::now().as_second() + 86_340;
    let largest_text = "x".repeat(MAX_PROPERTIES_BYTES - r#"{"a":""}"#.len());
    for event in [
        format!(r#"{{"event_type":"{0}","user_id":"{0}","event_id":"{1}"}}"#, "é".repeat(200), "x".repeat(200)),
        format!(r#"{{"event_type":"t","user_id":1,"payload":{deep}}}"#),
        format!(r#"{{"event_type":"t","user_id":1,"payload":{{"a":"{largest_text}"}}}}"#),
        format!(r#"{{"event_type":"t","user_id":1,"ts":{almost_a_day_ahead}}}"#),
        r#"{"event_type":"t","user_id":1,"ts":0}"#.to_owned(),
        r#"{"event_type":"t","userId":"42","user_id":42}"#.to_owned(),
        r#"{"event_type":"t","user_id":1,"payload":{"a":"\ud83d\ude00"}}"#.to_owned(),
        r#"{"event_type":"t","user_id":1,"payload":{"a":[1e308,1e-999,12345678901234567890123456789,"1e999"]}}"#.to_owned(),
        r#"{"event_type":"t","user_id":1,"n":{"a":1,"b":2},"n":{"b":2, "a":1}}"#.to_owned(),
    ] {
        let (status, answer) = app.post("/events", &[], event.clone()).await;
        assert_eq!(status, 202, "{event:.200}: {answer}");
    }
}

/// What other programs send and what a generous reader makes something of.
const NO_TIMES: [&str; 9] = [
    "2025-10-01T10:00:00[Europe/Berlin]",
    "2025-10-01T10:00:00+02:00[Europe/Berlin]",
    "2025-10-01T10",
    "2025-10-01T10:00Z",
    "20251001T100000Z",
    "2025-10-01T10:00:00+25:30",
    "2025-10-01T10:00:00,5Z",
    "+002025-10-01T10:00:00Z",
    "2025-W40-3T10:00:00Z",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_time_is_written_as_rfc_3339_says_or_refused() {
    let app = api().await;
    for time in NO_TIMES {
        let event = json!({"event_type": "t", "user_id": 1, "time": time});
        assert_eq!(errors(&app, &event.to_string()).await, [("time".to_owned(), "invalid_time".to_owned())], "{time}");
    }
    for time in ["2025-10-01T10:00:00.1234567891234Z", "2025-10-01t10:00:00z", "2025-10-01 10:00:00", "2025-10-01T10:00:00+23:59"]
    {
        app.send(&json!({"event_type": "t", "user_id": 1, "time": time})).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn days_of_a_question_are_written_as_rfc_3339_says_or_refused() {
    let app = api().await;
    for (name, day) in
        [("from", "20251001"), ("from_date", "2025-10-01[Europe/Berlin]"), ("to", "+002025-10-01"), ("to_date", "2025-W40-3")]
    {
        let (status, answer) = app.get(&format!("/stats/dau?{name}={}", day.replace('+', "%2B"))).await;
        let expected = json!([{"field": name, "code": "invalid", "message": "must be a date such as 2025-10-01"}]);
        assert_eq!((status, &answer["errors"]), (400, &expected), "{name}={day}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_cannot_be_read_does_not_spoil_its_neighbours() {
    let app = App::start().await;
    let good = r#"{"event_id":"good","event_type":"t","user_id":1}"#;
    for (bad, field, code) in [
        (r#"{"event_type":"t","user_id":1,"\ud800":2}"#, "\\ud800", "invalid_text"),
        (r#"{"event_type":"t","user_id":1,"n":[1e999]}"#, "n[0]", "out_of_range"),
        ("1e999", "", "not_an_object"),
        (r#""\ud800""#, "", "not_an_object"),
    ] {
        for (path, body) in
            [("/events", format!("[{good},{bad}]")), ("/events?partial=true", format!(r#"{{"events":[{bad},{good}]}}"#))]
        {
            let (status, answer) = app.post(path, &[], body).await;
            let (index, list, expected) = if status == 202 { (0, "rejected", 202) } else { (1, "errors", 422) };
            assert_eq!(status, expected, "{bad}: {answer}");
            let problem = &answer[list][0];
            assert_eq!(
                (&problem["index"], &problem["field"], &problem["code"], answer[list].as_array().unwrap().len()),
                (&json!(index), &json!(field), &json!(code), 1),
                "{bad}"
            );
            assert_eq!(status == 202, path.ends_with("partial=true"), "{bad}");
        }
    }
    app.wait_until_stored().await;
    assert_eq!(app.stored().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_event_refuses_the_batch_and_is_named() {
    let app = api().await;
    let body = json!([{"event_type": "t", "user_id": 1}, {"event_id": "bad", "event_type": "t"}]);
    let (status, answer) = app.post("/events", &[], body.to_string()).await;
    assert_eq!(status, 422);
    let message = "1 event is not valid; see errors";
    assert_eq!(
        answer,
        json!({"type": "urn:rollcall:problem:invalid_events", "title": "Unprocessable Entity", "status": 422, "code": "invalid_events",
               "detail": message, "message": message, "invalid_events": 1,
               "errors": [{"index": 1, "event_id": "bad", "field": "user_id", "code": "required",
                           "message": "at least one of user_id, anonymous_id and session_id is required"}]})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partial_batch_queues_the_good_and_returns_the_bad() {
    let app = App::start().await;
    let body = "{\"event_id\":\"good\",\"event_type\":\"t\",\"user_id\":1}\n{\"event_type\":\"t\"}\nno json\n";
    let headers = [("Content-Type", "application/x-ndjson")];
    let (status, mut answer) = app.post("/events?partial=true", &headers, body).await;
    assert_eq!(status, 202);
    answer["batch_id"].take();
    assert_eq!(
        answer,
        json!({"status": "accepted", "message": "Events queued for processing", "events_count": 1, "batch_id": null,
               "event_id": "good", "event_ids": ["good"], "rejected_count": 2, "rejected": [
                {"index": 1, "event_id": null, "field": "user_id", "code": "required",
                 "message": "at least one of user_id, anonymous_id and session_id is required"},
                {"index": 2, "event_id": null, "field": "", "code": "invalid_json",
                 "message": "the line is not JSON: expected ident at line 1 column 2"}]})
    );
    app.wait_until_stored().await;
    assert_eq!(app.stored().await, 1);
    assert_eq!(app.post("/events?partial=true", &headers, "{\"event_type\":\"t\"}").await.0, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn at_most_a_hundred_bad_events_are_listed_and_all_are_counted() {
    let app = api().await;
    let (status, answer) =
        app.post("/events", &[("Content-Type", "application/x-ndjson")], "{\"event_type\":\"t\"}\n".repeat(250)).await;
    assert_eq!((status, &answer["invalid_events"], answer["errors"].as_array().unwrap().len()), (422, &json!(250), 100));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_without_events_is_refused() {
    let app = api().await;
    for body in ["", " \n", "[]", r#"{"events":[]}"#] {
        let (status, answer) = app.post("/events", &[], body).await;
        assert_eq!((status, &answer["code"]), (422, &json!("empty_batch")), "{body:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_envelope_holds_events_and_nothing_else() {
    let app = api().await;
    for (body, field, code) in [
        (r#"{"events":{}}"#, "events", "wrong_type"),
        (r#"{"events":null}"#, "events", "wrong_type"),
        (r#"{"events":[],"\ud800":1}"#, "\\ud800", "unknown_field"),
        (r#"{"events":[{"event_type":"t","user_id":1}],"sent_at":1}"#, "sent_at", "unknown_field"),
    ] {
        let (status, answer) = app.post("/events", &[], body).await;
        assert_eq!(
            (status, &answer["errors"][0]["field"], &answer["errors"][0]["code"]),
            (422, &json!(field), &json!(code)),
            "{body}"
        );
        assert_eq!(answer["detail"], "the object around the events is not valid; see errors");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_parameters_and_keys_of_idempotency_are_refused() {
    let app = api().await;
    let body = r#"{"event_type":"t","user_id":1}"#;
    let (status, answer) = app.post("/events?partial=maybe&wait=long", &[], body).await;
    assert_eq!((status, answer["errors"].as_array().unwrap().len()), (400, 2));
    let long = "k".repeat(201);
    for key in ["", long.as_str()] {
        let (status, answer) = app.post("/events", &[("Idempotency-Key", key)], body).await;
        assert_eq!((status, &answer["errors"][0]["field"]), (400, &json!("Idempotency-Key")));
    }
}
