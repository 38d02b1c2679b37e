//! Addresses say what is shown, and the history leads back.

use rollcall_tests::{App, Dashboard};
use serde_json::json;

use super::{history, today};

#[tokio::test(flavor = "multi_thread")]
async fn every_choice_is_in_the_address_and_defaults_are_not() {
    let app = App::start().await;
    history(&app).await;
    let dashboard = Dashboard::open(&app).await;
    let base = format!("{}/ui/", app.url);
    let browser = &dashboard.browser;
    assert_eq!(browser.address().await, base);
    browser.press("w").await;
    dashboard.settled().await;
    assert_eq!(browser.address().await, format!("{base}?period=7d"));
    browser.click("button", "Weeks").await;
    dashboard.settled().await;
    assert_eq!(browser.address().await, format!("{base}?period=7d&interval=week"));
    browser.press("d").await;
    dashboard.settled().await;
    // Back leads through every view, and each is shown again.
    browser.back().await;
    dashboard.settled().await;
    browser.wait_until("the view before is shown", "document.querySelector('.period select').value === '7d'").await;
    browser.back().await;
    browser.back().await;
    dashboard.settled().await;
    assert_eq!(browser.address().await, base);
    browser.wait_until("the first view is shown", "document.querySelector('.period select').value === '30d'").await;
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_period_before_and_after_are_a_key_away_and_the_future_is_not() {
    let app = App::start().await;
    history(&app).await;
    let dashboard = Dashboard::open(&app).await;
    let browser = &dashboard.browser;
    dashboard.show("overview?period=last-month").await;
    let this = browser.text(".period-days").await;
    browser.press("ArrowLeft").await;
    dashboard.settled().await;
    assert_ne!(browser.text(".period-days").await, this);
    browser.press("ArrowRight").await;
    dashboard.settled().await;
    assert_eq!(browser.text(".period-days").await, this);
    dashboard.show("overview?period=today").await;
    let address = browser.address().await;
    browser.press("ArrowRight").await;
    assert_eq!(browser.address().await, address);
    let after = browser.named("button", "Period after").await;
    assert!(!after.is_enabled().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_do_nothing_while_somebody_types() {
    let app = App::start().await;
    history(&app).await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.show("send-event").await;
    let field = dashboard.browser.named("textarea", "The event as JSON").await;
    field.send_keys("dwm").await.unwrap();
    assert_eq!(dashboard.browser.address().await, format!("{}/ui/send-event", app.url));
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_in_an_address_means_the_default() {
    let app = App::start().await;
    history(&app).await;
    let dashboard = Dashboard::open(&app).await;
    for nonsense in ["period=nonsense", "period=2025-02-30..2025-03-01", "period=2025-03-01..2025-02-01", "interval=second"] {
        dashboard.show(&format!("overview?{nonsense}")).await;
        let days = dashboard.browser.text(".period-days").await;
        assert!(days.contains(&today("UTC").strftime("%b %Y").to_string()), "{nonsense}: {days}");
    }
    dashboard.browser.open(&format!("{}/ui/no-such-page", app.url)).await;
    dashboard.browser.wait_until("it says so", "document.body.innerText.includes('There is no such page')").await;
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_saved_with_cells_that_no_spreadsheet_runs() {
    let app = App::start().await;
    let names = ["=1+1", "+1", "-1", "@SUM(A1)", "a,b", "say \"hi\"", "plain"];
    let now = jiff::Timestamp::now().to_string();
    let event = |name: &&str| json!({"event_type": name, "user_id": "u", "occurred_at": now});
    app.send(&json!(names.iter().map(event).collect::<Vec<_>>())).await;
    app.wait_until_stored().await;
    let dashboard = Dashboard::open(&app).await;
    // What is saved is read from the link that saves it.
    let script = "const done = arguments[0]; const make = URL.createObjectURL;
        URL.createObjectURL = (blob) => { blob.text().then(done); return make(blob) };
        const menu = document.querySelector('[aria-label=\"Export top-events\"]'); menu.click();
        setTimeout(() => [...document.querySelectorAll('[role=menuitem]')].find((item) => item.textContent === 'Download CSV').click(), 100);";
    let csv = dashboard.browser.run_async(script, &[]).await;
    let mut lines: Vec<_> = csv.as_str().unwrap().lines().map(str::to_owned).collect();
    assert_eq!(lines.remove(0), "event_type,count");
    lines.sort_unstable();
    let mut expected = ["'=1+1,1", "'+1,1", "'-1,1", "'@SUM(A1),1", "\"a,b\",1", "\"say \"\"hi\"\"\",1", "plain,1"];
    expected.sort_unstable();
    assert_eq!(lines, expected);
    dashboard.check().await;
}
