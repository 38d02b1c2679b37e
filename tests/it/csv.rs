//! CSV: what the tables contain. How the pages of a list fit together is in `lists`.

use rollcall_tests::{App, KEY, event};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn statistics_and_catalogues_have_tables() {
    let app = App::start().await;
    let mut events = vec![
        event("1", "ada", "login", "2025-10-01T12:00:00Z"),
        event("2", "ada", "login", "2025-10-01T13:00:00Z"),
        event("3", "bob", "-login", "2025-10-03T12:00:00Z"),
    ];
    for (event, plan) in events.iter_mut().zip(["pro", "free", "pro"]) {
        event["account_id"] = json!("=acc");
        event["properties"] = json!({"plan": plan});
    }
    app.send(&json!(events)).await;
    app.wait_until_stored().await;
    for (path, expected) in [
        ("/stats/dau?from=2025-10-01&to=2025-10-03", "date,unique_users\n2025-10-01,1\n2025-10-02,0\n2025-10-03,1\n"),
        ("/stats/top-events?from=2025-10-01&to=2025-10-31", "event_type,count\nlogin,2\n'-login,1\n"),
        ("/accounts/sample?limit=5", "account_id\n'=acc\n"),
        ("/event-types/login/properties?", "property,types,share\nplan,string,1\n"),
    ] {
        let response = app.http.get(format!("{}{path}&format=csv", app.url)).header("X-API-Key", KEY).send().await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/csv; charset=utf-8", "{path}");
        assert_eq!(response.text().await.unwrap(), expected, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn accept_asks_for_csv_unless_json_weighs_more() {
    let app = App::start().await;
    for (accept, content_type) in [
        ("text/csv", "text/csv; charset=utf-8"),
        ("text/csv, application/json;q=0.9", "text/csv; charset=utf-8"),
        ("application/json, text/csv;q=0.1", "application/json"),
        ("*/*", "application/json"),
    ] {
        let request = app.http.get(format!("{}/stats/top-events", app.url)).header("X-API-Key", KEY).header("Accept", accept);
        assert_eq!(request.send().await.unwrap().headers()["content-type"], content_type, "{accept}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_can_be_had_as_csv() {
    let app = App::start().await;
    app.send(&json!([{"event_id": "a", "user_id": "=1+1", "event_type": "t,\"x\"", "occurred_at": "2025-10-01T10:00:00Z",
                      "properties": {"a": "b,c"}}, event("b", "bob", "t", "2025-10-01T09:00:00Z")]))
        .await;
    app.wait_until_stored().await;
    let expected = "event_id,event_type,user_id,anonymous_id,session_id,account_id,occurred_at,received_at,properties\n\
                    a,\"t,\"\"x\"\"\",'=1+1,,,,2025-10-01T10:00:00Z,<received>,\"{\"\"a\"\":\"\"b,c\"\"}\"\n";
    for (path, accept) in [("/events?limit=1&format=csv", "*/*"), ("/events?limit=1", "text/csv")] {
        let request = app.http.get(format!("{}{path}", app.url)).header("X-API-Key", KEY).header("Accept", accept);
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/csv; charset=utf-8");
        assert!(response.headers().contains_key("x-next-cursor"));
        let csv = response.text().await.unwrap();
        let received = csv.lines().nth(1).unwrap().split(',').nth(8).unwrap().to_owned();
        assert_eq!(csv.replace(&received, "<received>"), expected);
    }
}
