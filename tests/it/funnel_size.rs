//! Funnels of more events than are gone through at once: slice by slice, or not at all. What decides are the
//! counters, which these tests raise.

use rollcall_tests::{App, KEY};
use serde_json::{Value, json};

/// Makes the counters say that there are so many more events of every type.
async fn raise_counters(app: &App, events: i64) {
    let statement = "insert into event_counts (project_id, day, event_type_id, n) \
                     select project_id, '2025-10-01', id, $1 from event_types \
                     on conflict (project_id, day, event_type_id) do update set n = event_counts.n + excluded.n";
    sqlx::query(statement).bind(events).execute(&app.pool).await.unwrap();
}

/// People with user ids, anonymous ids and session ids, each with their own pace and number of steps.
fn histories() -> Value {
    let mut events = Vec::new();
    for person in 0..40_usize {
        let name = ["user_id", "anonymous_id", "session_id"][person % 3];
        let plan = ["free", "pro", "team"][person % 5 % 3];
        for (step, event_type) in ["a", "b", "c"].into_iter().enumerate().take(1 + person % 4) {
            let (minute, second) = (step * (person % 7), person);
            events.push(json!({
                "event_id": format!("{person}-{step}"),
                name: format!("p{person}"),
                "event_type": event_type,
                "occurred_at": format!("2025-10-01T10:{minute:02}:{second:02}Z"),
                "properties": {"plan": plan},
            }));
        }
    }
    json!(events)
}

/// The same funnel, whose `within` can be written in several ways.
async fn funnel(app: &App, within: &str, further: &[(&str, &str)]) -> (u16, Value) {
    let same = [("steps", "a,b,c"), ("from", "2025-10-01"), ("to", "2025-10-01"), ("within", within)];
    let (status, mut answer) = app.get_as(KEY, "/stats/funnel", &[same.as_slice(), further].concat()).await;
    answer.as_object_mut().unwrap().remove("as_of");
    (status, answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_funnel_in_slices_of_the_people_has_the_same_answer() {
    let app = App::start().await;
    app.store_as(KEY, &histories()).await;
    let further = [&[][..], &[("breakdown", "plan")], &[("where", "plan:ne:pro")]];
    let mut at_once = Vec::new();
    for further in further {
        at_once.push(funnel(&app, "7d", further).await);
    }
    assert_eq!(at_once[0].1["data"][0]["users"], 40);
    raise_counters(&app, 10_000_000).await;
    for (further, expected) in further.into_iter().zip(at_once) {
        // Written in another way, the answer is not the one that is kept.
        assert_eq!(funnel(&app, "168h", further).await, expected, "{further:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_funnel_of_too_many_events_is_refused_before_it_reads_them() {
    let app = App::start().await;
    app.store_as(KEY, &histories()).await;
    raise_counters(&app, 11_000_000).await;
    let message = "the answer took longer than allowed; ask for a shorter period";
    let problem = json!({"type": "urn:rollcall:problem:too_slow", "title": "Service Unavailable", "status": 503,
                         "code": "too_slow", "detail": message, "message": message});
    assert_eq!(funnel(&app, "7d", &[]).await, (503, problem));
}
