//! Accounts: what happens on behalf of each.

use jiff::{Timestamp, ToSpan};
use rollcall_tests::{App, Dashboard, event};
use serde_json::{Value, json};

use super::history;
use super::taken::{csv, rows};

/// The names and numbers of the bars with this caption.
async fn bars(dashboard: &Dashboard, caption: &str) -> Value {
    let script = "const table = [...document.querySelectorAll('.bar-list')].find((one) => one.caption.textContent === arguments[0]); \
                  return [...table.rows].map((row) => [row.querySelector('bdi').textContent, Number(row.querySelector('data').value)])";
    dashboard.browser.run(script, &[json!(caption)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_numbers_of_an_account_are_those_of_the_api() {
    let app = App::start().await;
    history(&app).await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.show("accounts").await;
    let (_, sample) = app.get("/accounts/sample?limit=100").await;
    let ids: Vec<_> = rows(&dashboard, "[aria-label='List of accounts']").await.into_iter().map(|row| row[0].clone()).collect();
    assert_eq!(json!(ids), sample["account_ids"]);
    assert_eq!(csv(&dashboard, "accounts").await[1..], ids);
    dashboard.browser.click("a", "acc_02").await;
    dashboard.browser.find(".bar-list").await;
    dashboard.settled().await;
    let months = (Timestamp::now() - 900.hours()).to_zoned(jiff::tz::TimeZone::UTC).date();
    for (view, query) in [
        ("", "window=last_7d".to_owned()),
        ("&window=last_24h", "window=last_24h".to_owned()),
        ("&window=last_30d", "window=last_30d".to_owned()),
        (&format!("&window=days&period=2025-01-01..{months}"), format!("from=2025-01-01&to={months}")),
    ] {
        dashboard.show(&format!("account?id=acc_02{view}")).await;
        let (_, summary) = app.get(&format!("/accounts/acc_02/summary?{query}")).await;
        let mut totals: Vec<(String, i64)> = summary["totals"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, events)| (name.clone(), events.as_i64().unwrap()))
            .collect();
        totals.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        if totals.is_empty() {
            assert!(dashboard.browser.text("main").await.contains("No events in this time"), "{query}");
            continue;
        }
        assert_eq!(bars(&dashboard, "Events by type").await, json!(totals), "{query}");
        let users: Vec<_> =
            summary["top_users"].as_array().unwrap().iter().map(|user| json!([user["user_id"], user["events"]])).collect();
        assert_eq!(bars(&dashboard, "Most active users").await, json!(users), "{query}");
        let all = dashboard.browser.run("return Number(document.querySelector('.stat data').value)", &[]).await;
        assert_eq!(all, totals.iter().map(|(_, events)| events).sum::<i64>(), "{query}");
    }
    let (_, latest) = app.get("/events?account_id=acc_02&limit=10").await;
    let shown = rows(&dashboard, "[aria-label='List of the latest events']").await;
    assert_eq!(shown.len(), latest["data"].as_array().unwrap().len());
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_type_leads_to_its_events_of_the_same_time() {
    let app = App::start().await;
    let at = |days: i64| (Timestamp::now() - (24 * days).hours() - 1.minute()).to_string();
    let of = |id: &str, days: i64| {
        let mut event = event(id, "ada", "login", &at(days));
        event["account_id"] = json!("acme / 🦊");
        event
    };
    app.send(&json!([of("now", 0), of("earlier", 3), of("old", 20)])).await;
    app.wait_until_stored().await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.show("accounts").await;
    dashboard.browser.click("a", "acme / 🦊").await;
    dashboard.browser.find(".bar-list").await;
    dashboard.settled().await;
    assert_eq!(bars(&dashboard, "Events by type").await, json!([["login", 2]]));
    dashboard.browser.click(".bar-list a", "login").await;
    dashboard.browser.find("[aria-label='List of events']").await;
    dashboard.settled().await;
    let ids = dashboard.browser.run("return [...document.querySelectorAll('tbody td:nth-child(2) a')].map((link) => new URL(link.href).searchParams.get('shown'))", &[]).await;
    assert_eq!(ids, json!(["now", "earlier"]));
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_accounts_it_says_so_and_any_account_can_be_asked_for() {
    let app = App::start().await;
    app.send(&json!([event("1", "ada", "login", "2025-10-01T10:00:00Z")])).await;
    app.wait_until_stored().await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.show("accounts").await;
    let said = dashboard.browser.text("main").await;
    assert!(said.contains("No events with an account_id"), "{said}");
    dashboard.browser.type_into("Id of the account", "acme").await;
    dashboard.browser.click("button", "Show the account").await;
    dashboard.browser.wait_until("the account is shown", "document.querySelector('h1').textContent === 'Account acme'").await;
    dashboard.settled().await;
    let said = dashboard.browser.text("main").await;
    assert!(said.contains("No events in this time") && said.contains("No events of this account"), "{said}");
    dashboard.check().await;
}
