//! Sending a test event.

use rollcall_tests::{App, Dashboard, KEY};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_template_is_sent_stored_and_can_be_looked_at() {
    let app = App::start().await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.show("send-event").await;
    dashboard.browser.click("button", "add to cart").await;
    dashboard.browser.click("button", "Send").await;
    let said = dashboard.browser.text(".notice.success").await;
    assert!(said.starts_with("Stored."), "{said}");
    let (_, events) = app.get("/events").await;
    assert_eq!(events["data"][0]["event_type"], "add_to_cart");
    assert_eq!(events["data"][0]["properties"]["cart"], json!({"currency": "EUR"}));
    assert_eq!(app.stored().await, 1);
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_an_event_is_said_by_field_and_nothing_is_sent() {
    let app = App::start().await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.show("send-event").await;
    let field = dashboard.browser.named("textarea", "The event as JSON").await;
    field.clear().await.unwrap();
    field.send_keys("{\"event_type\":").await.unwrap();
    let send = dashboard.browser.named("button", "Send").await;
    assert!(!send.is_enabled().await.unwrap(), "what is no JSON cannot be sent");
    field.clear().await.unwrap();
    field.send_keys("{\"event_type\":\"t\"}").await.unwrap();
    dashboard.browser.click("button", "Send").await;
    let said = dashboard.browser.text(".notice.problem").await;
    assert!(said.contains("user_id"), "{said}");
    assert_eq!(app.stored().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_curl_that_is_shown_sends_the_event() {
    let app = App::start().await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.show("send-event").await;
    let command = dashboard.browser.text("pre").await;
    assert!(!command.contains(KEY), "{command}");
    let output = tokio::process::Command::new("sh").args(["-c", &command]).env("API_KEY", KEY).output().await.unwrap();
    let answer = String::from_utf8_lossy(&output.stdout);
    assert!(answer.contains("\"accepted\""), "{answer} {}", String::from_utf8_lossy(&output.stderr));
    app.wait_until_stored().await;
    assert_eq!(app.stored().await, 1);
}
