//! The pages for developers: the reference of the API at /docs, and GraphQL's page.

use rollcall_tests::{App, Browser, Dashboard, KEY, Look, event, wait_until};
use serde_json::Value;

/// An installation with one event, and a browser on one of its pages.
async fn open(path: &str) -> (App, Dashboard) {
    let app = App::start().await;
    app.send(&event("1", "ada", "sign-up", "2025-10-01T10:00:00Z")).await;
    app.wait_until_stored().await;
    let page = Dashboard { browser: Browser::start(Look::DESK).await, url: app.url.clone() };
    page.browser.open(&format!("{}{path}", app.url)).await;
    (app, page)
}

/// Types into a field that a CSS selector finds.
async fn fill(browser: &Browser, css: &str, text: &str) {
    browser.find(css).await.send_keys(text).await.unwrap_or_else(|error| panic!("{css}: {error}"));
}

/// Clicks what a CSS selector finds, wherever it is on the page.
async fn press(browser: &Browser, css: &str) {
    browser.find(css).await;
    browser.run("document.querySelector(arguments[0]).click()", &[css.into()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_lists_every_operation_and_sends_requests_with_a_key() {
    let (app, page) = open("/docs").await;
    let description: Value = app.http.get(format!("{}/openapi.json", app.url)).send().await.unwrap().json().await.unwrap();
    let paths = description["paths"].as_object().unwrap().values();
    let methods = ["get", "put", "post", "patch", "delete"];
    let operations =
        paths.flat_map(|path| path.as_object().unwrap().keys()).filter(|key| methods.contains(&key.as_str())).count();
    let browser = &page.browser;
    browser
        .wait_until("all operations are there", &format!("document.querySelectorAll('.opblock').length === {operations}"))
        .await;

    press(browser, ".btn.authorize").await;
    fill(browser, ".auth-container input", KEY).await;
    press(browser, ".auth-btn-wrapper .authorize").await;
    press(browser, ".auth-btn-wrapper .btn-done").await;
    browser
        .run(
            "const all = [...document.querySelectorAll('.opblock-get')];
             const block = all.find((one) => one.querySelector('.opblock-summary-path').dataset.path === '/event-types');
             block.id = 'tried';
             block.querySelector('.opblock-summary-control').click();",
            &[],
        )
        .await;
    press(browser, "#tried .execute").await;
    browser
        .wait_until("the answer is shown", "document.querySelector('#tried .live-responses-table').innerText.includes('sign-up')")
        .await;
    page.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_graphql_sends_queries_and_shows_the_schema() {
    let (_app, page) = open("/graphql").await;
    let browser = &page.browser;
    fill(browser, "#key", KEY).await;
    press(browser, "#run").await;
    browser.wait_until("the answer is shown", "document.getElementById('answer').textContent.includes('sign-up')").await;
    press(browser, "#load").await;
    browser.wait_until("the schema is shown", "document.getElementById('schema').textContent.includes('latestEvents')").await;
    page.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_graphql_shows_live_events() {
    let (app, page) = open("/graphql").await;
    let browser = &page.browser;
    fill(browser, "#key", KEY).await;
    browser.run("document.getElementById('query').value = 'subscription { events { eventType userId } }'", &[]).await;
    press(browser, "#run").await;
    browser.wait_until("it is subscribed", "document.getElementById('status').textContent === 'waiting for events'").await;
    // The server does not say when it has subscribed.
    wait_until("an event is shown", async || {
        app.send(&event("2", "bob", "log-out", "2025-10-02T10:00:00Z")).await;
        let shown = browser.run("return document.getElementById('answer').textContent.includes('log-out')", &[]).await;
        (shown == true).then_some(())
    })
    .await;
    press(browser, "#stop").await;
    page.check().await;
}
