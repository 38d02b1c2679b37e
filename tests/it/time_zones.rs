//! The time zone of a project: which zones there are, when it is final, and that all numbers follow it.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};
use reqwest::Method;
use rollcall_tests::{App, AppOptions, Stranger, event, wait_until};
use serde_json::{Value, json};

/// Zones that are hard, and a day of each around which a clock changes or a month ends: half hours, UTC+14 and -12,
/// the names of links, and changes at midnight.
const ZONES: [(&str, &str); 10] = [
    ("Asia/Kolkata", "2025-10-31"),
    ("Asia/Calcutta", "2025-10-31"),
    ("Asia/Kathmandu", "2025-10-31"),
    ("Australia/Lord_Howe", "2025-10-05"),
    ("America/St_Johns", "2025-11-02"),
    ("America/Santiago", "2025-09-07"),
    ("Pacific/Kiritimati", "2025-12-31"),
    ("Etc/GMT+12", "2025-12-31"),
    ("US/Pacific", "2025-03-09"),
    ("Europe/Kyiv", "2025-10-26"),
];

async fn patch(app: &App, project: &str, zone: &str) -> (u16, Value) {
    app.admin(Method::PATCH, &format!("/admin/projects/{project}"), &json!({"time_zone": zone})).await
}

/// The events of a day, which must be the same from the rollups and from the rows.
async fn events_on(app: &App, key: &str, day: &str) -> u64 {
    let answer = app.trends_as(key, &[("from", day), ("to", day), ("interval", "day")]).await;
    answer["data"][0]["total"].as_u64().unwrap()
}

/// Every half hour of five days around a day.
fn instants(day: &str) -> Vec<Timestamp> {
    let middle: Timestamp = format!("{day}T12:00:00Z").parse().unwrap();
    (-120..120).map(|number| middle + (number * 30).minutes()).collect()
}

/// The first day of the period in which a local time falls.
fn period(local: &Zoned, granularity: &str) -> String {
    let date = local.date();
    let first = match granularity {
        "week" => date - i64::from(date.weekday().to_monday_zero_offset()).days(),
        "month" => date.first_of_month(),
        _ => date,
    };
    first.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn days_weeks_and_months_are_cut_in_the_zone_of_each_project() {
    let app = App::start().await;
    for (number, (zone, day)) in ZONES.into_iter().enumerate() {
        let project = format!("zone-{number}");
        app.make_project(&project, zone).await;
        let key = app.make_key(&project, &["ingest", "read"]).await.key;
        let instants = instants(day);
        // A user for each event, so that users count like events.
        let sent = |(number, at): (usize, &Timestamp)| event(&number.to_string(), &format!("u{number}"), "t", &at.to_string());
        let events: Vec<_> = instants.iter().enumerate().map(sent).collect();
        app.store_as(&key, &json!(events)).await;
        let tz = TimeZone::get(zone).unwrap();
        let locals: Vec<_> = instants.iter().map(|at| at.to_zoned(tz.clone())).collect();
        let (first, last) = (locals[0].date().to_string(), locals[locals.len() - 1].date().to_string());
        for granularity in ["day", "week", "month"] {
            let mut expected = BTreeMap::<String, u64>::new();
            locals.iter().for_each(|local| *expected.entry(period(local, granularity)).or_default() += 1);
            for source in ["rollups", "events"] {
                let parameters =
                    [("from", first.as_str()), ("to", &last), ("granularity", granularity), ("fill", "none"), ("source", source)];
                let (status, answer) = app.get_as(&key, "/stats/dau", &parameters).await;
                assert_eq!(status, 200, "{answer}");
                let counted: BTreeMap<_, _> = answer["data"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|day| (day["date"].as_str().unwrap().to_owned(), day["unique_users"].as_u64().unwrap()))
                    .collect();
                assert_eq!(counted, expected, "{zone} {granularity} {source}");
            }
        }
        let hours = app.trends_as(&key, &[("from", &first), ("to", &last), ("interval", "hour")]).await;
        assert_eq!(hours["data"][0]["total"], instants.len(), "{zone}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_changes_until_the_first_event_is_stored_and_events_that_wait_are_cut_by_it() {
    let app = App::start_without_workers(Vec::new()).await;
    app.make_project("shop", "UTC").await;
    let key = app.make_key("shop", &["ingest", "read"]).await.key;
    app.send_with(&key, &json!([event("e", "u", "t", "2025-10-01T23:30:00Z")])).await;
    // Accepted, and not stored yet.
    let (status, answer) = patch(&app, "shop", "Europe/Berlin").await;
    assert_eq!((status, &answer["time_zone"]), (200, &json!("Europe/Berlin")), "{answer}");
    let (mut worker, _) = app.process("worker");
    worker.start();
    app.wait_until_stored().await;
    wait_until("the API knows the zone", async || {
        let counted = app.get_as(&key, "/stats/dau", &[("from", "2025-10-02"), ("to", "2025-10-02"), ("source", "events")]).await;
        (counted.1["data"][0]["unique_users"] == 1).then_some(())
    })
    .await;
    assert_eq!([events_on(&app, &key, "2025-10-01").await, events_on(&app, &key, "2025-10-02").await], [0, 1]);

    let (status, answer) = patch(&app, "shop", "Asia/Tokyo").await;
    assert_eq!((status, &answer["code"]), (409, &json!("has_events")), "{answer}");
    // Everything else still changes, and so does the zone to itself.
    let body = json!({"time_zone": "europe/berlin", "retention_days": 30});
    let (status, answer) = app.admin(Method::PATCH, "/admin/projects/shop", &body).await;
    assert_eq!((status, &answer["retention_days"]), (200, &json!(30)), "{answer}");
}

/// The sessions of the API and of workers that wait for a lock.
async fn waiting(app: &App) -> i64 {
    let count = "select count(*) from pg_stat_activity \
                 where datname = current_database() and application_name like 'rollcall-%' and wait_event_type = 'Lock'";
    sqlx::query_scalar(count).fetch_one(&app.pool).await.unwrap()
}

/// The change is first in line for the project when the worker comes to store its first event.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_waits_for_a_change_of_the_zone_uses_the_new_one() {
    let app = App::start_with(AppOptions::default()).await;
    app.make_project("shop", "UTC").await;
    let key = app.make_key("shop", &["ingest", "read"]).await.key;
    let lock = "select from projects where name = 'shop' for update";
    let stranger = Stranger::hold(&app.database_url, lock).await.unwrap();
    let change = patch(&app, "shop", "Europe/Berlin");
    let release = async {
        wait_until("the change waits", async || (waiting(&app).await == 1).then_some(())).await;
        app.send_with(&key, &json!([event("e", "u", "t", "2025-10-01T23:30:00Z")])).await;
        wait_until("the worker waits too", async || (waiting(&app).await == 2).then_some(())).await;
        stranger.let_go().await.unwrap();
    };
    let ((status, answer), ()) = tokio::join!(change, release);
    assert_eq!(status, 200, "{answer}");
    app.wait_until_stored().await;
    let day: String = sqlx::query_scalar("select day::text from event_counts_delta union select day::text from event_counts")
        .fetch_one(&app.pool)
        .await
        .unwrap();
    assert_eq!(day, "2025-10-02");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_zones_and_first_events_at_the_same_time_agree() {
    let app = App::start_with(AppOptions { workers: 2, ..AppOptions::default() }).await;
    let mut keys = Vec::new();
    for number in 0..12 {
        app.make_project(&format!("p{number}"), "UTC").await;
        keys.push(app.make_key(&format!("p{number}"), &["ingest", "read"]).await.key);
    }
    let race = async |number: usize| {
        let events = json!([event("e", "u", "t", "2025-10-01T23:30:00Z")]);
        let project = format!("p{number}");
        let (_, (status, answer)) = tokio::join!(app.send_with(&keys[number], &events), patch(&app, &project, "Europe/Berlin"));
        assert!(status == 200 || (status, &answer["code"]) == (409, &json!("has_events")), "{status} {answer}");
        status
    };
    let statuses = futures::future::join_all((0..keys.len()).map(race)).await;
    app.wait_until_stored().await;
    // The API may know a zone for as long as it trusts a key, so the rows are compared in the database.
    let different: Vec<String> = sqlx::query_scalar(
        "select p.name from projects p join events e on e.project_id = p.id \
         where (e.occurred_at at time zone p.time_zone)::date <> all (
             select day from event_counts where project_id = p.id union select day from event_counts_delta where project_id = p.id
         )",
    )
    .fetch_all(&app.pool)
    .await
    .unwrap();
    assert_eq!(different, [""; 0], "{statuses:?}");
    println!("{} of {} changes came before the event", statuses.iter().filter(|status| **status == 200).count(), keys.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_zone_of_the_installations_own_project_can_be_changed_too() {
    let app = App::start().await;
    let (status, answer) = patch(&app, "default", "Pacific/Kiritimati").await;
    assert_eq!(status, 200, "{answer}");
    app.send(&json!([event("e", "u", "t", "2025-10-01T10:00:00Z")])).await;
    app.wait_until_stored().await;
    wait_until("the API knows the zone", async || {
        let (_, answer) = app.get("/stats/dau?from=2025-10-02&to=2025-10-02&source=events").await;
        (answer["data"][0]["unique_users"] == 1).then_some(())
    })
    .await;
    let answer = app.ask("/stats/dau?from=2025-10-01&to=2025-10-02").await;
    assert_eq!(answer["data"], json!([{"date": "2025-10-01", "unique_users": 0}, {"date": "2025-10-02", "unique_users": 1}]));
}
