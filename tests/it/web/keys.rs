//! Keys: made, rotated and revoked as the API has them, and shown once.

use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use reqwest::Method;
use rollcall_tests::{App, Dashboard, Look, wait_until};
use serde_json::{Value, json};

use super::reading::{assert_no_barriers, choose, fill, is_enabled, rows, wait_for_rows, wait_for_text};
use super::taken::csv;
use super::today;

const TABLE: &str = "Keys, oldest first";
const LOG: &str = "Changes, latest first";

async fn keys(app: &App, project: &str) -> Vec<Value> {
    app.get(&format!("/admin/keys?project={project}&limit=1000")).await.1["data"].as_array().unwrap().clone()
}

/// The key that is shown, which works.
async fn shown_key(app: &App, dashboard: &Dashboard) -> String {
    let key = dashboard.browser.text(".secret code").await;
    assert!(key.starts_with("rk_"), "{key}");
    assert_eq!(app.status_of(&app.url, &key).await, 200);
    key
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_made_with_what_was_chosen_shown_once_and_nowhere_after() {
    let app = App::start_without_workers(Vec::new()).await;
    app.make_project("atoll", "Pacific/Kiritimati").await;
    let admin = app.make_key("atoll", &["admin"]).await;
    let dashboard = Dashboard::open_as(&app.url, &admin.key, Look::DESK).await;
    dashboard.show("keys").await;
    dashboard.browser.click("a", "Make a key").await;
    fill(&dashboard, "Name", "nightly 🦊").await;
    dashboard.browser.click("label", "read ask questions").await;
    let last: Date = today("Pacific/Kiritimati") + 30.days();
    fill(&dashboard, "Last day", &last.to_string()).await;
    fill(&dashboard, "Events a second", "5000").await;
    assert_no_barriers(&dashboard, Look::DESK).await;
    dashboard.browser.click("button", "Make the key").await;
    let key = shown_key(&app, &dashboard).await;
    let made = keys(&app, "atoll").await.pop().unwrap();
    // The key ends when the chosen day does, in the zone of the project.
    let end = (last + 1.day()).to_zoned(TimeZone::get("Pacific/Kiritimati").unwrap()).unwrap().timestamp();
    assert_eq!(
        [&made["name"], &made["scopes"], &made["expires_at"], &made["limits"]],
        [&json!("nightly 🦊"), &json!(["ingest", "read"]), &json!(end.to_string()), &json!({"requests_per_second": null, "events_per_second": 5000})]
    );
    let focus = dashboard.browser.run("return document.activeElement.className", &[]).await;
    assert_eq!(focus, "new-key", "whoever uses a screen reader is led to it");
    assert_no_barriers(&dashboard, Look::DESK).await;

    dashboard.browser.devtools("Browser.grantPermissions", json!({"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]})).await;
    dashboard.browser.click("button", "Copy the key").await;
    wait_for_text(&dashboard, "Copied").await;
    let copied = dashboard.browser.run_async("navigator.clipboard.readText().then(arguments[0], (error) => arguments[0](String(error)))", &[]).await;
    assert_eq!(copied, key);
    dashboard.browser.click("button", "I have copied it").await;
    let all = "return JSON.stringify([location.href, history.state, { ...localStorage }, { ...sessionStorage }, document.documentElement.outerHTML])";
    for reload in [false, true] {
        if reload {
            dashboard.show("keys").await;
        }
        let everything = dashboard.browser.run(all, &[]).await;
        assert!(!everything.as_str().unwrap().contains(&key), "reloaded: {reload}");
    }
    assert!(dashboard.browser.requested().await.iter().all(|url| !url.contains(&key)));
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_key_has_a_successor_and_stays_valid_for_the_overlap() {
    let app = App::start_without_workers(Vec::new()).await;
    let old = app.make_key_with(json!({"project": "default", "name": "web", "scopes": ["read"]})).await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.show("keys").await;
    dashboard.browser.click("button", &format!("Rotate the key web ({})", old.id)).await;
    choose(&dashboard, "The old key stays valid", "86400").await;
    assert_no_barriers(&dashboard, Look::DESK).await;
    dashboard.browser.click("dialog button", "Rotate").await;
    let key = shown_key(&app, &dashboard).await;
    assert_ne!(key, old.key);
    assert_eq!(app.status_of(&app.url, &old.key).await, 200, "the old one is valid for a day");
    let listed = keys(&app, "default").await;
    assert_eq!((&listed[1]["replaces"], &listed[1]["name"]), (&json!(old.id), &json!("web")));
    let (_, log) = app.get("/admin/audit-log?limit=1").await;
    assert_eq!(log["data"][0]["action"], "rotate_key");
    let end: jiff::Timestamp = listed[0]["expires_at"].as_str().unwrap().parse().unwrap();
    let rotated: jiff::Timestamp = log["data"][0]["at"].as_str().unwrap().parse().unwrap();
    assert_eq!((end - rotated).total(jiff::Unit::Hour).unwrap().round(), 24.0);
    wait_for_rows(&dashboard, TABLE, 2).await;
    let shown = rows(&dashboard, TABLE).await;
    assert_eq!((shown[0][3].as_str(), shown[1][3].as_str()), ("replaced, still valid", "valid"));
    assert!(!shown[0][8].contains("Rotate"), "a key is rotated once");
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn revoking_a_key_in_use_must_be_typed_and_ends_it() {
    let app = App::start_without_workers(Vec::new()).await;
    let used = app.make_key_with(json!({"project": "default", "name": "used", "scopes": ["read"]})).await;
    let unused = app.make_key_with(json!({"project": "default", "name": "unused", "scopes": ["read"]})).await;
    assert_eq!(app.status_of(&app.url, &used.key).await, 200);
    wait_until("its use is listed", async || keys(&app, "default").await[0]["last_used_at"].is_string().then_some(())).await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.show("keys").await;
    let shown = rows(&dashboard, TABLE).await;
    assert!(shown[0][4].ends_with("ago") || shown[0][4] == "just now", "{shown:?}");
    assert_eq!(shown[1][4], "never");
    dashboard.browser.click("button", &format!("Revoke the key used ({})", used.id)).await;
    let asked = dashboard.browser.text("dialog").await;
    assert!(asked.contains("It was last used"), "{asked}");
    assert!(!is_enabled(&dashboard, "Revoke").await, "it must be typed");
    assert_no_barriers(&dashboard, Look::DESK).await;
    dashboard.browser.find("dialog input").await.send_keys(format!("revoke {}", used.id)).await.unwrap();
    dashboard.browser.click("dialog button", "Revoke").await;
    wait_for_rows(&dashboard, TABLE, 1).await;
    wait_until("it is refused", async || (app.status_of(&app.url, &used.key).await == 401).then_some(())).await;

    dashboard.browser.click("button", &format!("Revoke the key unused ({})", unused.id)).await;
    let asked = dashboard.browser.text("dialog").await;
    assert!(asked.contains("It was never used."), "{asked}");
    dashboard.browser.click("dialog button", "Revoke").await;
    wait_for_text(&dashboard, "All keys have ended").await;
    assert!(keys(&app, "default").await.iter().all(|key| key["revoked_at"].is_string()));
    dashboard.browser.click("label", "Show keys that have ended").await;
    wait_for_rows(&dashboard, TABLE, 2).await;
    assert_eq!(dashboard.browser.address().await, format!("{}/ui/keys?ended=yes", app.url));
    assert!(rows(&dashboard, TABLE).await.iter().all(|row| row[3] == "revoked" && row[8].is_empty()));
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_and_the_audit_log_are_those_of_the_api() {
    let app = App::start_without_workers(Vec::new()).await;
    app.make_project("shop", "UTC").await;
    let change = json!({"retention_days": 90});
    assert_eq!(app.admin(Method::PATCH, "/admin/projects/shop", &change).await.0, 200);
    let limited = json!({"project": "shop", "name": "=1+1", "scopes": ["read", "ingest"], "limits": {"requests_per_second": 50}});
    app.make_key_with(limited).await;
    app.make_key("shop", &["admin"]).await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.show("keys?project=shop").await;
    let expected: Vec<_> = keys(&app, "shop").await.iter().map(|key| (key["name"].as_str().unwrap().to_owned(), key["key_id"].to_string())).collect();
    let shown = rows(&dashboard, TABLE).await;
    assert_eq!(shown.iter().map(|row| (row[0].clone(), row[1].clone())).collect::<Vec<_>>(), expected);
    assert_eq!([&shown[0][2], &shown[0][3], &shown[0][6], &shown[1][6]], ["ingest, read", "valid", "50 requests", "default"]);
    let saved = csv(&dashboard, "keys").await;
    assert!(saved[1].starts_with("'=1+1,"), "{saved:?}");

    dashboard.browser.click("button", "Audit log").await;
    dashboard.settled().await;
    assert_eq!(dashboard.browser.address().await, format!("{}/ui/keys?project=shop&show=log", app.url));
    let (_, log) = app.get("/admin/audit-log?project=shop").await;
    let requests: Vec<_> = log["data"].as_array().unwrap().iter().map(|entry| entry["request_id"].as_str().unwrap().to_owned()).collect();
    let shown = rows(&dashboard, LOG).await;
    assert_eq!(shown.iter().map(|row| row[6].clone()).collect::<Vec<_>>(), requests);
    assert_eq!(shown.iter().map(|row| row[1].as_str()).collect::<Vec<_>>(), ["Made a key", "Made a key", "Changed a project", "Made a project"]);
    assert_eq!((shown[2][4].as_str(), shown[2][5].as_str()), ("key of the installation", "retention_days: – → 90"));
    assert_no_barriers(&dashboard, Look::DESK).await;
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_of_a_project_sees_and_makes_its_keys_only() {
    let app = App::start_without_workers(Vec::new()).await;
    app.make_project("shop", "UTC").await;
    app.make_key("default", &["read"]).await;
    let admin = app.make_key("shop", &["admin"]).await;
    let dashboard = Dashboard::open_as(&app.url, &admin.key, Look::DESK).await;
    dashboard.show("keys").await;
    wait_for_rows(&dashboard, TABLE, 1).await;
    assert_eq!(rows(&dashboard, TABLE).await[0][1], admin.id.to_string());
    let controls = dashboard.browser.texts(".controls [role=group]").await;
    assert_eq!(dashboard.browser.run("return document.querySelectorAll('.id-filter').length", &[]).await, 0, "{controls:?}");
    dashboard.check().await;
    dashboard.show("keys?project=default").await;
    let said = dashboard.browser.text(".notice.problem").await;
    assert!(said.contains("This key may not do that"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_key_is_said_and_none_is_made() {
    let app = App::start_without_workers(Vec::new()).await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.show("keys?make=yes").await;
    fill(&dashboard, "Name", &"x".repeat(101)).await;
    dashboard.browser.click("button", "Make the key").await;
    dashboard.browser.wait_until("the field is marked", "document.querySelector('input[aria-invalid=true]')").await;
    wait_for_text(&dashboard, "must have 1 to 100 characters").await;
    assert_eq!(keys(&app, "default").await.len(), 0);
    dashboard.browser.click("label", "ingest send events").await;
    assert!(!is_enabled(&dashboard, "Make the key").await, "a key needs a scope");
}
