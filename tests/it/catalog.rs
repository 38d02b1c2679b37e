//! What a project has: accounts and event types.

use jiff::{Timestamp, ToSpan};
use rollcall_tests::{App, event};
use serde_json::{Value, json};

fn of_account(id: &str, account: &str, user: &str, event_type: &str, at: &str) -> Value {
    let mut event = event(id, user, event_type, at);
    event["account_id"] = json!(account);
    event
}

fn ago(hours: i64) -> String {
    Timestamp::now().saturating_sub(hours.hours()).unwrap().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_summed_up_by_type_and_by_user() {
    let app = App::start().await;
    app.send(&json!([
        of_account("1", "acc/1", "bob", "login", &ago(1)),
        of_account("2", "acc/1", "bob", "buy", &ago(2)),
        of_account("3", "acc/1", "ada", "login", &ago(3)),
        of_account("4", "acc/1", "cid", "login", &ago(30)),
        of_account("5", "acc/1", "cid", "login", &ago(24 * 20)),
        of_account("6", "acc/1", "cid", "login", "2025-10-01T23:30:00Z"),
        of_account("7", "acc_2", "ada", "login", &ago(1)),
    ]))
    .await;
    app.wait_until_stored().await;
    for (query, window, logins, buys, users) in [
        ("", json!("last_24h"), 2, Some(1), json!([{"user_id": "bob", "events": 2}, {"user_id": "ada", "events": 1}])),
        (
            "?window=last_7d",
            json!("last_7d"),
            3,
            Some(1),
            json!([{"user_id": "bob", "events": 2}, {"user_id": "ada", "events": 1}, {"user_id": "cid", "events": 1}]),
        ),
        (
            "?window=last_30d",
            json!("last_30d"),
            4,
            Some(1),
            json!([{"user_id": "bob", "events": 2}, {"user_id": "cid", "events": 2}, {"user_id": "ada", "events": 1}]),
        ),
        ("?from=2025-10-01&to=2025-10-01", Value::Null, 1, None, json!([{"user_id": "cid", "events": 1}])),
    ] {
        let mut totals = json!({"login": logins});
        if let Some(buys) = buys {
            totals["buy"] = json!(buys);
        }
        let expected = json!({"account_id": "acc/1", "window": window, "totals": totals, "top_users": users});
        assert_eq!(app.get(&format!("/accounts/acc%2F1/summary{query}")).await, (200, expected), "{query}");
    }
    assert_eq!(app.get("/accounts/sample").await, (200, json!({"account_ids": ["acc/1", "acc_2"]})));
    assert_eq!(app.get("/accounts/sample?limit=1").await, (200, json!({"account_ids": ["acc/1"]})));
    let nothing = json!({"account_id": "none", "window": "last_24h", "totals": {}, "top_users": []});
    assert_eq!(app.get("/accounts/none/summary").await, (200, nothing));
    let (status, answer) = app.get("/accounts/none/summary?window=last_7d&from=2025-10-01").await;
    assert_eq!((status, answer["errors"][0]["code"].as_str()), (400, Some("conflict")));
}

#[tokio::test(flavor = "multi_thread")]
async fn event_types_are_listed_with_their_last_30_days() {
    let app = App::start().await;
    let today = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    app.send(&json!([
        event("1", "ada", "login", &ago(0)),
        event("2", "ada", "login", &ago(24 * 29)),
        event("3", "bob", "login", &ago(24 * 29)),
        event("4", "cid", "login", "2025-10-01T10:00:00Z"),
        event("5", "cid", "log%out", "2025-10-01T10:00:00Z"),
        event("6", "cid", "buy", &ago(0)),
    ]))
    .await;
    app.wait_until_stored().await;
    let buy = json!({"event_type": "buy", "events": 1, "users": 1, "first_day": today, "last_day": today});
    let logout = json!({"event_type": "log%out", "events": 0, "users": 0, "first_day": "2025-10-01", "last_day": "2025-10-01"});
    let login = json!({"event_type": "login", "events": 3, "users": 2, "first_day": "2025-10-01", "last_day": today});
    for is_folded in [false, true] {
        if is_folded {
            app.wait_until_compacted().await;
        }
        let all = json!({"data": [buy, logout, login], "next_cursor": null});
        assert_eq!(app.get("/event-types").await, (200, all));
        let some = json!({"data": [logout, login], "next_cursor": null});
        assert_eq!(app.get("/event-types?query=log").await, (200, some));
        let none = json!({"data": [], "next_cursor": null});
        assert_eq!(app.get("/event-types?query=%25").await, (200, none));
    }
    let (_, first) = app.get("/event-types?limit=2").await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = json!({"data": [login], "next_cursor": null});
    assert_eq!(app.get(&format!("/event-types?limit=2&cursor={cursor}")).await, (200, rest));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_properties_of_a_type_are_those_of_its_newest_events() {
    let app = App::start().await;
    let with = |id: u32, properties: Value| {
        let at = Timestamp::from_second(1_759_312_800 + i64::from(id)).unwrap().to_string();
        let mut event = event(&id.to_string(), "ada", "page view", &at);
        event["properties"] = properties;
        event
    };
    let mut events: Vec<_> = (0..1_100).map(|id| with(id, json!({"old": id}))).collect();
    events.extend((1_100..2_000).map(|id| with(id, json!({"plan": if id % 10 == 0 { "pro" } else { "free" }}))));
    app.send(&json!(events)).await;
    app.wait_until_stored().await;
    let (status, answer) = app.get("/event-types/page%20view/properties").await;
    assert_eq!((status, &answer["events_sampled"], &answer["event_type"]), (200, &json!(1_000), &json!("page view")));
    let plan = json!({"property": "plan", "types": ["string"], "share": 0.9,
                      "values": [{"value": "free", "count": 810}, {"value": "pro", "count": 90}]});
    assert_eq!(answer["data"][0], plan);
    assert_eq!((&answer["data"][1]["property"], &answer["data"][1]["share"]), (&json!("old"), &json!(0.1)));
    let nothing = json!({"event_type": "none", "events_sampled": 0, "data": []});
    assert_eq!(app.get("/event-types/none/properties").await, (200, nothing));
}
