//! Dead letters: listed and shown as the API has them, and sent again and purged only after a count and a question.

use reqwest::Method;
use rollcall_tests::{App, Dashboard, KEY, Look, Poison, event, wait_until};
use serde_json::{Value, json};

use super::reading::{assert_no_barriers, is_enabled, rows, wait_for_rows, wait_for_text};
use super::taken::csv;

const LIST: &str = "/admin/dead-letters";
const TABLE: &str = "Dead letters, oldest first";

async fn letters(app: &App) -> Vec<Value> {
    app.get(&format!("{LIST}?limit=1000")).await.1["data"].as_array().unwrap().clone()
}

/// Sends events that PostgreSQL refuses, and waits for their dead letters.
async fn bury(app: &App, events: &[(&str, &str)]) -> Vec<Value> {
    Poison::lay(&app.pool).await;
    let poison: Vec<_> =
        events.iter().map(|(id, event_type)| Poison::in_event(event(id, "u", event_type, "2026-03-01T10:00:00Z"))).collect();
    app.send(&json!(poison)).await;
    wait_until("the dead letters come", async || Some(letters(app).await).filter(|letters| letters.len() == events.len())).await
}

/// Messages that no worker can read become dead letters at once.
async fn bury_unreadable(app: &App, count: usize) {
    let jetstream = app.jetstream().await;
    for n in 0..count {
        jetstream.publish("events.ingest.1", format!("no chunk {n}").into()).await.unwrap().await.unwrap();
    }
    app.wait_until_stored().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_and_each_letter_are_those_of_the_api() {
    let app = App::start().await;
    let all = bury(&app, &[("مستخدم-1", "buy"), ("🦊", "buy"), ("=1+1", "login")]).await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.show("dead-letters").await;
    let expected: Vec<_> = all
        .iter()
        .map(|letter| ["id", "event_id", "event_type", "reason"].map(|name| letter[name].as_str().unwrap().to_owned()))
        .collect();
    let shown = rows(&dashboard, TABLE).await;
    assert_eq!(shown.iter().map(|row| [1, 2, 3, 5].map(|at| row[at].clone())).collect::<Vec<_>>(), expected);
    assert!(shown.iter().all(|row| row[4] == "Refused by PostgreSQL" && row[7] == "6" && row[8] == "0"), "{shown:?}");
    let saved = csv(&dashboard, "dead-letters").await;
    assert!(saved.len() == 4 && saved.iter().any(|line| line.contains(",'=1+1,login,refused,")), "{saved:?}");

    let id = all[1]["id"].as_str().unwrap();
    dashboard.browser.click("table.data a", id).await;
    dashboard.settled().await;
    assert_eq!(dashboard.browser.address().await, format!("{}/ui/dead-letters?id={id}", app.url));
    wait_for_text(&dashboard, "It could not be stored").await;
    let said = dashboard.browser.text("main").await;
    let (_, letter) = app.get(&format!("{LIST}/{id}")).await;
    for fact in [&letter["reason"], &letter["code"], &letter["request_ids"][0], &letter["events"][0]["event_id"]] {
        assert!(said.contains(fact.as_str().unwrap()), "{fact}: {said}");
    }
    assert!(said.contains("poison"), "{said}");
    assert_no_barriers(&dashboard, Look::DESK).await;
    dashboard.show("dead-letters?event_type=buy").await;
    wait_for_rows(&dashboard, TABLE, 2).await;
    assert_no_barriers(&dashboard, Look::DESK).await;
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_are_those_of_the_api_and_no_match_is_told_apart_from_no_letters() {
    let app = App::start().await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.show("dead-letters").await;
    wait_for_text(&dashboard, "No dead letters").await;
    bury(&app, &[("a", "buy"), ("b", "buy"), ("c", "login")]).await;
    for query in [
        "event_type=buy",
        "event_id=c",
        "code=refused",
        "code=undecodable",
        "from=2020-01-01",
        "to=2020-01-01",
        "event_type=buy&event_id=a",
    ] {
        let (_, answer) = app.get(&format!("{LIST}?{query}")).await;
        let expected: Vec<_> =
            answer["data"].as_array().unwrap().iter().map(|letter| letter["event_id"].as_str().unwrap().to_owned()).collect();
        dashboard.show(&format!("dead-letters?{query}")).await;
        assert_eq!(rows(&dashboard, TABLE).await.into_iter().map(|row| row[2].clone()).collect::<Vec<_>>(), expected, "{query}");
        let said = dashboard.browser.text("main").await;
        assert_eq!(said.contains("Nothing matches this filter"), expected.is_empty(), "{query}: {said}");
    }
    dashboard.check().await;
    dashboard.show("dead-letters?from=nonsense").await;
    let said = dashboard.browser.text(".notice.problem").await;
    assert!(said.contains("from"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn redriving_counts_first_then_asks_and_really_happens() {
    let app = App::start().await;
    bury(&app, &[("a", "buy"), ("b", "buy"), ("c", "login")]).await;
    Poison::lift(&app.pool).await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.show("dead-letters?event_type=buy").await;
    dashboard.browser.click("button", "Send matching again …").await;
    let asked = dashboard.browser.text("dialog").await;
    assert!(
        asked.contains("Send 2 dead letters again?") && asked.contains("A dry run counted 2 dead letters with 2 events."),
        "{asked}"
    );
    assert_no_barriers(&dashboard, Look::DESK).await;
    assert_eq!((letters(&app).await.len(), app.stored().await), (3, 0), "counting changes nothing");
    dashboard.browser.click("dialog button", "Cancel").await;
    dashboard.browser.wait_until("it is closed", "!document.querySelector('dialog')").await;
    assert_eq!(letters(&app).await.len(), 3, "nor does thinking better of it");

    dashboard.browser.click("button", "Send matching again …").await;
    dashboard.browser.click("dialog button", "Send again").await;
    wait_for_text(&dashboard, "2 dead letters with 2 events were sent again.").await;
    app.wait_until_stored().await;
    assert_eq!(app.stored().await, 2);
    let left: Vec<_> = letters(&app).await.iter().map(|letter| letter["event_id"].clone()).collect();
    assert_eq!(left, [json!("c")]);
    wait_for_text(&dashboard, "Nothing matches this filter").await;
    dashboard.browser.click("a", "All dead letters").await;
    wait_for_rows(&dashboard, TABLE, 1).await;
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn purging_must_be_typed_with_the_number_of_letters() {
    let app = App::start().await;
    bury(&app, &[("a", "buy"), ("b", "buy"), ("c", "login")]).await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.show("dead-letters").await;
    dashboard.browser.click("button", "Purge all …").await;
    let asked = dashboard.browser.text("dialog").await;
    assert!(asked.contains("Purge 3 dead letters?") && asked.contains("with 3 events"), "{asked}");
    let field = dashboard.browser.find("dialog input").await;
    for typed in ["", "purge", "purge 2", "PURGE 3"] {
        field.clear().await.unwrap();
        field.send_keys(typed).await.unwrap();
        assert!(!is_enabled(&dashboard, "Purge").await, "{typed}");
    }
    dashboard.browser.press("Enter").await;
    assert_eq!(letters(&app).await.len(), 3);
    field.clear().await.unwrap();
    field.send_keys("purge 3").await.unwrap();
    dashboard.browser.click("dialog button", "Purge").await;
    wait_for_text(&dashboard, "3 dead letters with 3 events were purged.").await;
    assert_eq!((letters(&app).await, app.stored().await), (Vec::new(), 0));
    wait_for_text(&dashboard, "No dead letters").await;
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_letter_is_sent_again_or_purged_from_its_own_page() {
    let app = App::start().await;
    let all = bury(&app, &[("a", "buy"), ("b", "buy")]).await;
    Poison::lift(&app.pool).await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.show(&format!("dead-letters?event_type=buy&id={}", all[0]["id"].as_str().unwrap())).await;
    dashboard.browser.click("button", "Send again …").await;
    dashboard.browser.click("dialog button", "Send again").await;
    wait_for_text(&dashboard, "1 dead letter with 1 event was sent again.").await;
    assert_eq!(dashboard.browser.address().await, format!("{}/ui/dead-letters?event_type=buy", app.url), "back in the list");
    app.wait_until_stored().await;
    assert_eq!(app.stored().await, 1);

    dashboard.show(&format!("dead-letters?id={}", all[1]["id"].as_str().unwrap())).await;
    dashboard.browser.click("button", "Purge …").await;
    dashboard.browser.find("dialog input").await.send_keys("purge 1").await.unwrap();
    dashboard.browser.click("dialog button", "Purge").await;
    wait_for_text(&dashboard, "1 dead letter with 1 event was purged.").await;
    assert_eq!((letters(&app).await.len(), app.stored().await), (0, 1));
    dashboard.check().await;
    dashboard.show(&format!("dead-letters?id={}", all[1]["id"].as_str().unwrap())).await;
    wait_for_text(&dashboard, "This dead letter is not there").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_letters_than_a_page_are_counted_listed_and_purged() {
    const LETTERS: usize = 1_150;
    let app = App::start().await;
    bury_unreadable(&app, LETTERS).await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.show("dead-letters").await;
    dashboard.browser.click("button", "Load more").await;
    wait_for_rows(&dashboard, TABLE, 1_100).await;
    dashboard.browser.click("button", "Load more").await;
    wait_for_rows(&dashboard, TABLE, LETTERS).await;
    assert!(rows(&dashboard, TABLE).await.len() < 150, "few of them are in the document");
    dashboard.browser.click("button", "Purge all …").await;
    let asked = dashboard.browser.text("dialog").await;
    assert!(asked.contains("Purge 1,150 dead letters?"), "{asked}");
    dashboard.browser.find("dialog input").await.send_keys("purge 1150").await.unwrap();
    dashboard.browser.click("dialog button", "Purge").await;
    wait_for_text(&dashboard, "1,150 dead letters with 0 events were purged.").await;
    assert_eq!(letters(&app).await.len(), 0);
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn digits_that_no_number_of_javascript_holds_are_shown_as_they_were_sent() {
    let app = App::start().await;
    Poison::lay(&app.pool).await;
    let properties = r#"{"poison":true,"exact":12345678901234567890123}"#;
    let body = format!(r#"{{"event_id":"odd","event_type":"t","user_id":"u","properties":{properties}}}"#);
    assert_eq!(app.post("/events", &[], body).await.0, 202);
    let letters =
        wait_until("the dead letter comes", async || Some(letters(&app).await).filter(|letters| letters.len() == 1)).await;
    let dashboard = Dashboard::open_as(&app.url, KEY, Look::PHONE).await;
    dashboard.show(&format!("dead-letters?id={}", letters[0]["id"].as_str().unwrap())).await;
    wait_for_text(&dashboard, "12345678901234567890123").await;
    let widths = dashboard.browser.run("return [document.scrollingElement.scrollWidth, innerWidth]", &[]).await;
    assert_eq!(widths, json!([390, 390]));
    assert_no_barriers(&dashboard, Look::PHONE).await;
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_fails_says_why_and_stays_open() {
    let app = App::start().await;
    let all = bury(&app, &[("a", "buy")]).await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.show("dead-letters").await;
    let id = all[0]["id"].as_str().unwrap();
    dashboard.show(&format!("dead-letters?id={id}")).await;
    dashboard.browser.click("button", "Send again …").await;
    dashboard.browser.named("dialog button", "Send again").await;
    // Somebody else is faster.
    app.call(Method::DELETE, &format!("{LIST}/{id}")).await;
    dashboard.browser.click("dialog button", "Send again").await;
    let said = dashboard.browser.text("dialog .notice.problem").await;
    assert!(said.contains("No dead letter has this id"), "{said}");
}
