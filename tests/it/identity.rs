//! Identity: what is the same event, and what is not.

use rollcall_tests::{App, event};
use serde_json::json;

const DAYS: &str = "from=2025-10-01&to=2025-10-31";

#[tokio::test(flavor = "multi_thread")]
async fn an_event_sent_again_changes_nothing_and_the_first_stays() {
    let app = App::start().await;
    let first = event("a", "ada", "login", "2025-10-01T10:00:00Z");
    app.send(&json!([first, first, event("a", "bob", "signup", "2025-10-01T23:59:59Z")])).await;
    app.wait_until_stored().await;
    app.send(&json!([event("a", "cid", "buy", "2025-10-01T00:00:00Z")])).await;
    app.wait_until_stored().await;
    assert_eq!(app.stored().await, 1);
    let top = app.ask(&format!("/stats/top-events?{DAYS}")).await;
    assert_eq!(top, json!({"data": [{"event_type": "login", "count": 1}]}));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_on_another_day_is_another_event() {
    let app = App::start().await;
    app.send(&json!([event("a", "ada", "t", "2025-10-01T23:59:59Z"), event("a", "ada", "t", "2025-10-02T00:00:00Z")])).await;
    app.wait_until_stored().await;
    assert_eq!(app.stored().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_uuid_is_one_id_in_any_case() {
    let app = App::start().await;
    let at = "2025-10-01T10:00:00Z";
    let (lower, upper) = ("7b0e4a52-6a0f-4c43-9d0b-1f3f5f0f7a11", "7B0E4A52-6A0F-4C43-9D0B-1F3F5F0F7A11");
    app.send(&json!([event(lower, "ada", "t", at), event(upper, "ada", "t", at)])).await;
    app.send(&json!([event("evt", "ada", "t", at), event("EVT", "ada", "t", at)])).await;
    app.wait_until_stored().await;
    assert_eq!(app.stored().await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_sent_without_a_time_is_one_event_whenever_it_comes() {
    let app = App::start().await;
    let body = json!({"event_id": "a", "event_type": "t", "user_id": "ada"});
    app.send(&body).await;
    app.send(&body).await;
    app.wait_until_stored().await;
    let undated: i64 = sqlx::query_scalar("select count(*) from event_ids_undated").fetch_one(&app.pool).await.unwrap();
    assert_eq!((app.stored().await, undated), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_id_with_a_time_is_another_event() {
    let app = App::start().await;
    let (undated, dated) =
        (json!({"event_id": "a", "event_type": "t", "user_id": "ada"}), event("a", "ada", "t", "2025-10-01T10:00:00Z"));
    for body in [&undated, &dated, &undated, &dated] {
        app.send(body).await;
        app.wait_until_stored().await;
    }
    assert_eq!(app.stored().await, 2);
    let expected = json!({"event_id": "a", "status": "stored", "days": ["2025-10-01"], "undated": true});
    assert_eq!(app.get("/pipeline/events/a").await, (200, expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resend_with_the_same_idempotency_key_is_free() {
    let app = App::start().await;
    let body = json!([{"event_type": "t", "user_id": 1}, {"event_type": "t", "user_id": 1}, {"event_id": "own", "event_type": "t", "user_id": 2}]);
    let mut ids = Vec::new();
    for key in ["first", "first", "second"] {
        let (status, answer) = app.post("/events", &[("Idempotency-Key", key)], body.to_string()).await;
        assert_eq!(status, 202);
        ids.push(answer["event_ids"].clone());
    }
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[0], ids[2]);
    app.wait_until_stored().await;
    assert_eq!(app.stored().await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_without_id_or_key_are_all_different() {
    let app = App::start().await;
    let body = json!([{"event_type": "t", "user_id": 1}, {"event_type": "t", "user_id": 1}]);
    app.send(&body).await;
    app.send(&body).await;
    app.wait_until_stored().await;
    assert_eq!(app.stored().await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_stored_event_lies_in_a_partition_made_ahead() {
    let app = App::start().await;
    let times = ["1970-01-01T00:00:00Z", "1999-12-31T23:59:59Z", "2024-02-29T12:00:00Z", "2026-01-31T23:59:59Z"];
    let mut events: Vec<_> = times.iter().map(|at| event(at, "ada", "t", at)).collect();
    events.push(json!({"event_type": "t", "user_id": "ada"}));
    app.send(&json!(events)).await;
    app.wait_until_stored().await;
    let strays: i64 =
        sqlx::query_scalar("select (select count(*) from events_default) + (select count(*) from event_ids_default)")
            .fetch_one(&app.pool)
            .await
            .unwrap();
    assert_eq!((app.stored().await, strays), (5, 0));
}
