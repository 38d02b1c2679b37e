//! GraphQL: the same answers as the REST API, in another form.

use std::collections::BTreeSet;

use rollcall_tests::{App, KEY, graphql_history};
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

/// The types of the schema.
async fn schema(app: &App) -> Value {
    let reference = "type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";
    app.query_data(&format!("{{ __schema {{ types {{ name fields {{ name {reference} args {{ name {reference} }} }} }} }} }}"))
        .await["__schema"]["types"]
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
                parts.fold(first, |name, part| format!("{name}{}{}", part[..1].to_uppercase(), &part[1..]))
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
    let app = graphql_history(&[]).await;
    let schema = schema(&app).await;
    for (question, path) in QUESTIONS {
        let (status, rest) = app.get(path).await;
        assert_eq!(status, 200, "{path}: {rest}");
        let name = question.split('(').next().unwrap();
        let mut answer = app.query_data(&whole(&schema, question)).await[name].take();
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
    let app = graphql_history(&[]).await;
    let received = app.get("/events?event_id=3").await.1["data"][0]["received_at"].clone();
    let bob = json!({"eventId": "3", "eventType": "login", "userId": "bob", "timestamp": "2025-10-03T10:00:00.25Z",
                     "payload": {"plan": "pro", "n": 1}, "anonymousId": null, "sessionId": null, "accountId": "acc",
                     "receivedAt": received});
    let fields = "{ eventId eventType userId timestamp payload anonymousId sessionId accountId receivedAt }";
    let answer = app
        .query(
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
async fn a_list_without_pages_has_as_many_events_as_asked_for_however_large_they_are() {
    let app = App::start().await;
    let large = "x".repeat(60_000);
    // Together they are larger than a page.
    let events: Vec<Value> = (0..100)
        .map(|n| {
            json!({"event_id": format!("e{n}"), "event_type": "t", "user_id": "u", "properties": {"large": large},
                        "occurred_at": format!("2025-10-01T10:00:{:02}.{:02}Z", n / 60, n % 60)})
        })
        .collect();
    app.send(&json!(events)).await;
    app.wait_until_stored().await;
    assert!(app.get("/events?limit=100").await.1["data"].as_array().unwrap().len() < 100, "a page is shorter");
    let lists = app.query_data(r#"{ latestEvents(limit: 99) { eventId } eventsByUser(userId: "u") { eventId } }"#).await;
    let ids = |list: &str| lists[list].as_array().unwrap().iter().map(|event| event["eventId"].clone()).collect::<Vec<_>>();
    let newest_first: Vec<Value> = (0..100).rev().map(|n| json!(format!("e{n}"))).collect();
    assert_eq!(ids("latestEvents"), newest_first[..99]);
    assert_eq!(ids("eventsByUser"), newest_first, "the default limit");

    // A list for which there is no room any more has the newest events, and an error beside it.
    let answer = app.query("{ first: latestEvents(limit: 100) { eventId } second: latestEvents(limit: 100) { eventId } third: latestEvents(limit: 100) { eventId } }", json!({})).await;
    let lists = ["first", "second", "third"].map(|list| answer["data"][list].as_array().unwrap());
    let lengths = lists.map(Vec::len);
    assert!(lengths.iter().sum::<usize>() < 300 && lengths.contains(&100), "{lengths:?}");
    for list in lists {
        assert!(list.iter().zip(&newest_first).all(|(event, id)| event["eventId"] == *id), "{lengths:?}");
    }
    let errors = answer["errors"].as_array().unwrap();
    assert_eq!(errors.len(), lengths.iter().filter(|length| **length < 100).count());
    for error in errors {
        assert_eq!(error["extensions"]["code"], "query_too_complex", "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_is_answered_byte_for_byte() {
    let app = graphql_history(&[]).await;
    let body = json!({"query": "{ latestEvents(limit: 1) { payload } }"}).to_string();
    let request =
        app.http.post(format!("{}/graphql", app.url)).header("X-API-Key", KEY).header("Content-Type", "application/json");
    let answer = request.body(body).send().await.unwrap().text().await.unwrap();
    assert_eq!(answer, r#"{"data":{"latestEvents":[{"payload":{"n":12345678901234567890123.50,"a_b":[1.0]}}]}}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_follow_one_another_by_cursor() {
    let app = graphql_history(&[]).await;
    let mut ids = Vec::new();
    let mut cursor = Value::Null;
    loop {
        let text = "query ($cursor: String) { events(limit: 3, cursor: $cursor) { data { eventId } nextCursor } }";
        let answer = app.query(text, json!({"cursor": cursor})).await;
        let page = &answer["data"]["events"];
        ids.extend(page["data"].as_array().unwrap().iter().map(|event| event["eventId"].as_str().unwrap().to_owned()));
        cursor = page["nextCursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!(ids, ["4", "3", "2", "1"]);
}
