//! Days are those of the project's time zone, whatever the browser's is.

use rollcall_tests::{App, Dashboard, Look, event};
use serde_json::json;

use super::today;

/// Fourteen hours ahead of UTC, and twenty-two ahead of the browser: it is always another day there than here.
const PROJECT_ZONE: &str = "Pacific/Kiritimati";
const BROWSER_ZONE: &str = "America/Los_Angeles";

#[tokio::test(flavor = "multi_thread")]
async fn days_are_those_of_the_project_and_not_of_the_browser() {
    let app = App::start().await;
    app.make_project("atoll", PROJECT_ZONE).await;
    let key = app.make_key("atoll", &["ingest", "read"]).await;
    let now = jiff::Timestamp::now();
    let events = json!([event("now", "ada", "login", &now.to_string())]);
    let request = app.http.post(format!("{}/events?wait=stored", app.url)).header("X-API-Key", &key.key).json(&events);
    assert_eq!(request.send().await.unwrap().status(), 200);
    let look = Look { zone: BROWSER_ZONE, ..Look::DESK };
    let dashboard = Dashboard::open_as(&app.url, &key.key, look).await;
    let browsers = dashboard.browser.run("return Intl.DateTimeFormat().resolvedOptions().timeZone", &[]).await;
    assert_eq!(browsers, BROWSER_ZONE);
    let day = today(PROJECT_ZONE);
    assert_ne!(day, today(BROWSER_ZONE));

    dashboard.show("overview?period=today").await;
    let shown = dashboard.browser.text(".period-days").await;
    assert_eq!(shown, format!("{} {PROJECT_ZONE}", day.strftime("%a %-d %b %Y")), "the zone is named");
    dashboard.browser.click("section[aria-labelledby] button", "Show as table").await;
    let rows = dashboard.browser.texts(".chart-card tbody tr").await;
    assert!(
        rows.len() == 1 && rows[0].starts_with(&day.strftime("%a %-d %b %Y").to_string()) && rows[0].ends_with('1'),
        "{rows:?}"
    );
    dashboard.check().await;
}
