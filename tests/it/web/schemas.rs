//! Schemas: drafted from events, set, shown with what did not match, and removed.

use rollcall_tests::{App, Dashboard, Look, wait_until};
use serde_json::{Value, json};

use super::reading::{assert_no_barriers, fill, is_enabled, rows, wait_for_rows, wait_for_text};
use super::taken::csv;

const TABLE: &str = "Schemas, by event type";

fn login(properties: &Value) -> Value {
    json!([{"event_type": "login", "user_id": "ada", "properties": properties}])
}

async fn set(app: &App, event_type: &str, mode: &str, schema: Value) {
    let (status, answer) =
        app.admin(reqwest::Method::PUT, &format!("/admin/schemas/{event_type}"), &json!({"mode": mode, "schema": schema})).await;
    assert_eq!(status, 200, "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_is_drafted_from_events_and_refuses_those_that_do_not_match() {
    let app = App::start().await;
    app.send(&login(&json!({"plan": "pro", "seats": 3}))).await;
    app.send(&login(&json!({"plan": "free"}))).await;
    app.wait_until_stored().await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.show("schemas").await;
    wait_for_text(&dashboard, "No schemas yet").await;
    dashboard.browser.click("a", "Make a schema").await;
    assert!(!is_enabled(&dashboard, "Save the schema").await, "an event type is missing");
    dashboard.browser.type_into("Event type", "log").await;
    dashboard.browser.find("[role=option]").await.click().await.unwrap();
    wait_for_text(&dashboard, "This draft is made from the latest 2 events of the type.").await;
    let draft = dashboard.browser.run("return document.querySelector('textarea').value", &[]).await;
    let expected =
        json!({"type": "object", "properties": {"plan": {"type": "string"}, "seats": {"type": "number"}}, "required": ["plan"]});
    assert_eq!(serde_json::from_str::<Value>(draft.as_str().unwrap()).unwrap(), expected);
    dashboard.browser.click("button", "Refuse and count").await;
    assert_no_barriers(&dashboard, Look::DESK).await;
    dashboard.browser.click("button", "Save the schema").await;
    wait_for_text(&dashboard, "The schema of login was set.").await;
    let (_, schema) = app.get("/admin/schemas/login").await;
    assert_eq!((&schema["mode"], &schema["schema"]), (&json!("reject"), &expected));
    wait_until("the schema is kept to", async || {
        (app.post("/events", &[], login(&json!({"plan": 7})).to_string()).await.0 == 422).then_some(())
    })
    .await;
    assert_eq!(app.post("/events", &[], login(&json!({"plan": "pro"})).to_string()).await.0, 202);
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_and_samples_are_those_of_the_api() {
    let app = App::start().await;
    set(&app, "login", "warn", json!({"type": "object", "properties": {"plan": {"type": "string"}}})).await;
    set(&app, "buy", "reject", json!({"type": "object", "required": ["amount"]})).await;
    let (_, listed) = wait_until("violations are counted", async || {
        app.send(&login(&json!({"plan": 7}))).await;
        Some(app.get("/admin/schemas").await).filter(|(_, listed)| listed["data"][1]["violations"].as_i64() > Some(0))
    })
    .await;
    assert_eq!(listed["data"][1]["event_type"], "login");
    let dashboard = Dashboard::open(&app).await;
    // They are written a moment after the events came, so all of them are awaited.
    let expected = wait_until("the count stands still", async || {
        let (_, before) = app.get("/admin/schemas").await;
        dashboard.show("schemas").await;
        let shown = rows(&dashboard, TABLE).await;
        let (_, after) = app.get("/admin/schemas").await;
        (before == after).then_some((after, shown))
    })
    .await;
    let (answer, shown) = expected;
    let facts: Vec<_> = answer["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| vec![one["event_type"].as_str().unwrap().to_owned(), one["violations"].to_string()])
        .collect();
    assert_eq!(shown.iter().map(|row| vec![row[0].clone(), row[2].clone()]).collect::<Vec<_>>(), facts);
    assert_eq!([&shown[0][1], &shown[1][1]], ["are refused", "are accepted"]);
    let sample = &answer["data"][1]["samples"][0];
    assert_eq!(shown[1][4], format!("{}: {}", sample["path"].as_str().unwrap(), sample["message"].as_str().unwrap()));
    assert!(csv(&dashboard, "schemas").await[2].starts_with("login,warn,"));

    dashboard.browser.click("table.data a", "login").await;
    dashboard.settled().await;
    assert_eq!(dashboard.browser.address().await, format!("{}/ui/schemas?event_type=login", app.url));
    let samples = rows(&dashboard, "Events that did not match, latest first").await;
    let ids: Vec<_> =
        answer["data"][1]["samples"].as_array().unwrap().iter().map(|one| one["event_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(samples.iter().map(|row| row[1].clone()).collect::<Vec<_>>(), ids);
    assert_no_barriers(&dashboard, Look::DESK).await;
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_json_is_not_sent_and_what_is_no_schema_is_refused_in_words() {
    let app = App::start_without_workers(Vec::new()).await;
    set(&app, "login", "warn", json!({"type": "object"})).await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.show("schemas?event_type=login").await;
    for (text, said) in [("{\"type\":", "This is not JSON"), ("[]", "A schema is a JSON object.")] {
        fill(&dashboard, "JSON Schema of the properties", text).await;
        wait_for_text(&dashboard, said).await;
        assert!(!is_enabled(&dashboard, "Save the schema").await);
    }
    fill(&dashboard, "JSON Schema of the properties", "{\"type\": \"nonsense\"}").await;
    dashboard.browser.click("button", "Save the schema").await;
    let said = dashboard.browser.text(".notice.problem").await;
    let (_, answer) =
        app.admin(reqwest::Method::PUT, "/admin/schemas/login", &json!({"mode": "warn", "schema": {"type": "nonsense"}})).await;
    assert!(said.contains(answer["errors"][0]["message"].as_str().unwrap()), "{said}: {answer}");
    assert_eq!(app.get("/admin/schemas/login").await.1["schema"], json!({"type": "object"}));
    // What was written is still there.
    let kept = dashboard.browser.run("return document.querySelector('textarea').value", &[]).await;
    assert_eq!(kept, "{\"type\": \"nonsense\"}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_is_removed_after_a_question() {
    let app = App::start_without_workers(Vec::new()).await;
    set(&app, "مستخدم%2F🦊", "warn", json!({"type": "object"})).await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.show("schemas").await;
    wait_for_rows(&dashboard, TABLE, 1).await;
    dashboard.browser.click("table.data a", "مستخدم/🦊").await;
    dashboard.settled().await;
    dashboard.browser.click("button", "Remove …").await;
    dashboard.browser.click("dialog button", "Cancel").await;
    assert_eq!(app.get("/admin/schemas").await.1["data"].as_array().unwrap().len(), 1);
    dashboard.browser.click("button", "Remove …").await;
    dashboard.browser.click("dialog button", "Remove").await;
    wait_for_text(&dashboard, "was removed.").await;
    assert_eq!(app.get("/admin/schemas").await.1["data"].as_array().unwrap().len(), 0);
    wait_for_text(&dashboard, "No schemas yet").await;
    dashboard.check().await;
}
