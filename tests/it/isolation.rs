//! Projects are apart: every operation of the API's description, with no key, a wrong one, one that has ended, one
//! without the scope, and the key of another project that names the first project's things.
//!
//! Everything that the first project has contains the word `marker`. The other project asks for it by its names, and
//! again by names that nobody has. Both answers must be the same, so it does not even learn that there is something.

use std::collections::BTreeSet;

use reqwest::{Method, Response};
use rollcall_tests::{App, GraphQlSocket, LiveFrame, LiveReader, Poison, event, wait_until};
use serde_json::{Value, json};

/// What a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nothing,
    Scope(&'static str),
}

const INGEST: Needs = Needs::Scope("ingest");
const READ: Needs = Needs::Scope("read");
const ADMIN: Needs = Needs::Scope("admin");

/// One operation: what it needs, its query and its body with names in them, and the status for the other project.
struct Row(&'static str, Needs, &'static str, &'static str, u16);

/// `<n>` stands for the beginning of a name, `<letter>` for a dead letter and `<key>` for a key.
const ROWS: &[Row] = &[
    Row("GET /", Needs::Nothing, "", "", 200),
    Row("GET /docs", Needs::Nothing, "", "", 200),
    Row("GET /openapi.json", Needs::Nothing, "", "", 200),
    Row("GET /health", Needs::Nothing, "", "", 200),
    Row("GET /health/live", Needs::Nothing, "", "", 200),
    Row("GET /health/ready", Needs::Nothing, "", "", 200),
    Row("GET /metrics", Needs::Nothing, "", "", 200),
    Row("GET /graphql", Needs::Nothing, "", "", 200),
    Row("GET /accounts/sample", READ, "", "", 200),
    Row("GET /accounts/{account_id}/summary", READ, "from=2025-10-01&to=2025-10-07", "", 200),
    Row("GET /event-types", READ, "query=<n>", "", 200),
    Row("GET /event-types/{name}/properties", READ, "", "", 200),
    Row("GET /events", READ, "event_type=<n>-type", "", 200),
    Row("GET /events/{user_id}", READ, "", "", 200),
    Row("GET /live", READ, "event_type=<n>-type", "", 200),
    Row("GET /pipeline", READ, "", "", 200),
    Row("GET /pipeline/events/{event_id}", READ, "", "", 200),
    Row("GET /sessions", READ, "user_id=<n>-user", "", 200),
    Row("GET /sessions/{session_id}", READ, "", "", 404),
    Row("GET /sessions/{session_id}/events", READ, "", "", 200),
    Row("GET /stats/dau", READ, "from=2025-10-01&to=2025-10-03&event_type=<n>-type", "", 200),
    Row("GET /stats/funnel", READ, "steps=<n>-type&steps=<n>-type&from=2025-10-01&to=2025-10-03", "", 200),
    Row("GET /stats/retention", READ, "start_date=2025-10-02&window_type=day&event_type=<n>-type", "", 200),
    Row("GET /stats/top-events", READ, "from=2025-10-01&to=2025-10-03", "", 200),
    Row("GET /stats/trends", READ, "from=2025-10-01&to=2025-10-03&event_type=<n>-type", "", 200),
    Row("GET /users", READ, "query=<n>", "", 200),
    Row("GET /users/{user_id}", READ, "", "", 404),
    Row("GET /users/{user_id}/events", READ, "", "", 200),
    Row(
        "POST /graphql",
        READ,
        "",
        r#"{"query":"{ eventsByUser(userId: \"<n>-user\") { eventId payload } latestEvents { eventId } }"}"#,
        200,
    ),
    Row("POST /events", INGEST, "", r#"{"event_id":"<n>-event","event_type":"<n>-type","user_id":"<n>-user"}"#, 202),
    Row("GET /admin/dead-letters", ADMIN, "event_id=<n>-bad", "", 200),
    Row("DELETE /admin/dead-letters", ADMIN, "all=true", "", 200),
    Row("POST /admin/dead-letters/redrive", ADMIN, "", "", 200),
    Row("GET /admin/dead-letters/{id}", ADMIN, "", "", 404),
    Row("DELETE /admin/dead-letters/{id}", ADMIN, "", "", 404),
    Row("POST /admin/dead-letters/{id}/redrive", ADMIN, "", "", 404),
    Row("GET /admin/projects", ADMIN, "", "", 200),
    Row("POST /admin/projects", ADMIN, "", r#"{"name":"<n>-project"}"#, 403),
    Row("PATCH /admin/projects/{project}", ADMIN, "", r#"{"retention_days":1}"#, 403),
    Row("GET /admin/keys", ADMIN, "project=<n>-project", "", 403),
    Row("POST /admin/keys", ADMIN, "", r#"{"project":"<n>-project","name":"a","scopes":["read"]}"#, 403),
    Row("POST /admin/keys/{key_id}/rotate", ADMIN, "", r#"{"overlap_seconds":0}"#, 404),
    Row("DELETE /admin/keys/{key_id}", ADMIN, "", "", 404),
    Row("GET /admin/schemas", ADMIN, "project=<n>-project", "", 403),
    Row("GET /admin/schemas/{event_type}", ADMIN, "", "", 404),
    Row("PUT /admin/schemas/{event_type}", ADMIN, "project=<n>-project", r#"{"mode":"reject","schema":{}}"#, 403),
    Row("DELETE /admin/schemas/{event_type}", ADMIN, "", "", 404),
    Row("GET /admin/audit-log", ADMIN, "project=<n>-project", "", 403),
];

/// The names that a request contains.
struct Names {
    beginning: &'static str,
    letter: String,
    key: String,
}

impl Names {
    /// Names that nobody has.
    fn of_nobody() -> Self {
        Self { beginning: "nobody", letter: "999999".to_owned(), key: "999999".to_owned() }
    }

    /// A query or a body with the names in it.
    fn fill(&self, text: &str) -> String {
        text.replace("<n>", self.beginning).replace("<letter>", &self.letter).replace("<key>", &self.key)
    }

    fn path(&self, path: &str) -> String {
        let filled = [
            ("{account_id}", "<n>-account"),
            ("{event_id}", "<n>-event"),
            ("{event_type}", "<n>-type"),
            ("{id}", "<letter>"),
            ("{key_id}", "<key>"),
            ("{name}", "<n>-type"),
            ("{project}", "<n>-project"),
            ("{session_id}", "<n>-session"),
            ("{user_id}", "<n>-user"),
        ];
        let path = filled.iter().fold(path.to_owned(), |path, (part, name)| path.replace(part, name));
        assert!(!path.contains('{'), "{path}: a part of the path has no name in this test");
        self.fill(&path)
    }
}

impl Row {
    async fn send(&self, app: &App, names: &Names, key: Option<&str>) -> Response {
        let Self(operation, _, query, body, _) = self;
        let (method, path) = operation.split_once(' ').unwrap();
        let url = format!("{}{}?{}", app.url, names.path(path), names.fill(query));
        let mut request = app.http.request(method.parse().unwrap(), url.trim_end_matches('?'));
        if let Some(key) = key {
            request = request.header("X-API-Key", key);
        }
        if !body.is_empty() {
            request = request.header("Content-Type", "application/json").body(names.fill(body));
        }
        request.send().await.unwrap()
    }

    async fn status(&self, app: &App, names: &Names, key: Option<&str>) -> u16 {
        self.send(app, names, key).await.status().as_u16()
    }

    /// The status and the body, without what is different each time.
    async fn answer(&self, app: &App, names: &Names, key: Option<&str>) -> (u16, String) {
        let response = self.send(app, names, key).await;
        let status = response.status().as_u16();
        if response.headers()["content-type"] == "text/event-stream" {
            return (status, String::new());
        }
        let text = response.text().await.unwrap();
        let Ok(mut body) = serde_json::from_str::<Value>(&text) else { return (status, text) };
        if let Some(fields) = body.as_object_mut() {
            for name in ["as_of", "batch_id"] {
                fields.remove(name);
            }
        }
        (status, body.to_string())
    }
}

/// The first project, with one of everything.
struct First {
    names: Names,
    /// Its key with all scopes.
    key: String,
}

impl First {
    async fn make(app: &App) -> Self {
        app.make_project("marker-project", "UTC").await;
        let key = app.make_key("marker-project", &["admin"]).await.key;
        let id = app.make_key("marker-project", &["read"]).await.id;
        let schema = json!({"mode": "warn", "schema": {"title": "marker-value"}});
        assert_eq!(app.admin_as(&key, Method::PUT, "/admin/schemas/marker-type", &schema).await.0, 200);
        Poison::lay(&app.pool).await;
        let mut good = event("marker-event", "marker-user", "marker-type", "2025-10-02T10:00:00Z");
        good["session_id"] = json!("marker-session");
        good["account_id"] = json!("marker-account");
        good["properties"] = json!({"plan": "marker-value"});
        let bad = Poison::in_event(event("marker-bad", "marker-user", "marker-type", "2025-10-02T10:00:00Z"));
        app.send_with(&key, &json!([good, bad])).await;
        app.wait_until_stored().await;
        let letters = app.get_as(&key, "/admin/dead-letters", &[]).await.1;
        let letter = letters["data"][0]["id"].as_str().unwrap().to_owned();
        Self { names: Names { beginning: "marker", letter, key: id.to_string() }, key }
    }

    /// Everything that the other project may not change.
    async fn state(&self, app: &App) -> Vec<Value> {
        let mut state = Vec::new();
        for path in ["/events", "/admin/dead-letters", "/admin/projects", "/admin/keys", "/admin/schemas", "/admin/audit-log"] {
            let (status, mut answer) = app.get_as(&self.key, path, &[]).await;
            assert_eq!(status, 200, "{answer}");
            for entry in answer["data"].as_array_mut().unwrap() {
                entry.as_object_mut().unwrap().remove("last_used_at");
            }
            assert!(!answer["data"].as_array().unwrap().is_empty(), "{path}");
            state.push(answer);
        }
        state
    }
}

/// Keys that must be refused, each with a name for messages.
async fn ended_keys(app: &App) -> Vec<(&'static str, String)> {
    let mut keys = vec![("a wrong key", "rk_0000".to_owned())];
    for (name, change) in [("an expired key", "expires_at = now()"), ("a revoked key", "revoked_at = now()")] {
        let key = app.make_key("marker-project", &["admin"]).await;
        let statement = format!("update api_keys set {change} where id = {}", key.id);
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&app.pool).await.unwrap();
        keys.push((name, key.key));
    }
    keys
}

/// The operations of the description, as rows name them.
async fn described(app: &App) -> BTreeSet<String> {
    let document: Value = app.http.get(format!("{}/openapi.json", app.url)).send().await.unwrap().json().await.unwrap();
    let paths = document["paths"].as_object().unwrap().iter();
    let operations = paths
        .flat_map(|(path, item)| item.as_object().unwrap().keys().map(move |method| format!("{} {path}", method.to_uppercase())));
    operations.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_is_in_the_table() {
    let app = App::start_without_workers(Vec::new()).await;
    let rows: BTreeSet<String> = ROWS.iter().map(|row| row.0.to_owned()).collect();
    assert_eq!(rows, described(&app).await, "a new operation needs a row in tests/it/isolation.rs");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_operation_answers_without_a_key_that_is_valid_and_has_the_scope() {
    let app = App::start().await;
    let first = First::make(&app).await;
    let ended = ended_keys(&app).await;
    let with = [
        ("ingest", app.make_key("marker-project", &["read"]).await.key),
        ("read", app.make_key("marker-project", &["ingest"]).await.key),
        ("admin", app.make_key("marker-project", &["ingest", "read"]).await.key),
    ];
    let before = first.state(&app).await;
    for row in ROWS {
        let Needs::Scope(scope) = row.1 else {
            let (status, body) = row.answer(&app, &first.names, None).await;
            assert_eq!(status, row.4, "{}", row.0);
            assert!(!body.contains("marker"), "{}: {body}", row.0);
            continue;
        };
        assert_eq!(row.status(&app, &first.names, None).await, 401, "{} without a key", row.0);
        for (name, key) in &ended {
            assert_eq!(row.status(&app, &first.names, Some(key)).await, 401, "{} with {name}", row.0);
        }
        let (_, without_scope) = with.iter().find(|(missing, _)| *missing == scope).unwrap();
        assert_eq!(row.status(&app, &first.names, Some(without_scope)).await, 403, "{} without the scope", row.0);
    }
    app.wait_until_stored().await;
    assert_eq!(first.state(&app).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_projects_key_finds_nothing_and_changes_nothing() {
    let app = App::start().await;
    let first = First::make(&app).await;
    app.make_project("other", "UTC").await;
    let key = app.make_key("other", &["admin"]).await.key;
    let before = first.state(&app).await;
    for row in ROWS.iter().filter(|row| row.1 != Needs::Nothing) {
        // An event that was sent would be found afterwards.
        if row.1 == INGEST {
            continue;
        }
        let (status, body) = row.answer(&app, &first.names, Some(&key)).await;
        assert_eq!(status, row.4, "{}: {body}", row.0);
        let nobodys = row.answer(&app, &Names::of_nobody(), Some(&key)).await;
        let same = (nobodys.0, nobodys.1.replace("nobody", "marker"));
        assert_eq!((status, body), same, "{}", row.0);
    }
    assert_eq!(first.state(&app).await, before);

    // The same event of the other project is another event.
    let row = ROWS.iter().find(|row| row.1 == INGEST).unwrap();
    assert_eq!(row.status(&app, &first.names, Some(&key)).await, row.4);
    app.wait_until_stored().await;
    assert_eq!(first.state(&app).await, before);
    let (_, events) = app.get_as(&key, "/events", &[]).await;
    assert_eq!(events["data"].as_array().unwrap().len(), 1, "{events}");
    assert!(!events.to_string().contains("marker-value"), "{events}");
}

/// The first project's own key does get answers to these requests, so they ask for the right things.
#[tokio::test(flavor = "multi_thread")]
async fn the_projects_own_key_finds_its_things() {
    let app = App::start().await;
    let first = First::make(&app).await;
    for row in ROWS.iter().filter(|row| row.0.starts_with("GET") && row.1 != Needs::Nothing) {
        let (status, body) = row.answer(&app, &first.names, Some(&first.key)).await;
        assert_eq!(status, 200, "{}: {body}", row.0);
        let nobodys = row.answer(&app, &Names::of_nobody(), Some(&first.key)).await;
        let has_names = row.0.contains('{') || row.2.contains("<n>");
        let is_stream = row.0 == "GET /live";
        assert!(!has_names || is_stream || nobodys.1.replace("nobody", "marker") != body, "{}: {body}", row.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn live_events_and_tools_are_those_of_the_project() {
    let app = App::start().await;
    let first = First::make(&app).await;
    app.make_project("other", "UTC").await;
    let key = app.make_key("other", &["admin"]).await.key;
    let mut stream = LiveReader::of(LiveReader::ask(&app, &app.url, "", &key, None).await).await;
    let mut socket = GraphQlSocket::connect(&app.url, &key).await;
    socket.subscribe("1", "subscription { events { eventId eventType } }").await;
    socket.wait_until_subscribed(&app, &key).await;
    app.send_with(&first.key, &json!([event("marker-live", "marker-user", "marker-type", "2025-10-02T10:00:00Z")])).await;
    app.send_with(&key, &json!([event("own", "u", "own", "2025-10-02T10:00:00Z")])).await;
    assert_eq!(socket.event().await["eventId"], "own");
    let own = loop {
        match stream.frame().await.unwrap() {
            LiveFrame::Event(_, event) if event["event_type"] == "begin" => {}
            LiveFrame::Comment(_) => {}
            frame => break frame,
        }
    };
    assert!(matches!(&own, LiveFrame::Event(_, event) if event["event_id"] == "own"), "{own:?}");

    let message = async |method: &str, params: Value| -> Value {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let request = app.http.post(format!("{}/mcp", app.url)).header("Accept", "application/json, text/event-stream");
        request.header("X-API-Key", &key).json(&body).send().await.unwrap().json().await.unwrap()
    };
    let tools = message("tools/list", json!({})).await;
    let tools = tools["result"]["tools"].as_array().unwrap();
    assert!(tools.len() >= 16, "{tools:?}");
    for tool in tools {
        let required = tool["inputSchema"]["required"].as_array().cloned().unwrap_or_default();
        let value = |name: &str| match name {
            "start_date" => json!("2025-10-01"),
            "steps" => json!(["marker-type", "marker-type"]),
            "name" => json!("marker-type"),
            name => json!(format!("marker-{}", name.trim_end_matches("_id"))),
        };
        let names = required.iter().map(|name| name.as_str().unwrap());
        let arguments: Value = names.map(|name| (name.to_owned(), value(name))).collect::<serde_json::Map<_, _>>().into();
        let answer = message("tools/call", json!({"name": tool["name"], "arguments": arguments})).await.to_string();
        // Answers may repeat what was asked for.
        let found = ["marker-value", "marker-live", "marker-event"].iter().find(|word| answer.contains(**word));
        assert_eq!(found, None, "{}: {answer}", tool["name"]);
    }
}

/// Statuses are the same for keys of other projects on a second replica, whose cache is empty.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_replica_keeps_projects_apart_too() {
    let app = App::start().await;
    let first = First::make(&app).await;
    app.make_project("other", "UTC").await;
    let key = app.make_key("other", &["admin"]).await.key;
    let (mut process, url) = app.process("api");
    process.start();
    app.wait_until_ready(&url).await;
    let get = async |key: &str| -> Value {
        app.http.get(format!("{url}/events")).header("X-API-Key", key).send().await.unwrap().json().await.unwrap()
    };
    assert_eq!(get(&first.key).await["data"].as_array().unwrap().len(), 1);
    assert_eq!(get(&key).await["data"], json!([]));
    let request = app.http.request(Method::DELETE, format!("{url}/admin/keys/{}", first.names.key));
    assert_eq!(request.header("X-API-Key", &key).send().await.unwrap().status(), 404);
    wait_until("the first key still works", async || (app.status_of(&url, &first.key).await == 200).then_some(())).await;
}
