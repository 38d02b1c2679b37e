//! Schemas: which events are refused or counted, and what is said about them.

use std::io::Write;

use proptest::prelude::{Just, Strategy, any, prop, prop_oneof};
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use reqwest::Method;
use rollcall_shared::queue::stream::STREAM;
use rollcall_tests::{App, path_part};
use serde_json::{Value, json};

/// What purchases must be.
fn purchase() -> Value {
    json!({
        "type": "object",
        "required": ["amount"],
        "properties": {
            "amount": {"type": "number", "minimum": 0},
            "items": {"type": "array", "items": {"type": "object", "properties": {"sku": {"type": "string", "maxLength": 4}}}},
        },
    })
}

fn event(id: &str, event_type: &str, properties: &Value) -> Value {
    json!({"event_id": id, "user_id": "u", "event_type": event_type, "properties": properties})
}

/// One that matches, and one that does not.
fn good_and_bad(id: &str) -> [Value; 2] {
    let good = json!({"amount": 5, "items": [{"sku": "a"}]});
    let bad = json!({"amount": 5, "items": [{"sku": "a"}, {"sku": "hush-hush"}]});
    [event(&format!("{id}-good"), "purchase", &good), event(&format!("{id}-bad"), "purchase", &bad)]
}

fn gzip(body: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(body.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// Headers, the body, and the place and the id of the bad event.
type BadRequest = (Vec<(&'static str, &'static str)>, Vec<u8>, u64, String);

/// Requests with a bad event in every shape.
fn requests() -> Vec<BadRequest> {
    let [_, single] = good_and_bad("single");
    let [list, envelope, lines, compressed] = ["list", "envelope", "lines", "compressed"].map(good_and_bad);
    let lines: String = lines.iter().map(|event| format!("{event}\n")).collect();
    let ndjson = ("Content-Type", "application/x-ndjson");
    let body = |value: Value| value.to_string().into_bytes();
    vec![
        (vec![], body(single), 0, "single-bad".to_owned()),
        (vec![], body(json!(list)), 1, "list-bad".to_owned()),
        (vec![], body(json!({"events": envelope})), 1, "envelope-bad".to_owned()),
        (vec![ndjson], lines.into_bytes(), 1, "lines-bad".to_owned()),
        (vec![("Content-Encoding", "gzip")], gzip(&json!(compressed).to_string()), 1, "compressed-bad".to_owned()),
    ]
}

async fn queued(app: &App) -> u64 {
    app.jetstream().await.get_stream(STREAM).await.unwrap().cached_info().state.messages
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_event_is_named_in_every_shape_of_request_and_nothing_is_queued() {
    let app = App::start_without_workers(Vec::new()).await;
    app.set_schema("purchase", "reject", &purchase()).await;
    for (headers, body, index, id) in requests() {
        let (status, answer) = app.post("/events", &headers, body.clone()).await;
        assert_eq!((status, &answer["code"], &answer["invalid_events"]), (422, &json!("invalid_events"), &json!(1)), "{answer}");
        let message = "does not match the schema of this event type: value is longer than 4 characters";
        let expected = json!([{"index": index, "event_id": id, "field": "properties.items[1].sku", "code": "schema_violation",
                               "message": message}]);
        assert_eq!(answer["errors"], expected, "{id}");
        assert!(!answer.to_string().contains("hush"), "{answer}");
    }
    assert_eq!(queued(&app).await, 0);
    // As with other invalid events, the valid ones can be accepted alone.
    let (status, answer) = app.post("/events?partial=true", &[], json!(good_and_bad("p")).to_string()).await;
    assert_eq!((status, &answer["events_count"], &answer["rejected_count"]), (202, &json!(1), &json!(1)), "{answer}");
    assert_eq!(answer["event_ids"], json!(["p-good"]));
    assert_eq!(queued(&app).await, 1);
    let shown = app.wait_until_violations_are("purchase", 6).await;
    assert_eq!(shown["samples"].as_array().unwrap().len(), 6, "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warning_is_counted_and_the_event_is_stored() {
    let app = App::start().await;
    let set = app.set_schema("purchase", "warn", &purchase()).await;
    assert_eq!((&set["mode"], &set["violations"], &set["samples"]), (&json!("warn"), &json!(0), &json!([])), "{set}");
    for (headers, body, ..) in requests() {
        let (status, answer) = app.post("/events", &headers, body).await;
        assert_eq!(status, 202, "{answer}");
    }
    app.wait_until_stored().await;
    assert_eq!(app.stored().await, 9);
    let shown = app.wait_until_violations_are("purchase", 5).await;
    assert!(shown["last_violation_at"].is_string(), "{shown}");
    let samples: Vec<_> = shown["samples"]
        .as_array()
        .unwrap()
        .iter()
        .map(|sample| {
            assert!(sample["at"].is_string(), "{sample}");
            json!([sample["event_id"], sample["path"], sample["message"]])
        })
        .collect();
    // The latest comes first, and none contains a value.
    let sample = |id: &str| json!([id, "properties.items[1].sku", "value is longer than 4 characters"]);
    let ids = ["compressed-bad", "lines-bad", "envelope-bad", "list-bad", "single-bad"];
    assert_eq!(samples, ids.map(sample));
    let (_, in_full) = app.get("/admin/schemas/purchase").await;
    let mut expected = shown.clone();
    expected["schema"] = purchase();
    assert_eq!(in_full, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_ten_of_many_violations_are_samples_and_only_a_hundred_are_listed() {
    let app = App::start_without_workers(Vec::new()).await;
    for mode in ["warn", "reject"] {
        app.set_schema(mode, mode, &json!({"maxProperties": 0})).await;
        let events: Vec<_> = (0..1_000).map(|n| event(&format!("{mode}-{n}"), mode, &json!({"n": n}))).collect();
        let (status, answer) = app.post("/events?partial=true", &[], json!(events).to_string()).await;
        assert_eq!(status, if mode == "warn" { 202 } else { 422 }, "{answer}");
        if mode == "reject" {
            assert_eq!((answer["errors"].as_array().unwrap().len(), &answer["invalid_events"]), (100, &json!(1_000)));
        }
        let shown = app.wait_until_violations_are(mode, 1_000).await;
        assert_eq!(shown["samples"].as_array().unwrap().len(), 10, "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_field_is_named_as_the_client_named_it() {
    let app = App::start_without_workers(Vec::new()).await;
    app.set_schema("t", "reject", &json!({"properties": {"2026": {"items": {"type": "integer"}}}, "required": ["a\"b"]})).await;
    for (event, field, message) in [
        (json!({"type": "t", "user_id": 1, "payload": {"a\"b": 1, "2026": [1, 2.5]}}), "payload.2026[1]", "\"integer\""),
        (json!({"type": "t", "user_id": 1, "payload": {}}), "payload", "is a required property"),
        // Fields that are not known are properties.
        (json!({"type": "t", "user_id": 1, "a\"b": 1, "2026": ["x"]}), "properties.2026[0]", "\"integer\""),
        // Also if the type is the action.
        (json!({"user_id": 1, "metadata": {"action": "t"}}), "metadata", "is a required property"),
    ] {
        let (status, answer) = app.post("/events", &[], event.to_string()).await;
        let error = &answer["errors"][0];
        assert_eq!((status, &error["field"], &error["event_id"]), (422, &json!(field), &Value::Null), "{answer}");
        assert!(error["message"].as_str().unwrap().contains(message), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_types_and_other_projects_are_not_checked() {
    let app = App::start_without_workers(Vec::new()).await;
    app.make_project("other", "UTC").await;
    let key = app.make_key("other", &["ingest"]).await.key;
    app.set_schema("purchase", "reject", &json!({"maxProperties": 0})).await;
    let event = |event_type: &str| event("e", event_type, &json!({"n": 1}));
    assert_eq!(app.post("/events", &[], event("purchase").to_string()).await.0, 422);
    for other in ["Purchase", "purchase ", "purchases"] {
        app.send(&event(other)).await;
    }
    app.send_with(&key, &event("purchase")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_type_may_have_any_name() {
    let app = App::start_without_workers(Vec::new()).await;
    let long = "\u{e4}".repeat(200);
    let names = ["a/b", "/", "k\u{e4}se", "100%", "%2F", "?&=#;", " ", "\u{1F600}", "\"'\\", "{event_type}", "list", &long];
    for name in names {
        app.set_schema(name, "reject", &json!({"required": ["a"]})).await;
    }
    let (_, listed) = app.get("/admin/schemas?limit=1000").await;
    let mut sorted = names;
    sorted.sort_unstable();
    let found: Vec<_> = listed["data"].as_array().unwrap().iter().map(|schema| schema["event_type"].clone()).collect();
    assert_eq!(json!(found), json!(sorted));
    for name in names {
        let path = format!("/admin/schemas/{}", path_part(name));
        assert_eq!(app.get(&path).await.1["event_type"], name);
        let send = async || app.post("/events", &[], event("e", name, &json!({})).to_string()).await.0;
        assert_eq!(send().await, 422, "{name}");
        assert_eq!(app.call(Method::DELETE, &path).await.1["event_type"], name);
        assert_eq!(app.get(&path).await.0, 404, "{name}");
        assert_eq!(send().await, 202, "{name}");
    }
    let (status, answer) = app.admin(Method::PUT, &format!("/admin/schemas/{}", "x".repeat(201)), &json!({})).await;
    assert_eq!((status, &answer["errors"][0]["field"]), (400, &json!("event_type")), "{answer}");
}

/// Values of few kinds, so that schemas match some of them.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-2..4_i64).prop_map(Value::from),
        prop::sample::select(&[0.5, 1.0, 2.0, 1e300][..]).prop_map(Value::from),
        prop::sample::select(&["", "a", "ab", "\u{e4}\u{1F600}", "2026-01-01"][..]).prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from), object(inner)]
    })
}

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(&["a", "b", "c"][..]).prop_map(str::to_owned)
}

fn object(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    prop::collection::btree_map(name(), value, 0..3).prop_map(|entries| entries.into_iter().collect())
}

/// Schemas with most keywords.
fn schema() -> impl Strategy<Value = Value> {
    let kinds = &["object", "array", "string", "number", "integer", "boolean", "null"][..];
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        prop::sample::select(kinds).prop_map(|kind| json!({"type": kind})),
        prop::sample::subsequence(kinds.to_vec(), 1..4).prop_map(|kinds| json!({"type": kinds})),
        prop::collection::vec(value(), 1..4).prop_map(|values| json!({"enum": values})),
        value().prop_map(|value| json!({"const": value})),
        (-1..3_i64).prop_map(|number| json!({"minimum": number, "multipleOf": 0.5})),
        (0..3_u8).prop_map(|number| json!({"minLength": number, "maxItems": number, "minProperties": number})),
        prop::sample::select(&["^a", "b$", "^.$", "[^a]", "(a|b)+"][..]).prop_map(|pattern| json!({"pattern": pattern})),
        Just(json!({"format": "date", "uniqueItems": true})),
        prop::collection::btree_set(name(), 0..3).prop_map(|names| json!({"required": names})),
        Just(json!({"$ref": "#"})),
    ];
    leaf.prop_recursive(3, 16, 3, |inner| {
        let several = prop::collection::vec(inner.clone(), 1..3);
        let named = prop::collection::btree_map(name(), inner.clone(), 0..3).boxed();
        prop_oneof![
            (named.clone(), inner.clone()).prop_map(|(named, other)| json!({"properties": named, "additionalProperties": other})),
            named.clone().prop_map(|named| json!({"patternProperties": named, "propertyNames": {"maxLength": 1}})),
            named.prop_map(|named| json!({"dependentSchemas": named, "dependentRequired": {"a": ["b"]}})),
            (several.clone(), inner.clone()).prop_map(|(first, rest)| json!({"prefixItems": first, "items": rest})),
            inner.clone().prop_map(|inner| json!({"contains": inner, "minContains": 1})),
            several.clone().prop_map(|several| json!({"allOf": several, "unevaluatedProperties": false})),
            several.clone().prop_map(|several| json!({"anyOf": several})),
            several.prop_map(|several| json!({"oneOf": several})),
            inner.clone().prop_map(|inner| json!({"not": inner})),
            (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| json!({"if": a, "then": b, "else": c})),
        ]
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn those_events_are_accepted_that_the_crate_finds_valid() {
    let app = App::start_without_workers(Vec::new()).await;
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let (mut accepted, mut refused, mut schemas) = (0, 0, 0);
    for number in 0..300 {
        let definition = schema().new_tree(&mut runner).unwrap().current();
        let properties: Vec<_> = (0..20).map(|_| object(value()).new_tree(&mut runner).unwrap().current()).collect();
        // A reference to the whole leads into a property or an item, or the schema has no meaning.
        let schema = json!({"properties": {"a": definition, "b": definition}, "required": ["a"]});
        let event_type = format!("t{number}");
        let body = json!({"mode": "reject", "schema": schema});
        let (status, answer) = app.admin(Method::PUT, &format!("/admin/schemas/{event_type}"), &body).await;
        if status == 422 {
            assert_eq!(answer["errors"][0]["code"], "too_complex", "{schema}: {answer}");
            continue;
        }
        assert_eq!(status, 200, "{schema}: {answer}");
        let oracle = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
        let expected: Vec<_> = (0..properties.len()).filter(|place| !oracle.is_valid(&properties[*place])).collect();
        let events: Vec<_> = properties.iter().map(|properties| event("e", &event_type, properties)).collect();
        let (_, answer) = app.post("/events?partial=true", &[], json!(events).to_string()).await;
        let problems = answer["errors"].as_array().or(answer["rejected"].as_array()).unwrap_or_else(|| panic!("{answer}"));
        let found: Vec<_> = problems.iter().map(|problem| problem["index"].as_u64().unwrap() as usize).collect();
        assert_eq!(found, expected, "{schema} {properties:?} {answer}");
        accepted += properties.len() - expected.len();
        refused += expected.len();
        schemas += 1;
    }
    println!("{schemas} schemas, {accepted} events accepted, {refused} refused");
    assert!(schemas > 250 && accepted > 500 && refused > 500, "{schemas} {accepted} {refused}");
}
