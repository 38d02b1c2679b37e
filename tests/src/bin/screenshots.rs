//! `screenshots`: saves a picture of every page of the dashboard with the demo data, in both themes and on a phone.
//! `make screenshots` builds everything and runs it.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use clap::Parser;
use rollcall_tests::{App, Dashboard, KEY, Look, Poison, binary, event};
use serde_json::{Value, json};

/// The demo of `rollcall dev`, but with more people.
const SAMPLE: [&str; 4] = ["--events", "40000", "--days", "90"];
/// How each page is looked at, with the ending of its file's name.
const LOOKS: [(&str, Look); 4] =
    [("light", Look::DESK), ("dark", Look::DESK.dark()), ("phone-light", Look::PHONE), ("phone-dark", Look::PHONE.dark())];

/// Saves pictures of the dashboard.
#[derive(Debug, Parser)]
struct Arguments {
    /// Folder for the pictures
    folder: PathBuf,
    /// Pages by the beginning of their address, by comma; all when absent
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    std::fs::create_dir_all(&arguments.folder).expect("the folder can be made");
    let app = App::start().await;
    let sent = Command::new(binary("rollcall"))
        .arg("generate")
        .args(SAMPLE)
        .args(["--send", "--url", &app.url, "--api-key", KEY])
        .status()
        .expect("the program runs");
    assert!(sent.success(), "the sample data cannot be sent");
    furnish(&app).await;
    app.wait_until_stored().await;
    app.wait_until_compacted().await;
    let dashboard = Dashboard::open(&app).await;
    let pages = pages(&dashboard, &app).await;
    for (name, page) in pages.iter().filter(|(name, _)| arguments.only.is_empty() || arguments.only.contains(name)) {
        for (ending, look) in LOOKS {
            dashboard.browser.set_look(look).await;
            dashboard.show(page).await;
            if name == "live" {
                dashboard
                    .browser
                    .wait_until("the stream is open", "document.querySelector('main').innerText.includes('Pause')")
                    .await;
                app.send(&happening()).await;
                dashboard
                    .browser
                    .wait_until("events are shown", "document.querySelector('main').innerText.includes('ada')")
                    .await;
            }
            let painted = "return Math.round(performance.getEntriesByName('first-contentful-paint')[0]?.startTime)";
            let painted = dashboard.browser.run(painted, &[]).await;
            let file = arguments.folder.join(format!("{name}-{ending}.png"));
            std::fs::write(&file, dashboard.browser.picture().await).expect("the picture can be saved");
            println!("{}: first paint after {painted} ms", file.display());
        }
    }
}

/// Gives the pages of administration something to show: keys, a schema with a violation, and dead letters.
async fn furnish(app: &App) {
    for (name, scopes) in
        [("website", json!(["ingest"])), ("weekly report", json!(["read"])), ("operators", json!(["read", "admin"]))]
    {
        let (status, answer) = app.post("/admin/keys", &[], json!({"name": name, "scopes": scopes}).to_string()).await;
        assert_eq!(status, 201, "{answer}");
    }
    Poison::lay(&app.pool).await;
    let poisoned = (1..=4).map(|n| Poison::in_event(event(&format!("order-{n}"), "ada", "purchase", "2026-03-01T10:00:00Z")));
    app.send(&Value::Array(poisoned.collect())).await;
    let schema = json!({"mode": "warn", "schema": {"type": "object", "required": ["plan"], "properties": {"plan": {"enum": ["free", "pro"]}}}});
    let answer = app.http.put(format!("{}/admin/schemas/login", app.url)).header("X-API-Key", KEY).json(&schema).send().await;
    assert!(answer.is_ok_and(|answer| answer.status().is_success()), "the schema cannot be set");
    // Every replica checks events by it within five seconds.
    tokio::time::sleep(Duration::from_secs(5)).await;
    app.send(&happening()).await;
}

/// Events of this moment.
fn happening() -> Value {
    let now = jiff::Timestamp::now().to_string();
    let events = ["page_view", "login", "search", "page_view", "add_to_cart", "checkout", "purchase", "page_view"].into_iter();
    events
        .zip(["ada", "bob", "ada", "cyd", "ada", "ada", "ada", "bob"])
        .map(|(event_type, user)| json!({"event_type": event_type, "user_id": user, "occurred_at": now, "properties": {"plan": "trial", "device": "phone"}}))
        .collect()
}

/// The pages of the menu, and those that others lead to with ids of the sample data, each with the name of its files.
async fn pages(dashboard: &Dashboard, app: &App) -> Vec<(String, String)> {
    let script = "return [...document.querySelectorAll('nav a')].map((link) => link.pathname.split('/ui/')[1])";
    let menu = dashboard.browser.run(script, &[]).await;
    let menu = menu.as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut pages: Vec<_> =
        menu.map(|page| (if page.is_empty() { "overview" } else { page }.to_owned(), page.to_owned())).collect();
    for (name, page) in &mut pages {
        if name == "funnel" {
            *page = "funnel?steps=page_view&steps=add_to_cart&steps=checkout".to_owned();
        }
    }
    let (_, events) = app.get("/events?limit=1&event_type=click").await;
    for (page, parameter, field) in [
        ("event", "event_id", "event_id"),
        ("user", "id", "user_id"),
        ("session-timeline", "id", "session_id"),
        ("account", "id", "account_id"),
    ] {
        if let Some(id) = events["data"][0][field].as_str() {
            pages.push((page.to_owned(), format!("{page}?{parameter}={id}")));
        }
    }
    pages
}
