//! The pipeline: its figures are those of the API, and what is wrong comes first and in words.

use rollcall_tests::{App, AppOptions, Dashboard, Look, Poison, event};
use serde_json::{Value, json};

use super::reading::{rows, stat, wait_for_stat, wait_for_text};

/// What is said at the top, one line for each thing.
async fn findings(dashboard: &Dashboard) -> Vec<String> {
    dashboard.browser.texts(".findings li, .notice.success").await
}

async fn wait_for_finding(dashboard: &Dashboard, beginning: &str) {
    let expression = format!("[...document.querySelectorAll('.findings li, .notice.success')].some((one) => one.innerText.startsWith({}))", json!(beginning));
    dashboard.browser.wait_until(beginning, &expression).await;
}

async fn send_some(app: &App, count: usize) {
    for n in 0..count {
        app.send(&json!([event(&format!("e{n}"), "u", "t", "2026-03-01T10:00:00Z")])).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_are_those_of_the_api_and_refresh_by_themselves() {
    let app = App::start_without_workers(Vec::new()).await;
    let dashboard = Dashboard::open(&app).await;
    send_some(&app, 5).await;
    dashboard.show("pipeline").await;
    wait_for_stat(&dashboard, "Messages that wait", 5).await;
    let (_, answer) = app.get("/pipeline").await;
    assert_eq!(answer["stream"]["messages"], 5);
    let consumers: Vec<Vec<String>> = answer["consumers"].as_array().unwrap().iter().map(|one| {
        [one["name"].as_str().unwrap().to_owned()].into_iter().chain(["pending", "in_flight", "redelivered"].map(|name| one[name].to_string())).collect()
    }).collect();
    assert_eq!(rows(&dashboard, "Consumers").await, consumers);
    assert_eq!((stat(&dashboard, "Workers").await, stat(&dashboard, "Dead letters").await), (json!(0), json!(0)));
    let said = findings(&dashboard).await;
    assert!(said[0].starts_with("Problem: No worker runs. ") && said[0].ends_with("5 messages wait for one."), "{said:?}");

    let (mut worker, _) = app.process("worker");
    worker.start();
    // Nobody loads the page again.
    wait_for_finding(&dashboard, "All is well.").await;
    dashboard.browser.wait_until("the worker has reported what it stored", "[...document.querySelectorAll('table.data')].find((one) => one.caption.textContent === 'Workers')?.tBodies[0].rows[0].cells[3].textContent === '5'").await;
    let (_, answer) = app.get("/pipeline").await;
    assert_eq!(rows(&dashboard, "Workers").await[0][0], answer["workers"][0]["worker_id"]);
    wait_for_stat(&dashboard, "Messages that wait", 0).await;
    assert_eq!(stat(&dashboard, "Workers").await, 1);
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_comes_first_the_worst_at_the_top() {
    let mut app = App::start().await;
    Poison::lay(&app.pool).await;
    app.send(&Poison::in_event(event("bad", "u", "t", "2026-03-01T10:00:00Z"))).await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.show("pipeline").await;
    wait_for_finding(&dashboard, "Look at this: 1 dead letter.").await;
    wait_for_finding(&dashboard, "Look at this: A worker had an error").await;
    let (_, answer) = app.get("/pipeline").await;
    let reason = answer["last_error"]["message"].as_str().unwrap();
    assert!(findings(&dashboard).await.iter().any(|one| one.contains(reason)), "{reason}");

    app.nats.kill();
    wait_for_finding(&dashboard, "Problem: The queue is away.").await;
    let said = findings(&dashboard).await;
    assert!(said[0].starts_with("Problem: The queue is away.") && said[0].contains("503"), "{said:?}");
    assert!(said[1..].iter().all(|one| !one.starts_with("Problem")), "{said:?}");
    app.nats.restart().unwrap();
    dashboard.browser.wait_until("it is back", "![...document.querySelectorAll('.findings li')].some((one) => one.innerText.startsWith('Problem'))").await;
    wait_for_finding(&dashboard, "Look at this: 1 dead letter.").await;
    dashboard.browser.click(".findings a", "Show them").await;
    dashboard.settled().await;
    assert_eq!(dashboard.browser.address().await, format!("{}/ui/dead-letters", app.url));
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_database_the_page_says_that_events_are_safe() {
    let mut app = App::start_with(AppOptions { own_postgres: true, ..AppOptions::default() }).await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.show("pipeline").await;
    let postgres = app.postgres.as_mut().unwrap();
    tokio::task::block_in_place(|| postgres.kill());
    wait_for_finding(&dashboard, "Problem: PostgreSQL is away.").await;
    let said = findings(&dashboard).await;
    assert!(said[0].contains("nothing is lost"), "{said:?}");
    let postgres = app.postgres.as_mut().unwrap();
    tokio::task::block_in_place(|| postgres.restart()).unwrap();
    dashboard.browser.wait_until("it is back", "![...document.querySelectorAll('.findings li')].some((one) => one.innerText.startsWith('Problem'))").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refreshing_can_be_paused_and_the_address_says_so() {
    let app = App::start_without_workers(Vec::new()).await;
    let dashboard = Dashboard::open(&app).await;
    // Which repeated actions of the page wait for their turn.
    let count = "window.repeated = new Map(); const [set, clear] = [setInterval, clearInterval];
        window.setInterval = (run, ms, ...more) => { const id = set(run, ms, ...more); window.repeated.set(id, ms); return id; };
        window.clearInterval = (id) => { window.repeated.delete(id); clear(id); };";
    dashboard.browser.devtools("Page.addScriptToEvaluateOnNewDocument", json!({"source": count})).await;
    dashboard.show("pipeline").await;
    let is_repeated = "[...window.repeated.values()].includes(5000)";
    dashboard.browser.wait_until("it refreshes", is_repeated).await;
    dashboard.browser.run("[...document.querySelectorAll('.switch input')].find((one) => one.labels[0].textContent === 'Refresh every 5 s').click()", &[]).await;
    dashboard.browser.wait_until("it does not refresh", &format!("!{is_repeated}")).await;
    assert_eq!(dashboard.browser.address().await, format!("{}/ui/pipeline?refresh=no", app.url));
    send_some(&app, 3).await;
    dashboard.show("pipeline?refresh=no").await;
    assert_eq!(dashboard.browser.run(&format!("return {is_repeated}"), &[]).await, false);
    wait_for_stat(&dashboard, "Messages that wait", 3).await;
    app.send(&json!([event("more", "u", "t", "2026-03-01T10:00:00Z")])).await;
    dashboard.browser.click("button", "Refresh").await;
    wait_for_stat(&dashboard, "Messages that wait", 4).await;
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_of_a_project_sees_its_share_and_is_told_so() {
    let app = App::start_without_workers(Vec::new()).await;
    app.make_project("shop", "Europe/Berlin").await;
    let key = app.make_key("shop", &["ingest", "read"]).await.key;
    send_some(&app, 4).await;
    app.send_with(&key, &json!([event("own", "u", "t", "2026-03-01T10:00:00Z")])).await;
    let dashboard = Dashboard::open_as(&app.url, &key, Look::DESK).await;
    dashboard.show("pipeline").await;
    wait_for_stat(&dashboard, "Messages that wait", 1).await;
    let (_, answer) = app.get_as(&key, "/pipeline", &[]).await;
    assert_eq!((&answer["stream"]["messages"], &answer["workers"]), (&json!(1), &Value::Null));
    wait_for_text(&dashboard, "These are the figures of your project.").await;
    let said = dashboard.browser.text("main").await;
    assert!(said.contains("All is well.") && said.contains("Europe/Berlin") && !said.contains("No worker"), "{said}");
    assert_eq!(rows(&dashboard, "Consumers").await.len(), 0);
    assert_eq!(dashboard.browser.texts("main a").await.iter().filter(|link| *link == "Show").count(), 0, "dead letters need another key");
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_found_by_its_id() {
    let app = App::start().await;
    app.send(&json!([event("🦊/..", "u", "t", "2026-03-01T10:00:00Z")])).await;
    app.wait_until_stored().await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.show("pipeline").await;
    dashboard.browser.type_into("Id of an event", "🦊/..").await;
    dashboard.browser.click("button", "Find").await;
    dashboard.settled().await;
    wait_for_text(&dashboard, "Stored.").await;
    assert_eq!(dashboard.browser.text("h1").await, "Event 🦊/..");
}
