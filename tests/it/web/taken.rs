//! What people take along from a page, and how its tables read: for the tests of the pages.

use jiff::civil::Date;
use rollcall_tests::Dashboard;
use serde_json::{Value, json};

/// The texts of the cells of all rows in the bodies of the tables that a CSS selector finds.
pub(super) async fn rows(dashboard: &Dashboard, css: &str) -> Vec<Vec<String>> {
    let script = "return [...document.querySelectorAll(`${arguments[0]} tbody tr:not([aria-hidden])`)].map((row) => [...row.cells].map((cell) => cell.innerText.trim()))";
    serde_json::from_value(dashboard.browser.run(script, &[json!(css)]).await).unwrap()
}

/// The whole numbers in the columns of a table from `first` on, with all their digits. Other cells are left out.
pub(super) async fn numbers(dashboard: &Dashboard, css: &str, first: usize) -> Vec<Vec<i64>> {
    let script = "return [...document.querySelectorAll(`${arguments[0]} tbody tr:not([aria-hidden])`)].map((row) => [...row.cells].slice(arguments[1])\
                  .map((cell) => Number(cell.querySelector('data')?.value ?? cell.textContent.replaceAll(',', ''))).filter(Number.isInteger))";
    serde_json::from_value(dashboard.browser.run(script, &[json!(css), json!(first)]).await).unwrap()
}

/// What the entry "Download CSV" of a menu saves, line by line.
pub(super) async fn csv(dashboard: &Dashboard, name: &str) -> Vec<String> {
    // It is read from the link that saves it.
    let watch = "window.taken = null; window.makeUrl ??= URL.createObjectURL; \
                 URL.createObjectURL = (blob) => { blob.text().then((text) => { window.taken = text }); return window.makeUrl.call(URL, blob) }";
    dashboard.browser.run(watch, &[]).await;
    choose(dashboard, name, "Download CSV").await;
    let text = dashboard.browser.wait_until("a file is saved", "window.taken").await;
    text.as_str().unwrap().lines().map(str::to_owned).collect()
}

/// The command that the entry "Copy as curl" of a menu copies.
pub(super) async fn curl(dashboard: &Dashboard, name: &str) -> String {
    dashboard
        .browser
        .run("window.copied = null; navigator.clipboard.writeText = async (text) => { window.copied = text }", &[])
        .await;
    choose(dashboard, name, "Copy as curl").await;
    dashboard.browser.wait_until("a command is copied", "window.copied").await.as_str().unwrap().to_owned()
}

async fn choose(dashboard: &Dashboard, name: &str, entry: &str) {
    dashboard.browser.click("button", &format!("Export {name}")).await;
    dashboard.browser.click("[role=menuitem]", entry).await;
}

/// Writes into a field with suggestions, and takes what was written.
pub(super) async fn enter(dashboard: &Dashboard, label: &str, text: &str) {
    dashboard.browser.type_into(label, text).await;
    dashboard.browser.press("Enter").await;
    dashboard.settled().await;
}

/// A day as the dashboard writes it: "Wed 1 Oct 2025". In the English of the dashboard, September has four letters.
pub(super) fn day(date: Date) -> String {
    date.strftime("%a %-d %b %Y").to_string().replace(" Sep ", " Sept ")
}

/// A month as the dashboard writes it.
pub(super) fn month(date: Date) -> String {
    date.strftime("%b %Y").to_string().replace("Sep ", "Sept ")
}

/// A percentage as the dashboard writes it.
pub(super) fn percent(value: &Value) -> String {
    let value = value.as_f64().unwrap();
    match value {
        _ if value > 0.0 && value < 0.05 => "<0.1%".to_owned(),
        _ if value > 99.95 && value < 100.0 => ">99.9%".to_owned(),
        _ => format!("{}%", (value * 10.0).round() / 10.0),
    }
}
