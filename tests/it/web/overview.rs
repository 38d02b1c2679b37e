//! The overview: its numbers are those of the API, and it says what they are about.

use jiff::ToSpan;
use rollcall_tests::{App, Dashboard, event, wait_until};
use serde_json::{Value, json};

use super::{history, today};

/// The value of the number with this label.
async fn stat(dashboard: &Dashboard, label: &str) -> i64 {
    let script = "return [...document.querySelectorAll('.stat')].find((one) => one.querySelector('.stat-label').textContent === arguments[0])\
                  .querySelector('.stat-value data').value";
    dashboard.browser.run(script, &[json!(label)]).await.as_str().unwrap().parse().unwrap()
}

async fn people(app: &App, from: jiff::civil::Date, to: jiff::civil::Date) -> i64 {
    let (_, answer) = app.get(&format!("/stats/trends?metric=users&from={from}&to={to}")).await;
    answer["data"][0]["total"].as_i64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn its_numbers_are_those_of_the_api() {
    let app = App::start().await;
    history(&app).await;
    let dashboard = Dashboard::open(&app).await;
    let today = today("UTC");
    let yesterday = today - 1.day();
    for (label, days) in [("Active in a day", 1), ("Active in 7 days", 7), ("Active in 30 days", 30)] {
        assert_eq!(stat(&dashboard, label).await, people(&app, today - days.days(), yesterday).await, "{label}");
    }
    let (_, trends) = app.get(&format!("/stats/trends?from={}&to={today}", today - 29.days())).await;
    assert_eq!(stat(&dashboard, "Events").await, trends["data"][0]["total"].as_i64().unwrap());

    let (_, top) = app.get("/stats/top-events").await;
    let shown = dashboard.browser.run("return [...document.querySelectorAll('.bar-list tr')].map((row) => ({ event_type: row.querySelector('bdi').textContent, count: Number(row.querySelector('data').value) }))", &[]).await;
    assert_eq!(shown, top["data"]);

    dashboard.browser.click("section[aria-labelledby] button", "Show as table").await;
    let (_, dau) = app.get("/stats/dau").await;
    let shown = dashboard.browser.run("return [...document.querySelector('.chart-card table').rows].slice(1).map((row) => row.lastElementChild.textContent)", &[]).await;
    let expected: Vec<_> = dau["data"].as_array().unwrap().iter().map(|day| day["unique_users"].to_string()).collect();
    assert_eq!(shown, json!(expected));
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn new_and_returning_people_add_up_to_those_who_were_active() {
    let app = App::start().await;
    history(&app).await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.browser.run("[...document.querySelectorAll('section')].find((card) => card.textContent.startsWith('New and returning')).querySelector('button').click()", &[]).await;
    let read = "return [...document.querySelectorAll('.chart-card')].at(-1).querySelector('table') && [...[...document.querySelectorAll('.chart-card')].at(-1).querySelector('table').rows].slice(1).map((row) => [...row.cells].slice(1).map((cell) => Number(cell.textContent)))";
    let rows =
        wait_until("the table is shown", async || Some(dashboard.browser.run(read, &[]).await).filter(Value::is_array)).await;
    let start = today("UTC") - 29.days();
    let (_, fresh) =
        app.get(&format!("/stats/retention?start_date={start}&cohorts=30&windows=1&window_type=day&cohort=new")).await;
    let (_, dau) = app.get("/stats/dau").await;
    let expected: Vec<_> = std::iter::zip(fresh["data"].as_array().unwrap(), dau["data"].as_array().unwrap())
        .map(|(fresh, all)| {
            let fresh = fresh["users_count"].as_i64().unwrap();
            json!([all["unique_users"].as_i64().unwrap() - fresh, fresh])
        })
        .collect();
    assert_eq!(rows, json!(expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_that_is_not_over_is_dashed_and_says_so() {
    let app = App::start().await;
    history(&app).await;
    let dashboard = Dashboard::open(&app).await;
    assert!(dashboard.browser.texts(".chart-card .legend").await[0].ends_with("so far"));
    // The keyboard leads to the last point, which is today.
    dashboard.browser.run("document.querySelector('.chart-room').focus()", &[]).await;
    dashboard.browser.press("End").await;
    let said = dashboard
        .browser
        .wait_until("the point is read out", "document.querySelector('.chart-room [role=status]').textContent")
        .await;
    assert!(said.as_str().unwrap().contains(", so far: "), "{said}");
    dashboard.browser.press("ArrowLeft").await;
    let before = dashboard.browser.wait_until("another point is read out", &format!("document.querySelector('.chart-room [role=status]').textContent !== {said} && document.querySelector('.chart-room [role=status]').textContent")).await;
    assert!(!before.as_str().unwrap().contains("so far"), "{before}");
    // A period that is over has nothing of the kind.
    dashboard.show("overview?period=last-month").await;
    assert!(!dashboard.browser.text("main").await.contains("so far"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_without_events_waits_for_the_first_one_and_then_shows_it() {
    let app = App::start().await;
    let dashboard = Dashboard::open(&app).await;
    let said = dashboard.browser.text("main").await;
    assert!(said.contains("No events yet.") && said.contains("curl ") && said.contains("/events"), "{said}");
    assert!(!said.contains("Active in"), "no row of zeros");
    app.send(&json!([event("first", "ada", "login", &jiff::Timestamp::now().to_string())])).await;
    dashboard.browser.wait_until("the overview is shown", "document.querySelector('.stat')").await;
    dashboard.settled().await;
    assert_eq!(stat(&dashboard, "Events").await, 1);
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_in_a_period_is_told_apart_from_nothing_at_all() {
    let app = App::start().await;
    app.send(&json!([event("old", "ada", "login", "2025-10-01T10:00:00Z")])).await;
    app.wait_until_stored().await;
    let dashboard = Dashboard::open(&app).await;
    let said = dashboard.browser.text("main").await;
    assert!(said.contains("No events in this period") && !said.contains("No events yet"), "{said}");
}
