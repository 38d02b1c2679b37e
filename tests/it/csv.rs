//! CSV: what the tables of statistics and catalogues contain. Lists of rows are in `events` and `lists`.

use rollcall_tests::{App, KEY, event};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn statistics_and_catalogues_have_the_numbers_of_their_json() {
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
        ("/event-types/login/properties?x=", ""),
        ("/event-types/login/properties?", "property,types,share\nplan,string,1\n"),
    ] {
        let response = app.http.get(format!("{}{path}&format=csv", app.url)).header("X-API-Key", KEY).send().await.unwrap();
        if expected.is_empty() {
            assert_eq!(response.status(), 400, "an error is no table");
            assert_eq!(response.headers()["content-type"], "application/problem+json");
            continue;
        }
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
