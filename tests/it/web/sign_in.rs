//! Signing in and out, and what a key lets people see.

use reqwest::Method;
use rollcall_tests::{App, Browser, Dashboard, KEY, Look};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_refused_in_words_and_a_right_one_leads_to_the_page_that_was_asked_for() {
    let app = App::start().await;
    super::history(&app).await;
    let dashboard = Dashboard { browser: Browser::start(Look::DESK).await, url: app.url.clone() };
    dashboard.browser.open(&format!("{}/ui/overview?period=7d", app.url)).await;
    dashboard.browser.type_into("API key", "wrong").await;
    dashboard.browser.click("button", "Sign in").await;
    let said = dashboard.browser.text("[role=alert]").await;
    assert_eq!(said, "There is no such key, or it has ended.");
    dashboard.browser.named("input", "API key").await.clear().await.unwrap();
    dashboard.sign_in(KEY).await;
    assert_eq!(dashboard.browser.address().await, format!("{}/ui/overview?period=7d", app.url));
    assert_eq!(dashboard.browser.text("h1").await, "Overview");
    // The refusal is all that was ever written to the console.
    let console = dashboard.browser.console().await;
    assert!(console.len() == 1 && console[0].contains("401"), "{console:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_is_nowhere_in_the_browser() {
    let app = App::start().await;
    let dashboard = Dashboard::open(&app).await;
    let script = "return JSON.stringify([document.cookie, { ...localStorage }, { ...sessionStorage }, location.href, history.state, document.documentElement.outerHTML])";
    let all = dashboard.browser.run(script, &[]).await;
    assert!(!all.as_str().unwrap().contains(KEY), "{all}");
    assert_eq!(dashboard.browser.run("return document.cookie", &[]).await, "", "no script reads the session either");
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_menu_shows_what_the_key_allows_and_no_more() {
    let app = App::start().await;
    super::history(&app).await;
    app.add_key("default", "reader", &["read"]).await;
    app.add_key("default", "sender", &["ingest"]).await;
    for (key, shown, hidden) in [
        ("reader", vec!["Overview"], vec!["Keys", "Dead letters", "Send a test event"]),
        ("sender", vec!["Send a test event"], vec!["Overview", "Keys"]),
        (KEY, vec!["Overview", "Keys", "Dead letters", "Send a test event"], vec![]),
    ] {
        let dashboard = Dashboard { browser: Browser::start(Look::DESK).await, url: app.url.clone() };
        dashboard.browser.open(&format!("{}/ui/send-event", app.url)).await;
        dashboard.browser.type_into("API key", key).await;
        dashboard.browser.click("button", "Sign in").await;
        dashboard.browser.find("nav a").await;
        let menu = dashboard.browser.texts("nav a").await;
        assert!(shown.iter().all(|page| menu.contains(&(*page).to_owned())), "{key}: {menu:?}");
        assert!(!hidden.iter().any(|page: &&str| menu.contains(&(*page).to_owned())), "{key}: {menu:?}");
        if key == "reader" {
            let said = dashboard.browser.text("main").await;
            assert!(said.contains("This key may not see this page") && said.contains("ingest"), "{said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_ends_the_session_and_shows_the_form() {
    let app = App::start().await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.browser.click("button", "Sign out").await;
    dashboard.browser.named("input", "API key").await;
    assert_eq!(dashboard.ask("/ui/session").await, json!(null));
    let left: i64 = sqlx::query_scalar("select count(*) from web_sessions").fetch_one(&app.pool).await.unwrap();
    assert_eq!(left, 0);
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_ends_the_session_and_another_key_goes_on_where_it_was() {
    let app = App::start().await;
    super::history(&app).await;
    let key = app.make_key("default", &["read"]).await;
    let dashboard = Dashboard::open_as(&app.url, &key.key, Look::DESK).await;
    dashboard.show("overview?period=7d").await;
    let (status, answer) = app.call(Method::DELETE, &format!("/admin/keys/{}", key.id)).await;
    assert_eq!(status, 200, "{answer}");
    // Whatever is asked next finds out.
    dashboard.browser.press("m").await;
    let said = dashboard.browser.text(".sign-in [role=status]").await;
    assert_eq!(said, "The session has ended. Sign in again to go on where you were.");
    dashboard.sign_in(KEY).await;
    assert_eq!(dashboard.browser.address().await, format!("{}/ui/", app.url), "30 days are the default");
    assert_eq!(dashboard.browser.text("h1").await, "Overview");
}
