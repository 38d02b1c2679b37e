//! The bounds of schemas: what is refused because it would read elsewhere, or take too much time or memory.

use std::io::ErrorKind;
use std::net::TcpListener;

use reqwest::Method;
use rollcall_tests::{App, KEY};
use serde_json::{Map, Value, json};

/// The status, and the field and the code of the first problem.
async fn set(app: &App, body: &Value) -> (u16, String, String) {
    let (status, answer) = app.admin(Method::PUT, "/admin/schemas/t", body).await;
    let text = |name: &str| answer["errors"][0][name].as_str().unwrap_or_default().to_owned();
    assert!(status < 500, "{answer}");
    (status, text("field"), text("code"))
}

fn nested(levels: usize) -> Value {
    (0..levels).fold(json!({}), |schema, _| json!({"properties": {"a": schema}}))
}

/// Definitions, each of which refers to the next one several times for the same value.
fn doubling() -> Value {
    let mut definitions = Map::new();
    for number in 0..60 {
        let next = json!({"$ref": format!("#/$defs/d{}", number + 1)});
        definitions.insert(format!("d{number}"), json!({"properties": {"a": {"anyOf": [next, next]}}}));
    }
    definitions.insert("d60".to_owned(), json!({}));
    json!({"$ref": "#/$defs/d0", "$defs": definitions})
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_schema_is_named_and_nothing_is_stored() {
    let app = App::start_without_workers(Vec::new()).await;
    let schema = |schema: Value| json!({"mode": "reject", "schema": schema});
    let names: Vec<_> = (0..9_000).map(|number| format!("name-{number}")).collect();
    let definitions: Map<String, Value> = (0..1_001).map(|number| (format!("p{number}"), json!({}))).collect();
    let patterns: Map<String, Value> = (0..101).map(|number| (format!("^p{number}"), json!({}))).collect();
    for (body, field, code) in [
        (json!({}), "mode", "required"),
        (json!({"mode": "ignore", "schema": {}}), "mode", "invalid"),
        (json!({"mode": "warn"}), "schema", "required"),
        (json!({"mode": "warn", "schema": "{}"}), "schema", "invalid"),
        (json!({"mode": "warn", "schema": {}, "x": 1}), "x", "unknown"),
        (schema(json!({"type": "text"})), "schema.type", "invalid"),
        (schema(json!({"properties": {"a": {"items": [{"minimum": "1"}]}}})), "schema.properties.a.items", "invalid"),
        (schema(json!({"properties": {"a": {"minimum": "1"}}})), "schema.properties.a.minimum", "invalid"),
        (schema(json!({"required": "a"})), "schema.required", "invalid"),
        (schema(json!({"pattern": "("})), "schema.pattern", "invalid"),
        (schema(json!({"pattern": "^(?=a)b"})), "schema.pattern", "invalid"),
        (schema(json!({"pattern": "(a)\\1"})), "schema.pattern", "invalid"),
        (schema(json!({"items": {"patternProperties": {"(?!a)": {}}}})), "schema.items.patternProperties.(?!a)", "invalid"),
        (schema(json!({"pattern": "(x{1000}){1000}"})), "schema.pattern", "invalid"),
        (schema(json!({"$schema": "https://example.com/mine", "type": "object"})), "schema", "invalid"),
        (schema(json!({"$ref": "file:///etc/passwd"})), "schema.$ref", "invalid"),
        (schema(json!({"items": {"$ref": "other.json#/a"}})), "schema.items.$ref", "invalid"),
        (schema(json!({"$id": "https://example.com/a", "$ref": "/b"})), "schema.$ref", "invalid"),
        (schema(json!({"$ref": "#/$defs/none"})), "schema.$ref", "invalid"),
        (schema(json!({"$dynamicRef": "#a"})), "schema.$dynamicRef", "invalid"),
        (schema(json!({"items": {"$id": "https://example.com/a"}})), "schema.items.$id", "invalid"),
        (schema(json!({"$ref": "#"})), "schema", "invalid"),
        (schema(json!({"allOf": [{"$ref": "#"}]})), "schema", "invalid"),
        (schema(json!({"const": "a\u{0}"})), "schema.const", "invalid_text"),
        (schema(json!({"enum": names})), "schema", "too_large"),
        (schema(nested(40)), &format!("schema{}", ".properties.a".repeat(32)), "too_deep"),
        (schema(json!({"properties": definitions})), "schema", "too_complex"),
        (schema(json!({"patternProperties": patterns})), "schema", "too_complex"),
        (schema(doubling()), "schema", "too_complex"),
        (schema(json!({"properties": {"a": {"oneOf": [{"$ref": "#"}, {"$ref": "#"}]}}})), "schema", "too_complex"),
    ] {
        let found = set(&app, &body).await;
        let shown = body.to_string().chars().take(200).collect::<String>();
        assert_eq!((found.0, found.2.as_str()), (422, code), "{shown}: {found:?}");
        // A long path is cut, and a circle is named by any of its members.
        let (cut, is_circle) = (field.chars().take(200).collect::<String>(), body["schema"]["allOf"].is_array());
        let is_same = if field == cut { found.1 == field } else { found.1 == cut + "\u{2026}" };
        assert!(is_same || is_circle && found.1.starts_with("schema"), "{shown}: {found:?}");
    }
    let long = format!("{{\"mode\":\"warn\",\"schema\":{{{}}}}}", " ".repeat(300_000));
    let request = app.http.put(format!("{}/admin/schemas/t", app.url)).header("X-API-Key", KEY);
    assert_eq!(request.header("Content-Type", "application/json").body(long).send().await.unwrap().status(), 413);
    // The parser of JSON has a limit of its own.
    let deep = format!("{{\"mode\":\"warn\",\"schema\":{}1{}}}", "{\"a\":".repeat(200), "}".repeat(200));
    let request = app.http.put(format!("{}/admin/schemas/t", app.url)).header("X-API-Key", KEY);
    assert_eq!(request.header("Content-Type", "application/json").body(deep).send().await.unwrap().status(), 400);
    assert_eq!(app.get("/admin/schemas").await.1["data"], json!([]));
    assert_eq!(app.get("/admin/audit-log").await.1["data"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_draft_and_usual_schemas_are_taken() {
    let app = App::start_without_workers(Vec::new()).await;
    let draft = |name: &str| json!({"$schema": name, "type": "object", "properties": {"a": {"type": "string"}}});
    let choice =
        |number: u32| json!({"properties": {"kind": {"const": number}, "value": {"type": "integer"}}, "required": ["kind"]});
    for schema in [
        draft("http://json-schema.org/draft-04/schema#"),
        draft("http://json-schema.org/draft-06/schema#"),
        draft("http://json-schema.org/draft-07/schema#"),
        draft("https://json-schema.org/draft/2019-09/schema"),
        draft("https://json-schema.org/draft/2020-12/schema"),
        json!({"$id": "https://example.com/a", "$ref": "#/$defs/a~1b", "$defs": {"a/b": {}}}),
        json!({"pattern": "^[^@]{1,64}@[a-z0-9.-]{1,255}\\.[a-z]{2,}$", "format": "email", "unknown": {"$ref": "http://x/y"}}),
        json!({"pattern": "^https://.{1,500}$"}),
        json!({"oneOf": (0..30).map(choice).collect::<Vec<_>>()}),
        json!({"properties": (0..300).map(|n| (format!("p{n}"), json!({"type": ["string", "null"]}))).collect::<Map<_, _>>()}),
        json!({"enum": (0..2_000).collect::<Vec<_>>()}),
        nested(31),
        json!({"properties": {"children": {"type": "array", "items": {"$ref": "#"}}}}),
    ] {
        let body = json!({"mode": "reject", "schema": schema});
        let (status, answer) = app.admin(Method::PUT, "/admin/schemas/t", &body).await;
        assert_eq!(status, 200, "{answer} {schema}");
        assert_eq!(answer["schema"], schema);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_to_another_server_is_refused_without_a_connection() {
    let app = App::start_without_workers(Vec::new()).await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = format!("http://{}/schema.json", listener.local_addr().unwrap());
    for schema in [
        json!({"$ref": address}),
        json!({"$schema": address}),
        json!({"$defs": {"unused": {"$ref": address}}}),
        json!({"$id": address, "properties": {"a": {"$ref": "other.json"}}}),
    ] {
        let (status, _, code) = set(&app, &json!({"mode": "reject", "schema": schema})).await;
        assert_eq!((status, code.as_str()), (422, "invalid"), "{schema}");
    }
    // Compiling was over before the answer came.
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[tokio::test(flavor = "multi_thread")]
async fn patterns_that_would_never_end_elsewhere_are_matched() {
    let app = App::start_without_workers(Vec::new()).await;
    let schema = json!({"properties": {"a": {"pattern": "^(a+)+$"}, "b": {"pattern": "^(([a-z])+.)+[A-Z]([a-z])+$"}}});
    app.set_schema("t", "reject", &schema).await;
    let almost = "a".repeat(60_000) + "!";
    for (name, value, expected) in [("a", almost.as_str(), 422), ("b", &almost, 422), ("a", "aaaa", 202), ("b", "ab.Ba", 202)] {
        let event = json!({"user_id": "u", "event_type": "t", "properties": {name: value}});
        let (status, answer) = app.post("/events", &[], event.to_string()).await;
        assert_eq!(status, expected, "{name} {answer}");
        if status == 422 {
            assert_eq!(answer["errors"][0]["field"], format!("properties.{name}"));
            assert!(answer.to_string().len() < 1_000, "{answer}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_refers_to_itself_is_followed_to_the_last_level() {
    let app = App::start_without_workers(Vec::new()).await;
    let node = json!({"type": "object", "additionalProperties": {"$ref": "#"}});
    app.set_schema("list", "reject", &json!({"type": "object", "properties": {"next": {"$ref": "#"}, "n": {"type": "number"}}}))
        .await;
    app.set_schema("any", "reject", &node).await;
    let chain = |levels: usize, end: Value| (1..levels).fold(json!({"n": end}), |inner, _| json!({"next": inner}));
    let send = async |event_type: &str, properties: Value| {
        let event = json!({"user_id": "u", "event_type": event_type, "properties": properties});
        app.post("/events", &[], event.to_string()).await
    };
    assert_eq!(send("list", chain(32, json!(1))).await.0, 202);
    let (status, answer) = send("list", chain(32, json!("x"))).await;
    let path = format!("properties{}.n", ".next".repeat(31));
    assert_eq!((status, &answer["errors"][0]["field"]), (422, &json!(path)), "{answer}");
    let wide: Map<String, Value> = (0..3_000).map(|number| (format!("p{number}"), json!({"q": {}}))).collect();
    assert_eq!(send("any", json!(wide)).await.0, 202);
    assert_eq!(send("any", json!({"a": {"b": [1]}})).await.1["errors"][0]["field"], "properties.a.b");
}

/// Many choices for a large event: that it matches none of them is said, although not where.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_event_that_matches_none_of_many_choices_is_refused() {
    let app = App::start_without_workers(Vec::new()).await;
    let choice = |number: u32| json!({"properties": {"kind": {"const": number}, "list": {"items": {"type": "string"}}}});
    app.set_schema("t", "reject", &json!({"anyOf": (0..100).map(choice).collect::<Vec<_>>()})).await;
    let numbers: Vec<_> = (0..10_000).map(|number| number % 10).collect();
    let event = |list: Value| json!({"user_id": "u", "event_type": "t", "properties": {"kind": -1, "list": list}});
    for (list, said) in [(json!(numbers), "too large to say where"), (json!([1]), "any of the schemas listed in the 'anyOf'")] {
        let (status, answer) = app.post("/events", &[], event(list).to_string()).await;
        let error = &answer["errors"][0];
        assert_eq!((status, &error["field"]), (422, &json!("properties")), "{answer}");
        assert!(error["message"].as_str().unwrap().contains(said), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_has_a_limited_number_of_schemas_of_a_limited_size() {
    let app = App::start_without_workers(Vec::new()).await;
    let fill = "insert into event_schemas (project_id, event_type, mode, schema, memory_bytes) \
                select 1, 'filled-' || n, 'warn', '{}', 100 from generate_series(1, 1000) n";
    sqlx::query(fill).execute(&app.pool).await.unwrap();
    let set = async |event_type: &str| {
        let body = json!({"mode": "warn", "schema": {"type": "object"}});
        let (status, answer) = app.admin(Method::PUT, &format!("/admin/schemas/{event_type}"), &body).await;
        (status, answer["code"].clone())
    };
    assert_eq!(set("one-more").await, (409, json!("too_many_schemas")));
    // One that is there can be replaced.
    assert_eq!(set("filled-7").await.0, 200);
    assert_eq!(app.call(Method::DELETE, "/admin/schemas/filled-8").await.0, 200);
    assert_eq!(set("one-more").await.0, 200);
    sqlx::query("update event_schemas set memory_bytes = 64 << 20 where event_type = 'filled-9'")
        .execute(&app.pool)
        .await
        .unwrap();
    assert_eq!(set("one-more-again").await, (409, json!("too_many_schemas")));
    assert_eq!(app.call(Method::DELETE, "/admin/schemas/filled-10").await.0, 200);
    assert_eq!(set("one-more-again").await, (409, json!("schemas_too_large")));
}
