//! Funnels in the browser: building one, and reading it.

use jiff::{Timestamp, ToSpan};
use rollcall_tests::{App, Dashboard, KEY};
use serde_json::{Value, json};

use super::history;
use super::taken::{csv, enter, numbers, percent};

/// Of four people who look, two buy, after 30 and 90 seconds; one of them pays, after two hours more.
async fn four_people(app: &App, begin: Timestamp) {
    let mut events = Vec::new();
    let mut send = |user: &str, event_type: &str, seconds: i64, plan: &str| {
        events.push(json!({"event_type": event_type, "user_id": user, "occurred_at": (begin + seconds.seconds()).to_string(), "properties": {"plan": plan}}));
    };
    for (user, plan) in [("u1", "pro"), ("u2", "free"), ("u3", "free"), ("u4", "free")] {
        send(user, "look", 0, plan);
    }
    send("u1", "buy", 30, "pro");
    send("u2", "buy", 90, "free");
    send("u1", "pay", 30 + 7200, "pro");
    app.send(&json!(events)).await;
    app.wait_until_stored().await;
}

fn long_ago() -> Timestamp {
    Timestamp::now() - (20 * 24).hours()
}

/// The name, the people and the text of each step on screen.
async fn steps(dashboard: &Dashboard) -> Vec<(String, i64, String)> {
    let script = "return [...document.querySelectorAll('.funnel li')].map((step) => [step.querySelector('.funnel-name').textContent, \
                  Number(step.querySelector('data').value), step.querySelector('.note').innerText])";
    serde_json::from_value(dashboard.browser.run(script, &[]).await).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_funnel_is_built_by_typing_and_has_the_numbers_of_the_api() {
    let app = App::start().await;
    history(&app).await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.show("funnel").await;
    assert!(dashboard.browser.text("main").await.contains("Choose the first step"));
    // A suggestion is taken with the arrow keys.
    dashboard.browser.type_into("First step", "page").await;
    dashboard
        .browser
        .wait_until("a type is suggested", "document.querySelector('[role=option]')?.textContent.startsWith('page_view')")
        .await;
    dashboard.browser.press("ArrowDown").await;
    dashboard.browser.press("Enter").await;
    assert!(dashboard.browser.text("main").await.contains("Choose the next step"));
    enter(&dashboard, "Add a step", "login").await;
    enter(&dashboard, "Add a step", "purchase").await;
    assert_eq!(dashboard.browser.address().await, format!("{}/ui/funnel?steps=page_view&steps=login&steps=purchase", app.url));
    let (_, answer) = app.get("/stats/funnel?steps=page_view,login,purchase").await;
    let shown = steps(&dashboard).await;
    for (step, (name, users, text)) in std::iter::zip(answer["data"].as_array().unwrap(), &shown) {
        assert_eq!((name.as_str(), *users), (step["step"].as_str().unwrap(), step["users"].as_i64().unwrap()));
        let percents = format!(
            "{} of the first step, {} of the step before",
            percent(&step["percent_of_first"]),
            percent(&step["percent_of_previous"])
        );
        assert!(text == "entered" || text.contains(&percents), "{text} has not {percents}");
    }
    assert_eq!(shown.len(), 3);
    let lines = csv(&dashboard, "funnel").await;
    let url = format!("{}/stats/funnel?steps=page_view,login,purchase&format=csv", app.url);
    let own = app.http.get(&url).header("X-API-Key", KEY).send().await.unwrap().text().await.unwrap();
    assert_eq!(lines, own.lines().collect::<Vec<_>>(), "the CSV is that of the API");
    assert_eq!(dashboard.barriers().await, Vec::<String>::new());
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_order_of_steps_changes_by_buttons_and_by_keys_and_the_focus_follows() {
    let app = App::start().await;
    four_people(&app, long_ago()).await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.show("funnel?steps=buy&steps=look&steps=pay").await;
    let names = async || steps(&dashboard).await.into_iter().map(|(name, ..)| name).collect::<Vec<_>>();
    let focus = "return document.activeElement.getAttribute('aria-label')";
    dashboard.browser.click("button", "Move look up").await;
    dashboard.settled().await;
    assert_eq!(names().await, ["look", "buy", "pay"]);
    // At the top, the button that has been pressed is off.
    assert_eq!(dashboard.browser.run(focus, &[]).await, "Move look down");
    let press = "document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key: arguments[0], altKey: true, bubbles: true, cancelable: true }))";
    dashboard.browser.run(press, &[json!("ArrowDown")]).await;
    dashboard.browser.wait_until("the step has moved", "location.search === '?steps=buy&steps=look&steps=pay'").await;
    dashboard.settled().await;
    assert_eq!(dashboard.browser.run(focus, &[]).await, "Move look down");
    dashboard.browser.run(press, &[json!("ArrowUp")]).await;
    dashboard.browser.wait_until("the step has moved back", "location.search === '?steps=look&steps=buy&steps=pay'").await;
    dashboard.settled().await;
    assert_eq!(steps(&dashboard).await.iter().map(|step| step.1).collect::<Vec<_>>(), [4, 2, 1]);
    dashboard.browser.click("button", "Remove buy").await;
    dashboard.settled().await;
    assert_eq!(steps(&dashboard).await.iter().map(|step| step.1).collect::<Vec<_>>(), [4, 1]);
    // Each order is a view that the history leads back to.
    dashboard.browser.back().await;
    dashboard.browser.wait_until("the view before is shown", "document.querySelectorAll('.funnel li').length === 3").await;
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_step_says_people_both_percentages_the_median_and_the_window() {
    let app = App::start().await;
    four_people(&app, long_ago()).await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.show("funnel?steps=look&steps=buy&steps=pay&within=1d").await;
    let shown = steps(&dashboard).await;
    assert_eq!(shown.iter().map(|step| step.1).collect::<Vec<_>>(), [4, 2, 1]);
    assert!(shown[1].2.starts_with("50% of the first step, 50% of the step before, median 1 min"), "{}", shown[1].2);
    assert!(shown[2].2.starts_with("25% of the first step, 50% of the step before, median 2 h"), "{}", shown[2].2);
    let note = dashboard.browser.text(".funnel-page > div .card-head .note").await;
    assert!(note.starts_with("25% of 4 people took all steps within 1 d."), "{note}");
    assert!(
        dashboard.browser.text(".steps-note").await.contains("at most 1 day after the first"),
        "the order of steps is explained"
    );
    // Within an hour, nobody pays.
    let field = dashboard.browser.named("input", "Time for all steps").await;
    let script = "const unit = document.querySelector('[aria-label=\"Time for all steps\"] select'); unit.value = 'h'; unit.dispatchEvent(new Event('change', { bubbles: true }))";
    dashboard.browser.run(script, &[]).await;
    dashboard.settled().await;
    assert_eq!(field.value().await.unwrap().as_deref(), Some("1"));
    assert!(dashboard.browser.address().await.ends_with("within=1h"));
    assert_eq!(steps(&dashboard).await.iter().map(|step| step.1).collect::<Vec<_>>(), [4, 2, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_still_has_time_is_not_called_lost() {
    let app = App::start().await;
    four_people(&app, Timestamp::now() - 3.hours()).await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.show("funnel?steps=look&steps=buy").await;
    let text = dashboard.browser.text(".funnel").await;
    assert!(text.contains("2 not yet") && !text.contains("went no further"), "{text}");
    assert!(dashboard.browser.text(".funnel-page .so-far").await.starts_with("So far"));

    let app = App::start().await;
    let begin = long_ago();
    four_people(&app, begin).await;
    let day = begin.to_zoned(jiff::tz::TimeZone::UTC).date();
    let dashboard = Dashboard::open(&app).await;
    dashboard.show(&format!("funnel?steps=look&steps=buy&period={day}..{day}")).await;
    let text = dashboard.browser.text("main").await;
    assert!(text.contains("2 went no further") && !text.contains("not yet") && !text.contains("So far"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_breakdown_has_a_funnel_for_each_value_and_together_they_are_all() {
    let app = App::start().await;
    four_people(&app, long_ago()).await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.show("funnel?steps=look&steps=buy&steps=pay").await;
    let all: Vec<_> = steps(&dashboard).await.iter().map(|step| step.1).collect();
    enter(&dashboard, "Break down by", "plan").await;
    assert_eq!(steps(&dashboard).await.iter().map(|step| step.1).collect::<Vec<_>>(), all);
    let (_, answer) = app.get("/stats/funnel?steps=look,buy,pay&breakdown=plan").await;
    let users =
        |value: &Value| value["steps"].as_array().unwrap().iter().map(|step| step["users"].as_i64().unwrap()).collect::<Vec<_>>();
    let expected: Vec<_> = answer["data"].as_array().unwrap().iter().map(users).collect();
    let shown: Vec<_> =
        numbers(&dashboard, "[aria-label='Funnels by plan']", 1).await.into_iter().map(|row| row[..3].to_vec()).collect();
    assert_eq!(shown, expected);
    dashboard.browser.click("button", "pro").await;
    dashboard.settled().await;
    assert_eq!(steps(&dashboard).await.iter().map(|step| step.1).collect::<Vec<_>>(), [1, 1, 1]);
    assert!(steps(&dashboard).await[1].2.contains("median 30 s"));
    let address = dashboard.browser.address().await;
    dashboard.browser.open(&address).await;
    dashboard.settled().await;
    assert_eq!(steps(&dashboard).await[0].1, 1, "the address says which value is shown");
    assert_eq!(dashboard.barriers().await, Vec::<String>::new());
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_who_enters_and_nobody_who_passes_the_filter_are_told_apart() {
    let app = App::start().await;
    four_people(&app, long_ago()).await;
    let dashboard = Dashboard::open(&app).await;
    for (page, said) in [
        ("funnel?steps=look&steps=buy&period=2020-01-01..2020-01-31", "No people who entered in this period"),
        ("funnel?steps=look&steps=buy&where=plan:nobody", "Nothing matches this filter"),
    ] {
        dashboard.show(page).await;
        let text = dashboard.browser.text("main").await;
        assert!(text.contains(said), "{page}: {text}");
    }
    // What the API refuses says which parameter is wrong.
    dashboard.show("funnel?steps=look&steps=buy&where=nonsense").await;
    let text = dashboard.browser.text(".notice").await;
    assert!(text.contains("where"), "{text}");
}
