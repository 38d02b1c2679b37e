//! `screenshots`: saves a picture of every page of the dashboard with the demo data, in both themes and on a phone.
//! `make screenshots` builds everything and runs it.

use std::path::PathBuf;
use std::process::Command;

use clap::Parser;
use rollcall_tests::{App, Dashboard, KEY, Look, binary};
use serde_json::Value;

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
    app.wait_until_stored().await;
    app.wait_until_compacted().await;
    let dashboard = Dashboard::open(&app).await;
    let pages = pages(&dashboard, &app).await;
    for (name, page) in pages.iter().filter(|(name, _)| arguments.only.is_empty() || arguments.only.contains(name)) {
        for (ending, look) in LOOKS {
            dashboard.browser.set_look(look).await;
            dashboard.show(page).await;
            let file = arguments.folder.join(format!("{name}-{ending}.png"));
            std::fs::write(&file, dashboard.browser.picture().await).expect("the picture can be saved");
            println!("{}", file.display());
        }
    }
}

/// The pages of the menu, and those that others lead to with ids of the sample data, each with the name of its files.
async fn pages(dashboard: &Dashboard, app: &App) -> Vec<(String, String)> {
    let script = "return [...document.querySelectorAll('nav a')].map((link) => link.pathname.split('/ui/')[1])";
    let menu = dashboard.browser.run(script, &[]).await;
    let menu = menu.as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut pages: Vec<_> =
        menu.map(|page| (if page.is_empty() { "overview" } else { page }.to_owned(), page.to_owned())).collect();
    let (_, events) = app.get("/events?limit=1").await;
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
