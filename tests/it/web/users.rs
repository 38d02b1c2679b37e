//! Users, and one of them: days active, sessions, and every event.

use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan};
use rollcall_tests::{App, Dashboard, Look, event};
use serde_json::{Value, json};

use super::taken::{csv, day, rows};
use super::{history, today};

const LIST: &str = "[aria-label='List of users']";
const TIMELINE: &str = "[aria-label='Events of the user']";

/// The days of the calendar that have events, as they are read out.
async fn calendar(dashboard: &Dashboard) -> Vec<String> {
    let script = "return [...document.querySelectorAll('.calendar a')].sort((a, b) => (a.dataset.day < b.dataset.day ? -1 : 1)).map((day) => day.getAttribute('aria-label'))";
    serde_json::from_value(dashboard.browser.run(script, &[]).await).unwrap()
}

async fn stats(dashboard: &Dashboard) -> BTreeMap<String, i64> {
    let script = "return Object.fromEntries([...document.querySelectorAll('.stat')].filter((one) => one.querySelector('data')).map((one) => [one.querySelector('.stat-label').textContent, Number(one.querySelector('data').value)]))";
    serde_json::from_value(dashboard.browser.run(script, &[]).await).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_that_of_the_api_and_narrows_while_somebody_types() {
    let app = App::start().await;
    history(&app).await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.show("users").await;
    let ids = async |query: &str| {
        let (_, answer) = app.get(&format!("/users{query}")).await;
        answer["data"].as_array().unwrap().iter().map(|user| user["user_id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let shown = async || rows(&dashboard, LIST).await.into_iter().map(|row| row[0].clone()).collect::<Vec<_>>();
    assert_eq!(shown().await, ids("").await);
    let entries = dashboard.browser.run("return history.length", &[]).await;
    dashboard.browser.type_into("Id begins with", "user_01").await;
    dashboard.browser.wait_until("the address has followed", "location.search === '?query=user_01'").await;
    dashboard.settled().await;
    assert_eq!(shown().await, ids("?query=user_01").await);
    assert_eq!(dashboard.browser.run("return history.length", &[]).await, entries, "letters are no steps of the history");
    let lines = csv(&dashboard, "users").await;
    assert_eq!((lines[0].as_str(), lines.len() - 1), ("user_id,first_seen,last_seen", shown().await.len()));
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_numbers_and_days_of_a_user_are_those_of_the_api() {
    let app = App::start().await;
    history(&app).await;
    let dashboard = Dashboard::open(&app).await;
    for (id, path) in [
        ("user_005", "user_005"),
        ("🦊", "%F0%9F%A6%8A"),
        ("مستخدم-صفر", "%D9%85%D8%B3%D8%AA%D8%AE%D8%AF%D9%85-%D8%B5%D9%81%D8%B1"),
    ] {
        dashboard.show("users").await;
        dashboard.browser.click(&format!("{LIST} a"), id).await;
        dashboard.browser.find(TIMELINE).await;
        dashboard.settled().await;
        let (status, user) = app.get(&format!("/users/{path}")).await;
        assert_eq!(status, 200, "{id}: {user}");
        let expected = [("Events", "events"), ("Days active", "days_active"), ("Sessions", "sessions")];
        assert_eq!(
            stats(&dashboard).await,
            expected.map(|(label, field)| (label.to_owned(), user[field].as_i64().unwrap())).into()
        );
        let (_, events) = app.get(&format!("/users/{path}/events?limit=1000")).await;
        let mut days: BTreeMap<jiff::civil::Date, usize> = BTreeMap::new();
        for event in events["data"].as_array().unwrap() {
            let at: Timestamp = event["occurred_at"].as_str().unwrap().parse().unwrap();
            *days.entry(at.to_zoned(jiff::tz::TimeZone::UTC).date()).or_default() += 1;
        }
        assert_eq!(days.len() as i64, user["days_active"].as_i64().unwrap());
        let said = |(date, events): (&jiff::civil::Date, &usize)| {
            let unit = if *events == 1 { "event" } else { "events" };
            format!("{}: {events} {unit}{}", day(*date), if *date == today("UTC") { ", so far" } else { "" })
        };
        assert_eq!(calendar(&dashboard).await, days.iter().map(said).collect::<Vec<_>>(), "{id}");
        let listed = rows(&dashboard, TIMELINE).await.len();
        assert_eq!(listed, events["data"].as_array().unwrap().len().min(100), "{id}");
    }
    let direction = dashboard
        .browser
        .run(
            "return [getComputedStyle(document.querySelector('h1 bdi')).direction, document.querySelector('h1 bdi').textContent]",
            &[],
        )
        .await;
    assert_eq!(direction, json!(["rtl", "مستخدم-صفر"]), "the id has a direction of its own");
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_of_the_calendar_shows_its_events_and_arrows_lead_from_day_to_day() {
    let app = App::start().await;
    let now = Timestamp::now();
    let at = |days: i64| (now - (24 * days).hours() - 1.minute()).to_string();
    app.send(&json!([event("a", "ada", "login", &at(1)), event("b", "ada", "buy", &at(1)), event("c", "ada", "login", &at(20))]))
        .await;
    app.wait_until_stored().await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.show("user?id=ada").await;
    // One day is reached by the tab key, and it is the latest.
    let reached = dashboard
        .browser
        .run(
            "const days = [...document.querySelectorAll('.calendar a[tabindex=\"0\"]')]; days[0].focus(); return days.length",
            &[],
        )
        .await;
    assert_eq!(reached, 1);
    dashboard.browser.press("ArrowLeft").await;
    let focus = "document.activeElement.dataset.day";
    let earlier = (now - 480.hours() - 1.minute()).to_zoned(jiff::tz::TimeZone::UTC).date();
    dashboard.browser.wait_until("the day before has the focus", &format!("{focus} === '{earlier}'")).await;
    dashboard.browser.press("Enter").await;
    dashboard.browser.wait_until("the address names the day", &format!("location.search === '?id=ada&day={earlier}'")).await;
    dashboard.settled().await;
    let shown = rows(&dashboard, TIMELINE).await;
    assert_eq!((shown.len(), shown[0][3].as_str()), (1, "login"));
    dashboard.browser.click("button", "Show all days").await;
    dashboard.settled().await;
    assert_eq!(rows(&dashboard, TIMELINE).await.len(), 3);
    assert_eq!(dashboard.barriers().await, Vec::<String>::new());
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn days_are_those_of_the_project_and_not_of_the_browser() {
    let app = App::start().await;
    app.make_project("atoll", "Pacific/Kiritimati").await;
    let key = app.make_key("atoll", &["ingest", "read"]).await;
    let events = json!([event("a", "ada", "login", "2025-10-01T10:00:00Z"), event("b", "ada", "login", "2025-10-01T09:59:59Z")]);
    let request = app.http.post(format!("{}/events?wait=stored", app.url)).header("X-API-Key", &key.key).json(&events);
    assert_eq!(request.send().await.unwrap().status(), 200);
    let look = Look { zone: "America/Los_Angeles", ..Look::DESK };
    let dashboard = Dashboard::open_as(&app.url, &key.key, look).await;
    // Of somebody who has not been here for long, the calendar shows the last time.
    dashboard.show("user?id=ada").await;
    assert_eq!(calendar(&dashboard).await, ["Wed 1 Oct 2025: 1 event", "Thu 2 Oct 2025: 1 event"]);
    let shown: Vec<_> = rows(&dashboard, TIMELINE).await.into_iter().map(|row| row[..2].to_vec()).collect();
    assert_eq!(shown, [["Thu 2 Oct 2025", "00:00:00"], ["Wed 1 Oct 2025", "23:59:59"]]);
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_that_no_path_can_contain_have_a_page_too() {
    let app = App::start().await;
    let events: Vec<Value> =
        ["..", "a/b?c=d&e", "=1+1"].iter().map(|id| event(id, id, "login", "2025-10-01T10:00:00Z")).collect();
    app.send(&json!(events)).await;
    app.wait_until_stored().await;
    let dashboard = Dashboard::open(&app).await;
    for id in ["..", "a/b?c=d&e", "=1+1"] {
        dashboard.show("users").await;
        dashboard.browser.click(&format!("{LIST} a"), id).await;
        dashboard.browser.find(TIMELINE).await;
        dashboard.settled().await;
        assert_eq!(dashboard.browser.text("h1").await, format!("User {id}"));
        assert_eq!(rows(&dashboard, TIMELINE).await.len(), 1, "{id}");
    }
    dashboard.check().await;
    dashboard.show("user?id=nobody").await;
    let said = dashboard.browser.text("main").await;
    assert!(said.contains("There is no such user"), "{said}");
}
