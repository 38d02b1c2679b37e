//! GraphQL: the page for people, and the schema.

use rollcall_tests::{App, graphql_history};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_and_the_page_can_be_switched_off() {
    let app = graphql_history(&[("GRAPHQL_INTROSPECTION", "false"), ("GRAPHQL_GRAPHIQL", "false")]).await;
    assert_eq!(app.query_data("{ latestEvents(limit: 1) { __typename eventId } }").await["latestEvents"][0]["eventId"], "4");
    for text in ["{ __schema { types { name } } }", r#"{ __type(name: "Event") { name } }"#] {
        let answer = app.query(text, json!({})).await;
        assert!(!answer.to_string().contains("Event\""), "{answer}");
    }
    let (code, message) = app.query_refusal("{ latestEvent { eventId } }").await;
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
