//! Retention in the browser: its numbers, and what a reader must not misunderstand.

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};
use rollcall_tests::{App, Dashboard, event};
use serde_json::{Value, json};

use super::taken::{csv, curl, day, enter, month, percent};
use super::{history, today};

fn monday(day: Date) -> Date {
    day.tomorrow().unwrap().nth_weekday(-1, Weekday::Monday).unwrap()
}

/// People who are new in the weeks of the page, unlike those of the history: they log in, and one of them buys a week later.
async fn newcomers(app: &App, today: Date) {
    let at = |weeks_ago: i64| format!("{}T12:00:00Z", monday(today) - weeks_ago.weeks());
    let event =
        |user: &str, event_type: &str, weeks_ago: i64| event(&format!("{user}-{weeks_ago}"), user, event_type, &at(weeks_ago));
    app.send(&json!([event("new-1", "login", 3), event("new-2", "login", 3), event("new-1", "purchase", 2)])).await;
    app.wait_until_stored().await;
}

/// The cells of the cohorts on screen: the head and the size, and of each window its text, and whether it is open.
async fn cohorts(dashboard: &Dashboard) -> Value {
    let script = "return [...document.querySelectorAll('.heatmap tbody tr')].slice(1).map((row) => ({ head: row.cells[0].textContent, \
                  people: Number(row.cells[1].querySelector('data').value), windows: [...row.cells].slice(2).filter((cell) => cell.textContent !== '').map((cell) => \
                  [cell.firstChild.textContent, cell.querySelector('.heat-count')?.textContent ?? '0', cell.classList.contains('open')]) }))";
    dashboard.browser.run(script, &[]).await
}

/// The same from an answer of the API about weeks.
fn expected(answer: &Value, today: Date) -> Value {
    let of = |cohort: &Value| {
        let first: Date = cohort["cohort_date"].as_str().unwrap().parse().unwrap();
        let window = |(index, users): (usize, &Value)| {
            let is_open = cohort["complete"][index] == false;
            let text = if is_open && *users == 0 { "–".to_owned() } else { percent(&cohort["retention_windows"][index]) };
            ((first + (index as i64 + 1).weeks()) <= today).then(|| json!([text, users.to_string(), is_open]))
        };
        let windows: Vec<_> = cohort["retained_users"].as_array().unwrap().iter().enumerate().filter_map(window).collect();
        json!({"head": format!("Week of {}", day(first)), "people": cohort["users_count"], "windows": windows})
    };
    answer["data"].as_array().unwrap().iter().map(of).collect()
}

async fn heads(dashboard: &Dashboard) -> Vec<String> {
    cohorts(dashboard).await.as_array().unwrap().iter().map(|cohort| cohort["head"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn its_cells_are_those_of_the_api_and_rows_name_week_and_size() {
    let app = App::start().await;
    let today = today("UTC");
    history(&app).await;
    newcomers(&app, today).await;
    let dashboard = Dashboard::open(&app).await;
    let start = monday(today) - 7.weeks();
    for (page, query) in [
        ("retention", ""),
        ("retention?cohort=new", "&cohort=new"),
        ("retention?event_type=login&return_event_type=purchase", "&event_type=login&return_event_type=purchase"),
    ] {
        dashboard.show(page).await;
        let (_, answer) = app.get(&format!("/stats/retention?start_date={start}&cohorts=8&windows=8{query}")).await;
        assert_eq!(cohorts(&dashboard).await, expected(&answer, today), "{page}");
    }
    let lines = csv(&dashboard, "retention").await;
    let url = format!(
        "{}/stats/retention?start_date={start}&cohorts=8&windows=8&event_type=login&return_event_type=purchase&format=csv",
        app.url
    );
    let own = app.http.get(&url).header("X-API-Key", rollcall_tests::KEY).send().await.unwrap().text().await.unwrap();
    assert_eq!(lines, own.lines().collect::<Vec<_>>(), "the CSV is that of the API");
    let command = curl(&dashboard, "retention").await;
    assert!(command.contains("return_event_type=purchase") && !command.contains(rollcall_tests::KEY), "{command}");
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_types_of_events_are_chosen_by_typing() {
    let app = App::start().await;
    let today = today("UTC");
    history(&app).await;
    newcomers(&app, today).await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.show("retention").await;
    enter(&dashboard, "Event type of the cohort", "login").await;
    enter(&dashboard, "Event type of coming back", "purchase").await;
    dashboard.browser.click("button", "New people").await;
    dashboard.settled().await;
    assert_eq!(
        dashboard.browser.address().await,
        format!("{}/ui/retention?cohort=new&event_type=login&return_event_type=purchase", app.url)
    );
    let query = format!(
        "start_date={}&cohorts=8&windows=8&cohort=new&event_type=login&return_event_type=purchase",
        monday(today) - 7.weeks()
    );
    let (_, answer) = app.get(&format!("/stats/retention?{query}")).await;
    assert_eq!(cohorts(&dashboard).await, expected(&answer, today));
    dashboard.browser.click("button", "Remove purchase").await;
    dashboard.settled().await;
    assert!(!dashboard.browser.address().await.contains("return_event_type"));
}

/// Events at noon of a day in weeks before this one.
fn seen(user: &str, weeks_ago: i64, today: Date) -> Value {
    let day = monday(today) - weeks_ago.weeks();
    // This week's are of its first minute, which is over at any time.
    let at = if weeks_ago == 0 { format!("{day}T00:00:00Z") } else { format!("{day}T12:00:00Z") };
    event(&format!("{user}-{weeks_ago}"), user, "visit", &at)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_that_is_open_is_marked_and_never_shown_as_nobody() {
    let app = App::start().await;
    let today = today("UTC");
    app.send(&json!([seen("ada", 1, today), seen("bob", 0, today)])).await;
    app.wait_until_stored().await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.show("retention?cohorts=4").await;
    let shown = cohorts(&dashboard).await;
    // Ada was here last week, and may still come this week.
    assert_eq!(shown[2]["windows"], json!([["–", "0", true]]));
    assert_eq!(shown[3], json!({"head": shown[3]["head"], "people": 1, "windows": []}), "this week has no window yet");
    let text = dashboard.browser.text(".heatmap").await;
    assert!(!text.contains("0%"), "{text}");
    let said = dashboard.browser.texts(".heatmap .open").await;
    assert!(said.iter().all(|cell| cell.ends_with("so far")) && said.len() == 1, "{said:?}");
    assert!(
        dashboard.browser.texts(".heatmap tbody tr:last-child").await[0].contains("so far"),
        "the size of this week's cohort too"
    );
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn averages_are_weighted_with_cohorts_of_nobody_and_without_open_windows() {
    let app = App::start().await;
    let today = today("UTC");
    let mut events = Vec::new();
    // Of four, two come back; of one, nobody; of three, one so far.
    events.extend(["a1", "a2", "a3", "a4"].map(|user| seen(user, 4, today)));
    events.extend(["a1", "a2"].map(|user| seen(user, 3, today)));
    events.push(seen("b1", 2, today));
    events.extend(["c1", "c2", "c3"].map(|user| seen(user, 1, today)));
    events.push(seen("c1", 0, today));
    app.send(&json!(events)).await;
    app.wait_until_stored().await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.show("retention?cohort=new&cohorts=8&windows=4").await;
    let average = dashboard
        .browser
        .run("return [...document.querySelector('.heatmap tbody tr').cells].map((cell) => cell.textContent)", &[])
        .await;
    // 2 of 4 + 1; not the mean of 50 % and 0 %, not 2 of 4, and not 3 of 8.
    assert_eq!(average[2], "40% 2", "{average}");
    assert_eq!((&average[0], &average[1]), (&json!("All cohorts"), &json!("8")));
    dashboard.browser.click("section button", "Show as table").await;
    let first = dashboard
        .browser
        .run(
            "return [...document.querySelectorAll('.chart-card tbody tr')].slice(0, 2).map((row) => row.cells[1].textContent)",
            &[],
        )
        .await;
    assert_eq!(first, json!(["100%", "40%"]), "the curve is the same average");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_kind_of_window_shows_the_past_up_to_the_same_day() {
    let app = App::start().await;
    history(&app).await;
    let dashboard = Dashboard::open(&app).await;
    let last = today("UTC") - 45.days();
    dashboard.show(&format!("retention?window_type=day&to={last}")).await;
    assert_eq!(heads(&dashboard).await.last().unwrap(), &day(last));
    dashboard.browser.click("button", "Months").await;
    dashboard.settled().await;
    let expected: Vec<_> = (0..8).rev().map(|back| month(last.first_of_month() - back.months())).collect();
    assert_eq!(heads(&dashboard).await, expected);
    dashboard.browser.click("button", "Weeks").await;
    dashboard.settled().await;
    assert_eq!(heads(&dashboard).await.last().unwrap(), &format!("Week of {}", day(monday(last))));
    // Without a day, it is the present, and no kind of window leads past it.
    for kind in ["Days", "Months"] {
        dashboard.show("retention").await;
        dashboard.browser.click("button", kind).await;
        dashboard.settled().await;
        let now = today("UTC");
        let last = if kind == "Days" { day(now) } else { month(now) };
        assert_eq!(heads(&dashboard).await.last().unwrap(), &last, "{kind}");
        assert!(!dashboard.browser.named("button", "One cohort later").await.is_enabled().await.unwrap());
    }
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_in_any_cohort_and_no_event_at_all_are_said_differently() {
    let app = App::start().await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.show("retention").await;
    let said = dashboard.browser.text("main").await;
    assert!(said.contains("No events yet"), "{said}");
    app.send(&json!([event("old", "ada", "login", "2020-10-01T10:00:00Z")])).await;
    app.wait_until_stored().await;
    dashboard.show("retention").await;
    let said = dashboard.browser.text("main").await;
    assert!(said.contains("No people in these cohorts") && !said.contains("No events yet"), "{said}");
    dashboard.show("retention?event_type=unknown").await;
    let said = dashboard.browser.text("main").await;
    assert!(said.contains("Nothing matches this filter"), "{said}");
}
