//! One event: where it is in the pipeline.

use rollcall_tests::{App, Dashboard, Poison, event, wait_until};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_not_stored_yet_appears_by_itself() {
    let app = App::start().await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.show("event?event_id=late").await;
    let said = dashboard.browser.text("main").await;
    assert!(said.contains("Unknown: never received, or still in the queue."), "{said}");
    app.send(&json!([event("late", "ada", "login", "2025-10-01T10:00:00Z")])).await;
    dashboard
        .browser
        .wait_until("the event is shown", "document.querySelector('.event-detail')?.textContent.includes('Stored.')")
        .await;
    dashboard.settled().await;
    assert!(dashboard.browser.text(".event-detail").await.contains("Wed 1 Oct 2025 10:00:00"));
    assert_eq!(dashboard.barriers().await, Vec::<String>::new());
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_says_why_it_could_not_be_stored() {
    let app = App::start().await;
    Poison::lay(&app.pool).await;
    app.send(&json!([Poison::in_event(event("bad", "ada", "login", "2025-10-01T10:00:00Z"))])).await;
    let letter = wait_until("there is a dead letter", async || {
        let (_, answer) = app.get("/pipeline/events/bad").await;
        (answer["status"] == "dead_lettered").then(|| answer["dead_letter"].clone())
    })
    .await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.show("event?event_id=bad").await;
    let said = dashboard.browser.text("main").await;
    assert!(said.contains("It could not be stored:") && said.contains(letter["code"].as_str().unwrap()), "{said}");
    assert!(said.contains(&format!("{} attempts", letter["attempts"])), "{said}");
    let link = dashboard
        .browser
        .run(
            "return [...document.querySelectorAll('main a')].find((link) => link.textContent === 'Show the dead letter').search",
            &[],
        )
        .await;
    assert_eq!(link, format!("?id={}", letter["id"].as_str().unwrap()));
    // Whoever may only read is not led to a page that they may not see.
    let key = app.make_key("default", &["read"]).await;
    let reader = Dashboard::open_as(&app.url, &key.key, rollcall_tests::Look::DESK).await;
    reader.show("event?event_id=bad").await;
    let said = reader.browser.text("main").await;
    assert!(said.contains("It could not be stored:") && !said.contains("Show the dead letter"), "{said}");
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_of_several_days_is_several_events() {
    let app = App::start().await;
    app.send(&json!([
        event("same", "ada", "login", "2025-10-01T10:00:00Z"),
        event("same", "bob", "logout", "2025-10-02T10:00:00Z")
    ]))
    .await;
    app.wait_until_stored().await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.show("event?event_id=same").await;
    let details = dashboard.browser.texts(".event-detail").await;
    assert_eq!(details.len(), 2);
    assert!(details[0].contains("bob") && details[1].contains("ada"), "the latest first: {details:?}");
    assert!(details[0].contains("used on 2 days (UTC): Wed 1 Oct 2025, Thu 2 Oct 2025"), "{}", details[0]);
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_id_it_asks_for_one() {
    let app = App::start().await;
    // An id that would lead up in a path, and one with everything that an address must encode.
    let ids = ["..", "a/b?c#d e%f&g=🦊"];
    app.send(&json!(ids.map(|id| event(id, "ada", "login", "2025-10-01T10:00:00Z")))).await;
    app.wait_until_stored().await;
    let dashboard = Dashboard::open(&app).await;
    for id in ids {
        dashboard.show("event").await;
        // The driver types no emoji.
        let script = "const field = document.querySelector('main input'); field.value = arguments[0]; field.dispatchEvent(new Event('input', { bubbles: true }))";
        dashboard.browser.run(script, &[json!(id)]).await;
        dashboard.browser.click("button", "Show the event").await;
        dashboard.browser.find(".event-detail").await;
        dashboard.settled().await;
        assert_eq!(dashboard.browser.text("h1").await, format!("Event {id}"));
        assert_eq!(dashboard.browser.text(".event-detail dd").await, id);
    }
    dashboard.check().await;
}
