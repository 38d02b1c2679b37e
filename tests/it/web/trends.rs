//! Trends in the browser: the numbers of the API, and which of them are not final.

use jiff::ToSpan;
use rollcall_tests::{App, Dashboard, KEY, event};
use serde_json::{Value, json};

use super::taken::{csv, enter, numbers, rows};
use super::{history, today};

const CHART: &str = ".chart-card table";

/// The values of the series of an answer: one list for each point.
fn values(answer: &Value) -> Vec<Vec<i64>> {
    let series = answer["data"].as_array().unwrap();
    let points = series[0]["points"].as_array().unwrap().len();
    (0..points).map(|at| series.iter().map(|one| one["points"][at]["value"].as_i64().unwrap()).collect()).collect()
}

async fn show_table(dashboard: &Dashboard, page: &str) {
    dashboard.show(page).await;
    dashboard.browser.click("section button", "Show as table").await;
    dashboard.browser.find(CHART).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn its_numbers_are_those_of_the_api() {
    let app = App::start().await;
    history(&app).await;
    let dashboard = Dashboard::open(&app).await;
    for query in [
        "",
        "event_type=login&event_type=purchase&metric=users&interval=week",
        "where=device:phone&metric=users",
        "event_type=page_view&breakdown=device&interval=month",
    ] {
        show_table(&dashboard, &format!("trends?{query}")).await;
        let (status, answer) = app.get(&format!("/stats/trends?{query}")).await;
        assert_eq!(status, 200, "{answer}");
        assert_eq!(numbers(&dashboard, CHART, 1).await, values(&answer), "{query}");
        let totals: Vec<_> = answer["data"].as_array().unwrap().iter().map(|one| one["total"].as_i64().unwrap()).collect();
        let shown: Vec<_> =
            numbers(&dashboard, "[aria-label='Series with their totals']", 2).await.into_iter().map(|row| row[0]).collect();
        assert_eq!(shown, totals, "{query}");
    }
    let lines = csv(&dashboard, "trends-events-series").await;
    let url = format!("{}/stats/trends?event_type=page_view&breakdown=device&interval=month&format=csv", app.url);
    let own = app.http.get(&url).header("X-API-Key", KEY).send().await.unwrap().text().await.unwrap();
    assert_eq!(lines, own.lines().collect::<Vec<_>>(), "the CSV is that of the API");
    assert_eq!(dashboard.barriers().await, Vec::<String>::new());
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn types_filters_and_breakdown_are_chosen_by_typing() {
    let app = App::start().await;
    history(&app).await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.show("trends").await;
    enter(&dashboard, "Event type", "page_view").await;
    dashboard.browser.click("button", "+ Filter").await;
    dashboard.browser.type_into("Property", "device").await;
    dashboard.browser.press("Enter").await;
    dashboard.browser.type_into("Value", "phone").await;
    dashboard.browser.press("Enter").await;
    dashboard.settled().await;
    enter(&dashboard, "Break down by", "page").await;
    dashboard.browser.click("button", "People").await;
    dashboard.settled().await;
    let query = "event_type=page_view&metric=users&where=device%3Aeq%3Aphone&breakdown=page";
    assert_eq!(dashboard.browser.address().await, format!("{}/ui/trends?{query}", app.url));
    let (_, answer) = app.get(&format!("/stats/trends?{query}")).await;
    let shown = rows(&dashboard, "[aria-label='Series with their totals']").await;
    assert_eq!(shown.len(), answer["data"].as_array().unwrap().len());
    assert_eq!((shown[0][0].as_str(), &shown[0][2]), ("page_view · /pricing", &answer["data"][0]["total"].to_string()));
    dashboard.browser.click("button", "Remove the filter device is phone").await;
    dashboard.settled().await;
    assert!(!dashboard.browser.address().await.contains("where"));
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_intervals_that_are_not_over_say_so_far() {
    let app = App::start().await;
    history(&app).await;
    let dashboard = Dashboard::open(&app).await;
    for interval in ["day", "week", "month"] {
        show_table(&dashboard, &format!("trends?interval={interval}&period=90d")).await;
        let heads: Vec<_> = rows(&dashboard, CHART).await.into_iter().map(|row| row[0].clone()).collect();
        let (last, before) = heads.split_last().unwrap();
        assert!(last.ends_with("so far"), "{interval}: {last}");
        assert!(before.iter().all(|head| !head.contains("so far")), "{interval}: {before:?}");
    }
    dashboard.show("trends?period=last-month").await;
    let text = dashboard.browser.text("main").await;
    assert!(!text.contains("so far"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn hours_are_offered_for_short_periods_and_have_their_own_names() {
    let app = App::start().await;
    let day = today("UTC") - 3.days();
    app.send(&json!([
        event("1", "ada", "login", &format!("{day}T13:20:00Z")),
        event("2", "bob", "login", &format!("{day}T13:50:00Z"))
    ]))
    .await;
    app.wait_until_stored().await;
    let dashboard = Dashboard::open(&app).await;
    show_table(&dashboard, &format!("trends?period={day}..{day}&interval=hour")).await;
    let shown = rows(&dashboard, CHART).await;
    assert_eq!(shown.len(), 24);
    assert_eq!(shown[13], [format!("{} 13:00", day.strftime("%a %-d %b").to_string().replace("Sep", "Sept")), "2".to_owned()]);
    dashboard.show("trends?period=90d&interval=hour").await;
    assert!(!dashboard.browser.texts(".choice button").await.contains(&"Hours".to_owned()), "hours are not for three months");
    let address = dashboard.browser.text("main").await;
    assert!(!address.contains("cannot be answered"), "{address}");
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_period_before_is_beside_each_series() {
    let app = App::start().await;
    history(&app).await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.show("trends?event_type=login&event_type=purchase").await;
    dashboard.browser.click("input", "Compare with the period before").await;
    dashboard.settled().await;
    assert!(dashboard.browser.address().await.ends_with("&compare=yes"));
    let (from, to) = (today("UTC") - 59.days(), today("UTC") - 30.days());
    let (_, before) = app.get(&format!("/stats/trends?event_type=login&event_type=purchase&from={from}&to={to}")).await;
    let (_, now) = app.get("/stats/trends?event_type=login&event_type=purchase").await;
    let totals =
        |answer: &Value| answer["data"].as_array().unwrap().iter().map(|one| one["total"].as_i64().unwrap()).collect::<Vec<_>>();
    let shown = numbers(&dashboard, "[aria-label='Series with their totals']", 2).await;
    assert_eq!(shown.iter().map(|row| row[0]).collect::<Vec<_>>(), totals(&now));
    assert_eq!(shown.iter().map(|row| row[1]).collect::<Vec<_>>(), totals(&before));
    dashboard.browser.click("section button", "Show as table").await;
    let pairs = numbers(&dashboard, CHART, 1).await;
    let expected: Vec<_> =
        std::iter::zip(values(&now), values(&before)).map(|(now, before)| vec![now[0], before[0], now[1], before[1]]).collect();
    assert_eq!(pairs, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_nothing_matches_is_not_an_empty_project() {
    let app = App::start().await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.show("trends").await;
    assert!(dashboard.browser.text("main").await.contains("No events yet"));
    app.send(&json!([event("1", "ada", "login", &jiff::Timestamp::now().to_string())])).await;
    app.wait_until_stored().await;
    for (page, said) in [
        ("trends?where=plan:pro", "Nothing matches this filter"),
        ("trends?period=2020-01-01..2020-01-31", "No events in this period"),
    ] {
        dashboard.show(page).await;
        let text = dashboard.browser.text("main").await;
        assert!(text.contains(said) && !text.contains("No events yet"), "{page}: {text}");
    }
}
