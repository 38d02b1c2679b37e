//! The list of events: its filters, its pages, and the details beside it.

use jiff::{Timestamp, ToSpan};
use rollcall_tests::{App, Dashboard, Look, event};
use serde_json::{Value, json};

use super::history;
use super::taken::{csv, enter, rows};

const LIST: &str = "[aria-label='List of events']";

/// The addresses of the details of the events that are listed, in their order.
async fn listed(dashboard: &Dashboard) -> Vec<String> {
    let script = "return [...document.querySelectorAll('[aria-label=\"List of events\"] tbody td:nth-child(2) a')].map((link) => new URL(link.href).searchParams.get('shown'))";
    serde_json::from_value(dashboard.browser.run(script, &[]).await).unwrap()
}

async fn ids(app: &App, query: &str) -> Vec<String> {
    let (status, answer) = app.get(&format!("/events?{query}")).await;
    assert_eq!(status, 200, "{answer}");
    answer["data"].as_array().unwrap().iter().map(|event| event["event_id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_lists_the_events_of_the_api_by_every_filter() {
    let app = App::start().await;
    history(&app).await;
    let dashboard = Dashboard::open(&app).await;
    for query in [
        "",
        "order=asc",
        "event_type=purchase",
        "user_id=%F0%9F%A6%8A",
        "account_id=acc_03&event_type=login",
        "session_id=s-1-5",
        "event_id=0-5-page_view",
        "where=amount%3Agte%3A40&where=cart.currency%3AEUR",
    ] {
        dashboard.show(&format!("events?{query}")).await;
        let expected = ids(&app, query).await;
        assert!(!expected.is_empty(), "{query}");
        assert_eq!(listed(&dashboard).await, expected, "{query}");
    }
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_are_chosen_by_typing_and_taken_back() {
    let app = App::start().await;
    history(&app).await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.show("events").await;
    enter(&dashboard, "Event type", "purchase").await;
    enter(&dashboard, "Account", "acc_01").await;
    let query = "event_type=purchase&account_id=acc_01";
    assert_eq!(dashboard.browser.address().await, format!("{}/ui/events?{query}", app.url));
    assert_eq!(listed(&dashboard).await, ids(&app, query).await);
    // Users are suggested by the beginning of their ids.
    dashboard.browser.type_into("User", "user_00").await;
    let suggested = "(names => names.length > 0 && names.every((name) => name.startsWith('user_00')))\
                     ([...document.querySelectorAll('[role=option] bdi')].map((name) => name.textContent))";
    dashboard.browser.wait_until("users of this beginning are suggested", suggested).await;
    dashboard.browser.press("Escape").await;
    dashboard.browser.click("button", "Remove the filter Account acc_01").await;
    dashboard.settled().await;
    assert_eq!(dashboard.browser.address().await, format!("{}/ui/events?event_type=purchase", app.url));
    let lines = csv(&dashboard, "events").await;
    assert_eq!(lines.len() - 1, listed(&dashboard).await.len());
    assert_eq!(lines[0], "event_id,event_type,user_id,anonymous_id,session_id,account_id,occurred_at,received_at,properties");
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn times_are_those_of_the_project_and_not_of_the_browser() {
    let app = App::start().await;
    app.make_project("atoll", "Pacific/Kiritimati").await;
    let key = app.make_key("atoll", &["ingest", "read"]).await;
    // From two to three o'clock there is from midnight to one in UTC.
    let events = json!([
        event("before", "ada", "login", "2025-10-01T23:59:59Z"),
        event("first", "ada", "login", "2025-10-02T00:00:00Z"),
        event("last", "ada", "login", "2025-10-02T00:59:59Z"),
        event("after", "ada", "login", "2025-10-02T01:00:00Z"),
    ]);
    let request = app.http.post(format!("{}/events?wait=stored", app.url)).header("X-API-Key", &key.key).json(&events);
    assert_eq!(request.send().await.unwrap().status(), 200);
    let look = Look { zone: "America/Los_Angeles", ..Look::DESK };
    let dashboard = Dashboard::open_as(&app.url, &key.key, look).await;
    dashboard.show("events?period=2025-10-02T14:00..2025-10-02T15:00&order=asc").await;
    assert_eq!(listed(&dashboard).await, ["first", "last"]);
    let shown = rows(&dashboard, LIST).await;
    assert_eq!(shown[0][0], "Thu 2 Oct 2025 14:00:00");
    assert!(dashboard.browser.text(".table-room thead").await.contains("Pacific/Kiritimati"), "the zone is named");
    let fields = dashboard
        .browser
        .run("return [...document.querySelectorAll('[type=datetime-local]')].map((field) => field.value)", &[])
        .await;
    assert_eq!(fields, json!(["2025-10-02T14:00", "2025-10-02T15:00"]));
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_events_are_read_page_by_page_with_few_rows_in_the_document() {
    const EVENTS: i64 = 10_000;
    let app = App::start().await;
    let begin = Timestamp::now() - 24.hours();
    let events: Vec<_> = (0..EVENTS)
        .map(|n| event(&format!("e{n}"), &format!("u{}", n % 50), "tick", &(begin + n.seconds()).to_string()))
        .collect();
    app.send(&json!(events)).await;
    app.wait_until_stored().await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.show("events").await;
    assert!(dashboard.browser.text(".more").await.starts_with("The first 100 events"));
    let press = "const more = [...document.querySelectorAll('.more button')].find((button) => !button.disabled); more?.click(); \
                 return document.querySelector('.more').textContent";
    dashboard.browser.wait_until("all are read", &format!("(() => {{ {press} }})().startsWith('All 10,000 events')")).await;
    let many = dashboard.browser.run(&format!("return document.querySelectorAll(\"{LIST} tbody tr\").length"), &[]).await;
    assert!(many.as_i64().unwrap() < 200, "{many}");
    let count = dashboard
        .browser
        .run(&format!("return document.querySelector(\"{LIST} table\").getAttribute('aria-rowcount')"), &[])
        .await;
    assert_eq!(count, "10001");
    dashboard
        .browser
        .run(&format!("const room = document.querySelector(\"{LIST}\"); room.scrollTop = room.scrollHeight"), &[])
        .await;
    dashboard
        .browser
        .wait_until(
            "the earliest event is in view",
            "[...document.querySelectorAll('tbody td:nth-child(2) a')].at(-1).href.includes('shown=e0&')",
        )
        .await;
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_shown_beside_the_list_and_the_keyboard_leads_there_and_back() {
    let app = App::start().await;
    let at = |seconds: i64| (Timestamp::now() - 1.hour() + seconds.seconds()).to_string();
    let mut first = event("first", "ada", "order", &at(0));
    first["properties"] = json!({"plan": "pro", "cart": {"currency": "EUR", "items": [1, 2]}});
    let body = json!([first, event("second", "bob", "login", &at(10))]).to_string();
    // More digits than a number of JavaScript has.
    let body = body.replace("\"plan\"", "\"ticket\":12345678901234567890,\"rate\":100.0,\"plan\"");
    assert_eq!(app.post("/events?wait=stored", &[], body).await.0, 200);
    let dashboard = Dashboard::open(&app).await;
    let browser = &dashboard.browser;
    dashboard.show("events").await;
    browser.named("a", "order").await.send_keys("\n").await.unwrap();
    browser.find(".beside-card").await;
    dashboard.settled().await;
    assert!(browser.address().await.contains("?shown=first&at="), "{}", browser.address().await);
    let properties: Vec<_> =
        rows(&dashboard, ".properties").await.into_iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    let expected = [
        ("ticket", "12345678901234567890"),
        ("rate", "100.0"),
        ("plan", "pro"),
        ("cart.currency", "EUR"),
        ("cart.items", "[\n  1,\n  2\n]"),
    ];
    for (path, value) in expected {
        assert!(properties.contains(&(path.to_owned(), value.to_owned())), "{path}: {properties:?}");
    }
    assert!(browser.text(".event-detail").await.contains("Stored."), "where it is in the pipeline");
    assert_eq!(dashboard.barriers().await, Vec::<String>::new());
    // The list goes on beside it.
    browser.click("a", "The event above in the list").await;
    browser.wait_until("the other event is shown", "document.querySelector('.beside-card h2').textContent === 'login'").await;
    browser.back().await;
    browser.wait_until("the event is shown again", "document.querySelector('.beside-card h2').textContent === 'order'").await;
    dashboard.settled().await;
    browser.click("a", "Find events with the same cart.currency").await;
    dashboard.settled().await;
    assert_eq!(listed(&dashboard).await, ["first"]);
    browser.back().await;
    dashboard.settled().await;
    browser.press("Escape").await;
    browser.wait_until("the details are closed", "!document.querySelector('.beside-card')").await;
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_found_and_no_events_are_told_apart() {
    let app = App::start().await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.show("events").await;
    assert!(dashboard.browser.text("main").await.contains("No events yet"));
    app.send(&json!([event("1", "ada", "login", "2025-10-01T10:00:00Z")])).await;
    app.wait_until_stored().await;
    for (page, said) in [("events?where=plan:pro", "Nothing matches this filter"), ("events?period=1h", "No events in this time")]
    {
        dashboard.show(page).await;
        let text = dashboard.browser.text("main").await;
        assert!(text.contains(said) && !text.contains("No events yet"), "{page}: {text}");
    }
    let now: Value = json!([event("2", "ada", "login", &Timestamp::now().to_string())]);
    app.send(&now).await;
    app.wait_until_stored().await;
    dashboard.browser.click("button", "Refresh").await;
    dashboard.browser.wait_until("the new event is listed", "document.querySelector('tbody a')?.href.includes('shown=2&')").await;
}
