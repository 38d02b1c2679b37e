//! GraphQL: the same answers, limits and errors as the REST API, in another form.

use std::collections::BTreeSet;

use rollcall_tests::{App, AppOptions, KEY, event};
use serde_json::{Value, json};

/// Every question: its field with arguments, and the path with the same parameters.
const QUESTIONS: [(&str, &str); 19] = [
    (
        r#"activeUsers(from: "2025-10-01", to: "2025-10-31", granularity: "week")"#,
        "/stats/dau?from=2025-10-01&to=2025-10-31&granularity=week",
    ),
    (r#"topEvents(from: "2025-10-01", to: "2025-10-31", limit: 1)"#, "/stats/top-events?from=2025-10-01&to=2025-10-31&limit=1"),
    (
        r#"retention(startDate: "2025-10-01", windows: 2, windowType: "day")"#,
        "/stats/retention?start_date=2025-10-01&windows=2&window_type=day",
    ),
    (r#"events(where: ["plan:pro", "n:gt:1"], order: "asc")"#, "/events?where=plan:pro&where=n:gt:1&order=asc"),
    (r#"events(limit: 2)"#, "/events?limit=2"),
    (r#"userEvents(userId: "ada/1")"#, "/users/ada%2F1/events"),
    (r#"users(query: "ada")"#, "/users?query=ada"),
    (r#"user(userId: "ada/1")"#, "/users/ada%2F1"),
    ("sessions", "/sessions"),
    (r#"session(sessionId: "s 1")"#, "/sessions/s%201"),
    (r#"sessionEvents(sessionId: "s 1", limit: 1)"#, "/sessions/s%201/events?limit=1"),
    ("accountSample(limit: 5)", "/accounts/sample?limit=5"),
    (
        r#"accountSummary(accountId: "acc", from: "2025-10-01", to: "2025-10-31")"#,
        "/accounts/acc/summary?from=2025-10-01&to=2025-10-31",
    ),
    (r#"accountSummary(accountId: "acc")"#, "/accounts/acc/summary"),
    ("eventTypes(query: null)", "/event-types"),
    (r#"eventTypeProperties(name: "login")"#, "/event-types/login/properties"),
    (
        r#"funnel(steps: ["login", "buy"], from: "2025-10-01", to: "2025-10-31")"#,
        "/stats/funnel?steps=login,buy&from=2025-10-01&to=2025-10-31",
    ),
    (
        r#"funnel(steps: ["login", "buy"], from: "2025-10-01", to: "2025-10-31", breakdown: "plan")"#,
        "/stats/funnel?steps=login,buy&from=2025-10-01&to=2025-10-31&breakdown=plan",
    ),
    (
        r#"trends(eventType: ["login", "buy"], metric: "users", interval: "week", from: "2025-10-01", to: "2025-10-31")"#,
        "/stats/trends?event_type=login&event_type=buy&metric=users&interval=week&from=2025-10-01&to=2025-10-31",
    ),
];

/// The fields that the contract names besides.
const EVENT_LISTS: [&str; 3] = ["latestEvents", "eventsByType", "eventsByUser"];

async fn history(variables: &[(&'static str, &str)]) -> App {
    let variables = variables.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    let app = App::start_with(AppOptions { variables, ..AppOptions::default() }).await;
    let with = |id, user, event_type, at, more: Value| {
        let mut event = event(id, user, event_type, at);
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    let body = json!([
        with("1", "ada/1", "login", "2025-10-01T10:00:00Z", json!({"session_id": "s 1", "properties": {"plan": "pro", "n": 2}})),
        with("2", "ada/1", "buy", "2025-10-02T10:00:00Z", json!({"session_id": "s 1", "account_id": "acc"})),
        with("3", "bob", "login", "2025-10-03T10:00:00.25Z", json!({"account_id": "acc", "properties": {"plan": "pro", "n": 1}})),
    ]);
    app.send(&body).await;
    // Numbers that not every reader keeps.
    app.post("/events", &[], r#"{"event_id":"4","anonymous_id":"x","event_type":"big","occurred_at":"2025-10-04T10:00:00Z","properties":{"n":12345678901234567890123.50,"a_b":[1.0]}}"#).await;
    app.wait_until_stored().await;
    app
}

async fn query(app: &App, text: &str, variables: Value) -> Value {
    let (status, answer) = app.post("/graphql", &[], json!({"query": text, "variables": variables}).to_string()).await;
    assert_eq!(status, 200, "{text}: {answer}");
    answer
}

/// What a query without errors is answered with.
async fn data(app: &App, text: &str) -> Value {
    let mut answer = query(app, text, json!({})).await;
    assert_eq!(answer["errors"], Value::Null, "{text}: {answer}");
    answer["data"].take()
}

/// The code and the message of the first error.
async fn refusal(app: &App, text: &str) -> (Value, Value) {
    let answer = query(app, text, json!({})).await;
    (answer["errors"][0]["extensions"]["code"].clone(), answer["errors"][0]["message"].clone())
}

/// The types of the schema.
async fn schema(app: &App) -> Value {
    let reference = "type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";
    data(app, &format!("{{ __schema {{ types {{ name fields {{ name {reference} args {{ name {reference} }} }} }} }} }}")).await
        ["__schema"]["types"]
        .take()
}

fn fields<'a>(schema: &'a Value, ty: &str) -> Option<&'a Vec<Value>> {
    schema.as_array().unwrap().iter().find(|found| found["name"] == ty)?["fields"].as_array()
}

/// Everything that can be selected of a type, without the second names of fields.
fn selection(schema: &Value, ty: &str) -> String {
    let Some(fields) = fields(schema, ty) else { return String::new() };
    let fields = fields.iter().filter(|field| field["name"] != "timestamp" && field["name"] != "payload");
    let selected: Vec<String> = fields
        .map(|field| {
            let inner = std::iter::successors(Some(&field["type"]), |ty| Some(&ty["ofType"])).find(|ty| ty["name"].is_string());
            format!("{} {}", field["name"].as_str().unwrap(), selection(schema, inner.unwrap()["name"].as_str().unwrap()))
        })
        .collect();
    format!("{{ {} }}", selected.join(" "))
}

/// A question with everything that can be selected.
fn whole(schema: &Value, question: &str) -> String {
    let name = question.split('(').next().unwrap();
    let field = fields(schema, "Query").unwrap().iter().find(|field| field["name"] == name).unwrap();
    let ty = std::iter::successors(Some(&field["type"]), |ty| Some(&ty["ofType"])).find(|ty| ty["name"].is_string()).unwrap();
    format!("{{ {question} {} }}", selection(schema, ty["name"].as_str().unwrap()))
}

/// The same with names in camel case, but for names that clients chose.
fn camel(value: &Value) -> Value {
    match value {
        Value::Array(values) => values.iter().map(camel).collect(),
        Value::Object(object) => {
            let name = |name: &String| {
                let mut parts = name.split('_');
                let first = parts.next().unwrap_or_default().to_owned();
                parts.fold(first, |name, part| name + &part[..1].to_uppercase() + &part[1..])
            };
            let inside =
                |name: &str, value: &Value| if matches!(name, "properties" | "totals") { value.clone() } else { camel(value) };
            object.iter().map(|(key, value)| (name(key), inside(key, value))).collect()
        }
        value => value.clone(),
    }
}

fn remove_nulls(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(remove_nulls),
        Value::Object(object) => {
            object.retain(|_, value| !value.is_null());
            object.values_mut().for_each(remove_nulls);
        }
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_question_is_answered_as_by_rest() {
    let app = history(&[]).await;
    let schema = schema(&app).await;
    for (question, path) in QUESTIONS {
        let (status, rest) = app.get(path).await;
        assert_eq!(status, 200, "{path}: {rest}");
        let name = question.split('(').next().unwrap();
        let mut answer = data(&app, &whole(&schema, question)).await[name].take();
        let mut expected = camel(&rest);
        // Answers that are computed anew say when.
        for answer in [&mut answer, &mut expected] {
            answer.as_object_mut().unwrap().remove("asOf");
            // A type whose entries have different fields answers null for those that one does not have.
            remove_nulls(answer);
        }
        assert_eq!(answer, expected, "{question}");
    }
    let tested: BTreeSet<&str> =
        QUESTIONS.iter().map(|(question, _)| question.split('(').next().unwrap()).chain(EVENT_LISTS).collect();
    let offered: BTreeSet<&str> = fields(&schema, "Query").unwrap().iter().map(|field| field["name"].as_str().unwrap()).collect();
    assert_eq!(tested, offered);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_three_lists_of_the_contract_name_fields_as_it_does() {
    let app = history(&[]).await;
    let received = app.get("/events?event_id=3").await.1["data"][0]["received_at"].clone();
    let bob = json!({"eventId": "3", "eventType": "login", "userId": "bob", "timestamp": "2025-10-03T10:00:00.25Z",
                     "payload": {"plan": "pro", "n": 1}, "anonymousId": null, "sessionId": null, "accountId": "acc",
                     "receivedAt": received});
    let fields = "{ eventId eventType userId timestamp payload anonymousId sessionId accountId receivedAt }";
    let answer = query(
        &app,
        &format!(
            "query ($user: String!, $type: String!) {{ latestEvents(limit: 2) {{ eventId }} \
             eventsByType(eventType: $type, limit: 1) {fields} eventsByUser(userId: $user) {fields} }}"
        ),
        json!({"user": "bob", "type": "login"}),
    )
    .await;
    let expected = json!({"latestEvents": [{"eventId": "4"}, {"eventId": "3"}], "eventsByType": [bob], "eventsByUser": [bob]});
    assert_eq!(answer, json!({ "data": expected }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_is_answered_byte_for_byte() {
    let app = history(&[]).await;
    let body = json!({"query": "{ latestEvents(limit: 1) { payload } }"}).to_string();
    let request =
        app.http.post(format!("{}/graphql", app.url)).header("X-API-Key", KEY).header("Content-Type", "application/json");
    let answer = request.body(body).send().await.unwrap().text().await.unwrap();
    assert_eq!(answer, r#"{"data":{"latestEvents":[{"payload":{"n":12345678901234567890123.50,"a_b":[1.0]}}]}}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_follow_one_another_by_cursor() {
    let app = history(&[]).await;
    let mut ids = Vec::new();
    let mut cursor = Value::Null;
    loop {
        let text = "query ($cursor: String) { events(limit: 3, cursor: $cursor) { data { eventId } nextCursor } }";
        let answer = query(&app, text, json!({"cursor": cursor})).await;
        let page = &answer["data"]["events"];
        ids.extend(page["data"].as_array().unwrap().iter().map(|event| event["eventId"].as_str().unwrap().to_owned()));
        cursor = page["nextCursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!(ids, ["4", "3", "2", "1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_have_the_codes_of_rest() {
    let app = history(&[]).await;
    let answer = query(
        &app,
        r#"{ activeUsers(from: "yesterday", eventType: "") { granularity } topEvents { data { count } } }"#,
        json!({}),
    )
    .await;
    let mut rest = app.get("/stats/dau?from=yesterday&event_type=").await.1;
    rest["errors"][1]["field"] = json!("eventType");
    let expected = json!({"data": {"activeUsers": null, "topEvents": {"data": []}}, "errors": [{
        "message": rest["message"], "locations": [{"line": 1, "column": 3}], "path": ["activeUsers"],
        "extensions": {"code": "invalid_parameters", "errors": rest["errors"]},
    }]});
    assert_eq!(answer, expected);

    for (text, code) in [
        (r#"{ session(sessionId: "none") { events } }"#, "not_found"),
        ("{ latestEvents(limit: 1001) { eventId } }", "invalid_parameters"),
        ("{ latestEvents(limit: 0) { eventId } }", "invalid_parameters"),
        (r#"{ events(cursor: "x") { nextCursor } }"#, "invalid_parameters"),
        (r#"{ events(where: "plan") { nextCursor } }"#, "invalid_parameters"),
        ("{ eventsByUser { eventId } }", "invalid_query"),
        ("{ nothing }", "invalid_query"),
        ("{ latestEvents", "invalid_query"),
        ("mutation { a }", "invalid_query"),
        (r#"{ latestEvents(limit: "2") { eventId } }"#, "invalid_query"),
    ] {
        assert_eq!(refusal(&app, text).await.0, code, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_no_queries_are_refused_as_by_rest() {
    let app = App::start().await;
    let code = async |headers: &[(&str, &str)], body: String| {
        let (status, answer) = app.post("/graphql", headers, body).await;
        (status, answer["code"].as_str().unwrap_or_default().to_owned())
    };
    let query = json!({"query": "{ latestEvents { eventId } }"}).to_string();
    assert_eq!(code(&[], "{".to_owned()).await, (400, "invalid_body".to_owned()));
    assert_eq!(code(&[], format!("[{query}]")).await, (400, "invalid_body".to_owned()));
    assert_eq!(code(&[], json!({"query": " ".repeat(65_536)}).to_string()).await, (413, "body_too_large".to_owned()));
    assert_eq!(code(&[("Content-Type", "text/plain")], query.clone()).await, (415, "unsupported_media_type".to_owned()));
    let accept = ("Accept", "application/graphql-response+json");
    assert_eq!(app.post("/graphql", &[accept], json!({"query": "{ a }"}).to_string()).await.0, 400);
    assert_eq!(app.post("/graphql", &[accept], query.clone()).await.0, 200);

    app.add_key("default", "sender", &["ingest"]).await;
    for (key, expected) in [("sender", 403), ("nobody", 401)] {
        let request =
            app.http.post(format!("{}/graphql", app.url)).header("X-API-Key", key).header("Content-Type", "application/json");
        assert_eq!(request.body(query.clone()).send().await.unwrap().status(), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_asks_for_too_much_is_refused_before_it_is_run() {
    let app = App::start().await;
    let all = "eventId eventType userId timestamp payload anonymousId sessionId accountId receivedAt";
    let page = |name: &str| format!("{name}: latestEvents(limit: 1000) {{ {all} }}");
    assert_eq!(data(&app, &format!("{{ {} }}", page("a"))).await, json!({"a": []}));
    let aliases: String = (0..11).map(|number| format!("q{number}: sessions {{ nextCursor }} ")).collect();
    let types = "fields { type { ".repeat(5);
    for text in [
        format!("{{ {} {} {} }}", page("a"), page("b"), page("c")),
        format!("{{ {aliases} }}"),
        format!("{{ {} }}", "a ".repeat(2_000)),
        format!("{{ a {} }}", "{ a ".repeat(11) + &"}".repeat(11)),
        format!("{{ __schema {{ types {{ {types} name {} }} }} }}", "} } ".repeat(5)),
        format!("{{ latestEvents(limit: {}", "[".repeat(60_000)),
        format!("{{ latestEvents(limit: {}1{}) {{ eventId }} }}", "{a:".repeat(15_000), "}".repeat(15_000)),
        "{ a ".repeat(15_000),
        "{ ...f } fragment f on Query { ...f }".to_owned(),
    ] {
        assert_eq!(refusal(&app, &text).await.0, "query_too_complex", "{}", &text[..text.len().min(80)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_sees_its_own_project_only() {
    let app = history(&[]).await;
    app.add_key("other", "other-key", &["read"]).await;
    let body = json!({"query": "{ latestEvents { eventId } accountSample { accountIds } }"}).to_string();
    let request = app.http.post(format!("{}/graphql", app.url)).header("Authorization", "Bearer other-key");
    let answer: Value = request.header("Content-Type", "application/json").body(body).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer, json!({"data": {"latestEvents": [], "accountSample": {"accountIds": []}}}));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_and_the_page_can_be_switched_off() {
    let app = history(&[("GRAPHQL_INTROSPECTION", "false"), ("GRAPHQL_GRAPHIQL", "false")]).await;
    assert_eq!(data(&app, "{ latestEvents(limit: 1) { __typename eventId } }").await["latestEvents"][0]["eventId"], "4");
    for text in ["{ __schema { types { name } } }", r#"{ __type(name: "Event") { name } }"#] {
        let answer = query(&app, text, json!({})).await;
        assert!(!answer.to_string().contains("Event\""), "{answer}");
    }
    let (code, message) = refusal(&app, "{ latestEvent { eventId } }").await;
    assert_eq!(code, "invalid_query");
    assert!(!message.as_str().unwrap().contains("latestEvents"), "{message}");
    for (path, status) in [("/graphql", 405), ("/graphql/page.js", 404), ("/graphql/page.css", 404)] {
        assert_eq!(app.get(path).await.0, status, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_loads_nothing_from_elsewhere() {
    let app = App::start().await;
    for path in ["/graphql", "/graphql/page.js", "/graphql/page.css"] {
        let response = app.http.get(format!("{}{path}", app.url)).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.starts_with("default-src 'none'") && policy.contains("connect-src 'self'"), "{policy}");
        let text = response.text().await.unwrap();
        assert!(!text.contains("http://") && !text.contains("https://") && !text.contains("src=\"//"), "{path}");
    }
}
