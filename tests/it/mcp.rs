//! The questions as tools for assistants, at `/mcp`.

use std::collections::BTreeSet;

use reqwest::{RequestBuilder, Response, StatusCode};
use rollcall_tests::{App, KEY, event};
use serde_json::{Value, json};

/// A request with one message, and everything that the protocol asks of a client.
fn request(app: &App, key: &str, message: &Value) -> RequestBuilder {
    let request = app.http.post(format!("{}/mcp", app.url)).header("Accept", "application/json, text/event-stream");
    request.header("X-API-Key", key).json(message)
}

fn message(method: &str, params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
}

async fn result(app: &App, key: &str, method: &str, params: &Value) -> Value {
    let response = request(app, key, &message(method, params)).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/json");
    let mut answer: Value = response.json().await.unwrap();
    assert_eq!((&answer["jsonrpc"], &answer["id"]), (&json!("2.0"), &json!(1)), "{answer}");
    assert!(answer["result"].is_object(), "{answer}");
    answer["result"].take()
}

async fn tools(app: &App, key: &str) -> Vec<Value> {
    let mut list = result(app, key, "tools/list", &json!({})).await;
    match list["tools"].take() {
        Value::Array(tools) => tools,
        other => panic!("no list: {other}"),
    }
}

/// Calls a tool that must succeed; returns its answer.
async fn call(app: &App, key: &str, tool: &str, arguments: &Value) -> Value {
    let mut result = result(app, key, "tools/call", &json!({"name": tool, "arguments": arguments})).await;
    assert_eq!(result["isError"], false, "{tool}: {result}");
    let text: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(text, result["structuredContent"], "{tool}: the text is the same JSON");
    result["structuredContent"].take()
}

/// Calls a tool that must fail; returns what is wrong.
async fn refused(app: &App, tool: &str, arguments: &Value) -> Value {
    let result = result(app, KEY, "tools/call", &json!({"name": tool, "arguments": arguments})).await;
    assert_eq!((&result["isError"], result.get("structuredContent")), (&json!(true), None), "{tool}: {result}");
    serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap()
}

/// A project in a time zone of its own with some events, and the key to read it.
async fn history(app: &App) -> &'static str {
    sqlx::query("insert into projects (name, time_zone) values ('lima', 'America/Lima')").execute(&app.pool).await.unwrap();
    app.add_key("lima", "lima-key", &["ingest", "read"]).await;
    let of = |id: &str, user: &str, event_type: &str, at: &str| {
        let mut event = event(id, user, event_type, at);
        event["session_id"] = json!(format!("s/{user}"));
        event["account_id"] = json!("acc 1");
        event["properties"] = json!({"plan": "pro", "price": 1.50});
        event
    };
    let events = json!([
        of("1", "ada", "login", "2025-10-01T10:00:00Z"),
        of("2", "ada", "buy", "2025-10-01T10:05:00Z"),
        of("3", "bob", "login", "2025-10-02T03:00:00Z"),
        of("4", "ada", "login", "2025-10-09T10:00:00Z"),
        of("5", "bob", "log out", "2025-10-10T10:00:00Z"),
    ]);
    let request = app.http.post(format!("{}/events", app.url)).header("X-API-Key", "lima-key");
    assert_eq!(request.json(&events).send().await.unwrap().status(), 202);
    app.wait_until_stored().await;
    "lima-key"
}

/// Each tool with arguments, and the address at which the same is asked.
fn questions() -> Vec<(&'static str, Value, &'static str)> {
    vec![
        (
            "active_users",
            json!({"from": "2025-10-01", "to": "2025-10-10", "granularity": "week"}),
            "/stats/dau?from=2025-10-01&to=2025-10-10&granularity=week",
        ),
        (
            "top_events",
            json!({"from": "2025-10-01", "to": "2025-10-31", "limit": 2}),
            "/stats/top-events?from=2025-10-01&to=2025-10-31&limit=2",
        ),
        ("retention", json!({"start_date": "2025-10-01", "windows": "2"}), "/stats/retention?start_date=2025-10-01&windows=2"),
        (
            "events",
            json!({"where": ["plan:pro", "price:gte:1"], "order": "asc"}),
            "/events?where=plan:pro&where=price:gte:1&order=asc",
        ),
        ("users", json!({"query": "a"}), "/users?query=a"),
        ("user", json!({"user_id": "ada"}), "/users/ada"),
        ("user_events", json!({"user_id": "ada", "event_type": null}), "/users/ada/events"),
        ("sessions", json!({"from": "2025-10-01", "limit": 1}), "/sessions?from=2025-10-01&limit=1"),
        ("session", json!({"session_id": "s/ada"}), "/sessions/s%2Fada"),
        ("session_events", json!({"session_id": "s/bob", "limit": 1}), "/sessions/s%2Fbob/events?limit=1"),
        ("account_sample", json!({}), "/accounts/sample"),
        (
            "account_summary",
            json!({"account_id": "acc 1", "from": "2025-10-01", "to": "2025-10-02"}),
            "/accounts/acc%201/summary?from=2025-10-01&to=2025-10-02",
        ),
        ("event_types", json!({"query": "log"}), "/event-types?query=log"),
        ("event_type_properties", json!({"name": "log out"}), "/event-types/log%20out/properties"),
        (
            "funnel",
            json!({"steps": ["login", "buy"], "from": "2025-10-01", "to": "2025-10-31", "breakdown": "plan"}),
            "/stats/funnel?steps=login&steps=buy&from=2025-10-01&to=2025-10-31&breakdown=plan",
        ),
        (
            "trends",
            json!({"metric": "users", "event_type": ["login", "buy"], "from": "2025-10-01", "to": "2025-10-10"}),
            "/stats/trends?metric=users&event_type=login&event_type=buy&from=2025-10-01&to=2025-10-10",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_question_is_a_tool_that_answers_as_its_endpoint() {
    let app = App::start().await;
    let key = history(&app).await;
    let offered: BTreeSet<String> = tools(&app, key).await.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(offered, questions().into_iter().map(|(tool, ..)| tool.to_owned()).collect());
    for (tool, arguments, address) in questions() {
        let mut answer = call(&app, key, tool, &arguments).await;
        assert_eq!(answer["time_zone"], "America/Lima", "{tool}");
        answer.as_object_mut().unwrap().remove("time_zone");
        let response = app.http.get(format!("{}{address}", app.url)).header("X-API-Key", key).send().await.unwrap();
        let mut expected: Value = response.json().await.unwrap();
        // The moment at which each was computed.
        for answer in [&mut answer, &mut expected] {
            answer.as_object_mut().unwrap().remove("as_of");
        }
        assert_eq!(answer, expected, "{tool}");
        assert_ne!(answer.get("data"), Some(&json!([])), "{tool}: the history has something to answer with");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_are_described_by_what_their_questions_take() {
    let app = App::start().await;
    let tools = tools(&app, history(&app).await).await;
    for tool in &tools {
        assert_eq!(tool["annotations"], json!({"readOnlyHint": true, "openWorldHint": false}), "{tool}");
        assert!(tool["description"].as_str().unwrap().contains("in the time zone America/Lima"), "{tool}");
        assert_eq!(
            (&tool["inputSchema"]["type"], &tool["inputSchema"]["additionalProperties"]),
            (&json!("object"), &json!(false))
        );
        let answer = &tool["outputSchema"];
        assert_eq!((&answer["type"], &answer["properties"]["time_zone"]["type"]), (&json!("object"), &json!("string")), "{tool}");
        let text = answer.to_string();
        for name in text.split("\"$ref\":\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            assert!(answer.pointer(name.trim_start_matches('#')).is_some(), "{name} of {tool}");
        }
    }
    let named = |name: &str| tools.iter().find(|tool| tool["name"] == name).unwrap();
    let retention = &named("retention")["inputSchema"];
    assert_eq!(retention["required"], json!(["start_date"]));
    let windows = &retention["properties"]["windows"];
    assert_eq!((&windows["type"], &windows["minimum"], &windows["maximum"]), (&json!("integer"), &json!(1), &json!(52)));
    let window_type = &retention["properties"]["window_type"];
    assert_eq!((&window_type["enum"], &window_type["default"]), (&json!(["day", "week", "month"]), &json!("week")));
    assert_eq!(named("user_events")["inputSchema"]["required"], json!(["user_id"]));
    assert_eq!(named("events")["inputSchema"]["properties"]["limit"]["default"], 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_arguments_are_refused_as_the_endpoint_refuses_them() {
    let app = App::start().await;
    for (tool, arguments, address) in [
        ("active_users", json!({"granularity": "year"}), "/stats/dau?granularity=year"),
        ("active_users", json!({"from": "tomorrow", "colour": true}), "/stats/dau?from=tomorrow&colour=true"),
        ("top_events", json!({"limit": 0}), "/stats/top-events?limit=0"),
        ("top_events", json!({"limit": 1.5}), "/stats/top-events?limit=1.5"),
        ("top_events", json!({"from": ["2025-10-01", "2025-10-02"]}), "/stats/top-events?from=2025-10-01&from=2025-10-02"),
        ("retention", json!({}), "/stats/retention"),
        ("events", json!({"cursor": "bm90aGluZw"}), "/events?cursor=bm90aGluZw"),
        ("session", json!({"session_id": "none"}), "/sessions/none"),
    ] {
        let (status, expected) = app.get(address).await;
        assert!(status >= 400, "{address}");
        assert_eq!(refused(&app, tool, &arguments).await, expected, "{tool} {arguments}");
    }
    let problem = &refused(&app, "top_events", &json!({"limit": {"most": 5}})).await["errors"][0];
    assert_eq!((&problem["field"], &problem["code"]), (&json!("limit"), &json!("invalid")));
    let unknown = message("tools/call", &json!({"name": "drop_tables", "arguments": {}}));
    let answer: Value = request(&app, KEY, &unknown).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["error"], json!({"code": -32602, "message": "there is no tool drop_tables"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_has_at_most_50_entries_unless_asked_and_100_kb() {
    let app = App::start().await;
    let events: Vec<_> = (0..60)
        .map(|number| {
            let mut event = event(&format!("{number:02}"), "ada", "t", "2025-10-01T10:00:00Z");
            event["properties"] = json!({"text": "x".repeat(1_700)});
            event
        })
        .collect();
    app.send(&json!(events)).await;
    app.wait_until_stored().await;
    let too_large = refused(&app, "events", &json!({"limit": 60})).await;
    assert_eq!((&too_large["code"], &too_large["limit_bytes"]), (&json!("answer_too_large"), &json!(100_000)));
    assert!(too_large["message"].as_str().unwrap().contains("a smaller limit"), "{too_large}");
    let first = call(&app, KEY, "events", &json!({"fields": null})).await;
    assert_eq!(first["data"].as_array().unwrap().len(), 50);
    let second = call(&app, KEY, "events", &json!({"cursor": first["next_cursor"], "limit": 40})).await;
    assert_eq!((second["data"].as_array().unwrap().len(), &second["next_cursor"]), (10, &Value::Null));
    let large = request(&app, KEY, &message("tools/call", &json!({"name": "x".repeat(70_000)}))).send().await.unwrap();
    assert_eq!(large.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_may_ask_about_its_own_project_if_it_has_the_scope_read() {
    let app = App::start().await;
    let key = history(&app).await;
    app.add_key("default", "sender", &["ingest"]).await;
    let list = message("tools/list", &json!({}));
    let url = format!("{}/mcp", app.url);
    let plain = || app.http.post(&url).header("Accept", "application/json, text/event-stream").json(&list);
    let nobody = plain().send().await.unwrap();
    assert_eq!((nobody.status(), &nobody.headers()["www-authenticate"]), (StatusCode::UNAUTHORIZED, &"Bearer".parse().unwrap()));
    assert_eq!(request(&app, "unknown", &list).send().await.unwrap().status(), 401);
    assert_eq!(request(&app, "sender", &list).send().await.unwrap().status(), 403);
    assert_eq!(plain().bearer_auth(key).send().await.unwrap().status(), 200);
    let arguments = json!({"user_id": "ada"});
    assert_eq!(call(&app, key, "user_events", &arguments).await["data"].as_array().unwrap().len(), 3);
    let others = json!({"data": [], "next_cursor": null, "time_zone": "UTC"});
    assert_eq!(call(&app, KEY, "user_events", &arguments).await, others);
    let cursor = call(&app, key, "events", &json!({"limit": 1})).await["next_cursor"].take();
    assert_eq!(refused(&app, "events", &json!({"cursor": cursor, "limit": 1})).await["errors"][0]["code"], "invalid_cursor");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_hosts_are_refused() {
    let app = App::start().await;
    let list = message("tools/list", &json!({}));
    let from = async |origin: &str| request(&app, KEY, &list).header("Origin", origin).send().await.unwrap().status().as_u16();
    assert_eq!(from(&app.url).await, 200);
    for origin in ["https://example.com", "http://127.0.0.1:1", "http://127.0.0.1", "null", "nonsense"] {
        assert_eq!(from(origin).await, 403, "{origin}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_negotiated_and_no_session_is_needed() {
    let app = App::start().await;
    let initialize = |version: &str| {
        let client = json!({"name": "test", "version": "1"});
        json!({"protocolVersion": version, "capabilities": {}, "clientInfo": client})
    };
    for (asked, agreed) in [("2025-03-26", "2025-03-26"), ("2025-06-18", "2025-06-18"), ("2025-11-25", "2025-11-25")] {
        let server = result(&app, KEY, "initialize", &initialize(asked)).await;
        assert_eq!((&server["protocolVersion"], &server["serverInfo"]["name"]), (&json!(agreed), &json!("rollcall")));
        assert_eq!(server["capabilities"], json!({"tools": {}}));
    }
    let unknown = result(&app, KEY, "initialize", &initialize("1999-01-01")).await;
    assert_eq!(unknown["protocolVersion"], "2025-11-25", "the newest with this handshake");
    let answer = async |method: &str, id: Value| -> Response {
        let mut message = json!({"jsonrpc": "2.0", "method": method});
        if !id.is_null() {
            message["id"] = id;
        }
        request(&app, KEY, &message).send().await.unwrap()
    };
    assert_eq!(answer("notifications/initialized", Value::Null).await.status(), 202);
    let ping = answer("ping", json!("a")).await;
    assert!(!ping.headers().contains_key("mcp-session-id"));
    assert_eq!(ping.json::<Value>().await.unwrap(), json!({"jsonrpc": "2.0", "id": "a", "result": {}}));
    let unknown = answer("resources/read", json!(7)).await.json::<Value>().await.unwrap();
    assert!(unknown["error"]["code"].is_i64(), "{unknown}");
    let version = request(&app, KEY, &message("tools/list", &json!({}))).header("MCP-Protocol-Version", "1999-01-01");
    assert_eq!(version.send().await.unwrap().status(), 400);
    assert_eq!(app.get("/mcp").await.0, 405);
}
