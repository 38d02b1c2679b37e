//! The dashboard in a real browser: one file for each page, and for what holds on all of them.

mod accounts;
mod dead_letters;
mod developer_pages;
mod events;
mod every_page;
mod funnel;
mod keys;
mod links;
mod live;
mod one_event;
mod overview;
mod pipeline;
mod prefix;
mod projects;
mod reading;
mod retention;
mod schemas;
mod send_event;
mod sessions;
mod sign_in;
mod strangers_page;
mod taken;
mod time_zone;
mod trends;
mod users;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use rollcall_tests::App;
use serde_json::{Value, json};

/// The day that it is in a time zone.
fn today(zone: &str) -> Date {
    Timestamp::now().to_zoned(TimeZone::get(zone).unwrap()).date()
}

/// Sends events of the last ninety days, which are stored when this returns: every day some people come back, and some
/// are new, with ids of many kinds. No number is the same on two days in a row.
async fn history(app: &App) {
    let mut events = Vec::new();
    for back in 0..90_i64 {
        let at = Timestamp::now() - (back * 24).hours() - 1.minute();
        for user in 0..(5 + (back * 7) % 11) {
            let user = (back / 3 + user * 5) % 60;
            let name = match user {
                0 => "مستخدم-صفر".to_owned(),
                1 => "🦊".to_owned(),
                2 => "=cmd|' /C calc'!A0".to_owned(),
                3 => "..".to_owned(),
                _ => format!("user_{user:03}"),
            };
            let session = format!("s-{back}-{user}");
            let mut send = |event_type: &str, properties: Value| {
                events.push(json!({
                    "event_id": format!("{back}-{user}-{event_type}"), "event_type": event_type, "user_id": name,
                    "session_id": session, "account_id": format!("acc_{:02}", user % 7), "occurred_at": at.to_string(),
                    "properties": properties,
                }));
            };
            send("page_view", json!({"page": "/pricing", "device": if user % 2 == 0 { "phone" } else { "desktop" }}));
            if user % 3 != 0 {
                send("login", json!({"plan": if user % 4 == 0 { "pro" } else { "free" }}));
            }
            if (user + back) % 6 == 0 {
                send("purchase", json!({"amount": 10 + user, "cart": {"currency": "EUR"}}));
            }
        }
    }
    app.send(&json!(events)).await;
    app.wait_until_stored().await;
}
