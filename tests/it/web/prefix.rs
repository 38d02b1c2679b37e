//! Behind a proxy that puts a prefix in front of every path.

use rollcall_tests::{App, Dashboard, KEY, Look, PrefixProxy};

#[tokio::test(flavor = "multi_thread")]
async fn the_dashboard_works_under_a_prefix() {
    let app = App::start().await;
    super::history(&app).await;
    let proxy = PrefixProxy::start(&app.url).await;
    let dashboard = Dashboard::open_as(&proxy.url, KEY, Look::DESK).await;
    dashboard.browser.click("nav a", "Send a test event").await;
    dashboard.settled().await;
    assert_eq!(dashboard.browser.address().await, format!("{}/ui/send-event", proxy.url));
    dashboard.browser.click("button", "Send").await;
    dashboard.browser.find(".notice.success").await;
    // A page that is opened anew finds its files as well.
    dashboard.show("overview?period=7d").await;
    assert_eq!(dashboard.browser.text("h1").await, "Overview");
    // Everything it asked for was below the prefix.
    dashboard.check().await;
}
