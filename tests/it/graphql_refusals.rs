//! GraphQL: what is refused, and with which errors.

use rollcall_tests::{App, event, graphql_history};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn errors_have_the_codes_of_rest() {
    let app = graphql_history(&[]).await;
    let answer = app
        .query(r#"{ activeUsers(from: "yesterday", eventType: "") { granularity } topEvents { data { count } } }"#, json!({}))
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
        assert_eq!(app.query_refusal(text).await.0, code, "{text}");
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
    assert_eq!(app.query_data(&format!("{{ {} }}", page("a"))).await, json!({"a": []}));
    let aliases: String = (0..11).map(|number| format!("q{number}: sessions {{ nextCursor }} ")).collect();
    let types = "fields { type { ".repeat(5);
    let queries: String = (0..400).map(|number| format!("query q{number} {{ ...f }} ")).collect();
    for text in [
        format!("{{ {} {} {} }}", page("a"), page("b"), page("c")),
        format!("{{ {aliases} }}"),
        format!("{{ {} }}", "a ".repeat(2_000)),
        format!("{{ a {} }}", "{ a ".repeat(11) + "}".repeat(11).as_str()),
        format!("{{ __schema {{ types {{ {types} name {} }} }} }}", "} } ".repeat(5)),
        format!("{{ latestEvents(limit: {}", "[".repeat(60_000)),
        format!("{{ latestEvents(limit: {}1{}) {{ eventId }} }}", "{a:".repeat(15_000), "}".repeat(15_000)),
        "{ a ".repeat(15_000),
        "{ ...f } fragment f on Query { ...f }".to_owned(),
        // Strings and comments close no brackets.
        format!("{{ latestEvents(limit: {}", "[\"]\" ".repeat(8_000)),
        format!("{{ latestEvents(limit: {}", "[#]\n".repeat(12_000)),
        // Validation would list an error for each argument of each pair of fields, or of each operation.
        format!("{{ events({}) {{ nextCursor }} }}", "x:1 ".repeat(10_000)),
        format!("{{ events {{ {} }} }}", "data(x:1 y:2) { eventId } ".repeat(400)),
        format!("{} fragment f on Query {{ events({}) }}", queries, "x:$x ".repeat(5_000)),
    ] {
        assert_eq!(app.query_refusal(&text).await.0, "query_too_complex", "{}", &text[..text.len().min(80)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_sees_its_own_project_only() {
    let app = graphql_history(&[]).await;
    app.add_key("other", "other-key", &["read"]).await;
    let body = json!({"query": "{ latestEvents { eventId } accountSample { accountIds } }"}).to_string();
    let request = app.http.post(format!("{}/graphql", app.url)).header("Authorization", "Bearer other-key");
    let answer: Value = request.header("Content-Type", "application/json").body(body).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer, json!({"data": {"latestEvents": [], "accountSample": {"accountIds": []}}}));
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_too_large_together_are_refused() {
    let app = App::start().await;
    let large = (0..60).map(|number| {
        let mut event = event(&number.to_string(), "u", "t", "2025-10-01T10:00:00Z");
        event["properties"] = json!({"text": "x".repeat(60_000)});
        event
    });
    app.send(&large.collect()).await;
    app.wait_until_stored().await;
    let list = "latestEvents(limit: 60) { payload }";
    assert_eq!(app.query_data(&format!("{{ {list} }}")).await["latestEvents"].as_array().unwrap().len(), 60);
    let answer = app.query(&format!("{{ a: {list} b: {list} c: {list} d: {list} e: {list} }}"), json!({})).await;
    assert_eq!(answer["errors"][0]["extensions"], json!({"code": "query_too_complex"}));
    let mut lengths = ["a", "b", "c", "d", "e"].map(|name| answer["data"][name].as_array().map(Vec::len));
    lengths.sort_unstable();
    assert_eq!((lengths, answer["errors"].as_array().unwrap().len()), ([None, Some(60), Some(60), Some(60), Some(60)], 1));
}
