//! The limit of event types: what is beyond it becomes a dead letter, and comes back when the limit is raised.

use reqwest::Method;
use rollcall_tests::{App, AppOptions, KEY, event, wait_until};
use serde_json::{Value, json};

const AT: &str = "2026-03-01T10:00:00Z";

async fn limit(app: &App, project: &str, limit: Value) {
    let path = format!("/admin/projects/{project}");
    let (status, answer) = app.admin(Method::PATCH, &path, &json!({"limits": {"max_event_types": limit}})).await;
    assert_eq!(status, 200, "{answer}");
}

async fn letters(app: &App) -> Vec<Value> {
    app.get("/admin/dead-letters?limit=1000").await.1["data"].as_array().unwrap().clone()
}

async fn wait_until_letters_come(app: &App, count: usize, redrives: u64) -> Vec<Value> {
    wait_until(&format!("{count} dead letters, redriven {redrives} times"), async || {
        let letters = letters(app).await;
        (letters.len() == count && letters.iter().all(|letter| letter["redrives"] == redrives)).then_some(letters)
    })
    .await
}

async fn types(app: &App) -> Vec<String> {
    sqlx::query_scalar("select name from event_types order by name").fetch_all(&app.pool).await.unwrap()
}

/// Sends events and waits until each is stored or a dead letter; returns the answer.
async fn settle(app: &App, key: &str, events: &Value) -> Value {
    let request = app.http.post(format!("{}/events?wait=stored&timeout_ms=30000", app.url)).header("X-API-Key", key).json(events);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn types_beyond_the_limit_become_dead_letters_and_come_back_when_it_is_raised() {
    let app = App::start().await;
    limit(&app, "default", json!(3)).await;
    let events: Vec<_> = ["a", "b", "c", "d", "e", "a", "d"].iter().enumerate().collect();
    let events: Vec<_> = events.into_iter().map(|(n, name)| event(&format!("{n}-{name}"), "u", name, AT)).collect();
    let answer = settle(&app, KEY, &json!(events)).await;
    assert_eq!(
        (&answer["inserted"], &answer["dead_lettered"], &answer["duplicates"]),
        (&json!(4), &json!(3), &json!(0)),
        "{answer}"
    );
    assert_eq!(types(&app).await, ["a", "b", "c"]);
    let found = wait_until_letters_come(&app, 3, 0).await;
    let mut ids: Vec<_> = found.iter().map(|letter| letter["event_id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["3-d", "4-e", "6-d"]);
    for letter in &found {
        assert_eq!((&letter["code"], &letter["attempts"]), (&json!("event_type_limit"), &json!(1)), "{letter}");
        assert!(letter["reason"].as_str().unwrap().contains("has 3 event types"), "{letter}");
    }
    let (_, answer) = app.get("/pipeline/events/4-e").await;
    assert_eq!((&answer["status"], &answer["dead_letter"]["code"]), (&json!("dead_lettered"), &json!("event_type_limit")));
    assert_eq!(app.get("/admin/dead-letters?code=event_type_limit&event_type=e").await.1["data"].as_array().unwrap().len(), 1);

    // While the project is full, they come back as letters.
    let redrive = async || {
        let (status, answer) = app.call(Method::POST, "/admin/dead-letters/redrive").await;
        assert_eq!((status, &answer["redriven"]), (200, &json!(3)), "{answer}");
    };
    redrive().await;
    wait_until_letters_come(&app, 3, 1).await;
    limit(&app, "default", json!(5)).await;
    redrive().await;
    app.wait_until_stored().await;
    assert_eq!(letters(&app).await, [json!(null); 0]);
    assert_eq!((app.stored().await, types(&app).await), (7, ["a", "b", "c", "d", "e"].map(str::to_owned).to_vec()));
    let day = "from=2026-03-01&to=2026-03-01";
    assert_eq!(app.ask(&format!("/stats/top-events?{day}")).await["data"][0], json!({"event_type": "a", "count": 2}));
    app.wait_until_no_message_is_counted().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_knows_of_it_refuses_new_types_and_takes_known_ones() {
    let app = App::start().await;
    app.make_project("other", "UTC").await;
    let other = app.make_key("other", &["ingest"]).await.key;
    let own = app.make_key("default", &["ingest"]).await.key;
    let (mut replica, replica_url) = app.process("api");
    replica.start();
    app.wait_until_ready(&replica_url).await;
    limit(&app, "default", json!(2)).await;
    settle(&app, KEY, &json!([event("1", "u", "a", AT), event("2", "u", "b", AT)])).await;

    let send = async |url: &str, key: &str, events: Value| {
        let request = app.http.post(format!("{url}/events?partial=true")).header("X-API-Key", key).json(&events);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    for (url, key) in [(&app.url, KEY), (&app.url, &own), (&replica_url, KEY), (&replica_url, &own)] {
        let new = json!({"event_id": "new", "user_id": "u", "event": "new"});
        let (_, answer) = wait_until("a new type is refused", async || {
            Some(send(url, key, new.clone()).await).filter(|(status, _)| *status == 422)
        })
        .await;
        let message = "is none of the event types of this project, which has as many as it may: 2 (max_event_types)";
        let expected = json!([{"index": 0, "event_id": "new", "field": "event", "code": "event_type_limit", "message": message}]);
        assert_eq!(answer["errors"], expected);
        let mixed = json!([event("3", "u", "a", AT), event("4", "u", "c", AT), event("5", "u", "b", AT)]);
        let (status, answer) = send(url, key, mixed).await;
        assert_eq!((status, &answer["events_count"], &answer["rejected"][0]["index"]), (202, &json!(2), &json!(1)), "{answer}");
        assert_eq!(
            send(url, &other, json!([event("1", "u", "c", AT), event("2", "u", "d", AT), event("3", "u", "e", AT)])).await.0,
            202
        );
    }
    // What the API accepted before it knew is kept.
    let (_, kept) = app.get("/admin/dead-letters").await;
    assert!(kept["data"].as_array().unwrap().iter().all(|letter| letter["event_id"] == "new"), "{kept}");
    app.wait_until_stored().await;
    limit(&app, "default", json!(3)).await;
    for (url, key) in [(&app.url, KEY), (&replica_url, &own)] {
        wait_until("a new type is taken", async || (send(url, key, event("6", "u", "c", AT)).await.0 == 202).then_some(())).await;
    }
    app.wait_until_stored().await;
    assert_eq!(types(&app).await.len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn projects_without_a_limit_of_their_own_have_that_of_the_settings() {
    let variables = vec![("EVENT_TYPES_PER_PROJECT", "2".to_owned())];
    let app = App::start_with(AppOptions { variables, ..AppOptions::default() }).await;
    app.make_project("large", "UTC").await;
    limit(&app, "large", json!(4)).await;
    let large = app.make_key("large", &["ingest"]).await.key;
    let events: Vec<_> = ["a", "b", "c", "d"].map(|name| event(name, "u", name, AT)).into();
    assert_eq!(settle(&app, KEY, &json!(events)).await["dead_lettered"], 2);
    assert_eq!(settle(&app, &large, &json!(events)).await["inserted"], 4);
    // A limit that is lowered takes nothing away.
    limit(&app, "large", json!(1)).await;
    let answer = settle(&app, &large, &json!([event("5", "u", "d", AT)])).await;
    assert_eq!(answer["inserted"], 1, "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_together_keep_exactly_to_the_limit() {
    let app = App::start_with(AppOptions { workers: 3, ..AppOptions::default() }).await;
    limit(&app, "default", json!(50)).await;
    // Some types come from several requests at the same time, and each request is a message of its own.
    let request = |number: usize| {
        let events: Vec<_> =
            (0..10).map(|n| event(&format!("{number}-{n}"), "u", &format!("t{}", (number * 7 + n) % 150), AT)).collect();
        json!(events)
    };
    let sent: Vec<_> = (0..40).map(request).collect();
    let answers = futures::future::join_all(sent.iter().map(async |events| {
        let (status, answer) = app.post("/events?partial=true&wait=stored&timeout_ms=30000", &[], events.to_string()).await;
        assert!(status == 200 || status == 422, "{answer}");
        let count = |name: &str| answer[name].as_u64().unwrap_or(0);
        // An API that knows already refuses what workers would.
        let refused = if status == 422 { 10 } else { count("rejected_count") };
        [count("inserted"), count("dead_lettered"), refused]
    }))
    .await;
    let sum = |place: usize| answers.iter().map(|answer| answer[place]).sum::<u64>();
    println!("{} stored, {} dead letters, {} refused", sum(0), sum(1), sum(2));
    assert_eq!(sum(0) + sum(1) + sum(2), 400);
    assert!(sum(1) > 0, "no worker met the limit");
    assert_eq!(types(&app).await.len(), 50);
    let count: i32 = sqlx::query_scalar("select event_type_count from projects where id = 1").fetch_one(&app.pool).await.unwrap();
    assert_eq!((count, app.stored().await.unsigned_abs()), (50, sum(0)));
    let letters = letters(&app).await;
    assert_eq!(letters.len() as u64, sum(1));
    assert!(letters.iter().all(|letter| letter["code"] == "event_type_limit"), "{letters:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_events_beyond_the_limit_share_a_letter() {
    let app = App::start().await;
    limit(&app, "default", json!(1)).await;
    let events: Vec<_> = (0..1_000).map(|n| event(&format!("e{n}"), "u", &format!("t{n:04}"), AT)).collect();
    let answer = settle(&app, KEY, &json!(events)).await;
    assert_eq!((&answer["inserted"], &answer["dead_lettered"]), (&json!(1), &json!(999)), "{answer}");
    let found = letters(&app).await;
    let counted: u64 = found.iter().map(|letter| letter["events_count"].as_u64().unwrap()).sum();
    assert_eq!(counted, 999, "{found:?}");
    assert!(found.len() < 5 && found.iter().all(|letter| letter["kind"] == "message" && letter["attempts"] == 1), "{found:?}");
    assert_eq!(app.get("/pipeline/events/e777").await.1["status"], "dead_lettered");
    limit(&app, "default", json!(2_000)).await;
    let (status, answer) = app.call(Method::POST, "/admin/dead-letters/redrive").await;
    assert_eq!((status, &answer["events_count"]), (200, &json!(999)), "{answer}");
    app.wait_until_stored().await;
    assert_eq!((app.stored().await, letters(&app).await.len()), (1_000, 0));
}

/// Whoever invents a type, a user, a session and an account for each event pays for it alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_invents_everything_holds_up_nobody_else() {
    let app = App::start().await;
    app.make_project("inventor", "UTC").await;
    limit(&app, "inventor", json!(100)).await;
    let inventor = app.make_key("inventor", &["ingest"]).await.key;
    let invented = |batch: usize| {
        let event = |n: usize| {
            let name = format!("{batch}-{n}");
            json!({"event_id": name, "event_type": name, "user_id": name, "session_id": name, "account_id": name, "occurred_at": AT})
        };
        json!((0..5_000).map(event).collect::<Vec<_>>())
    };
    for batch in 0..4 {
        let request = app.http.post(format!("{}/events", app.url)).header("X-API-Key", &inventor).json(&invented(batch));
        let status = request.send().await.unwrap().status().as_u16();
        // After some time, the API knows.
        assert!(status == 202 || batch > 0 && status == 422, "{status}");
    }
    // The events of others are stored, also new types.
    for n in 0..5 {
        let answer = settle(&app, KEY, &json!([event(&format!("own-{n}"), "u", &format!("own-{n}"), AT)])).await;
        assert_eq!(answer["inserted"], 1, "{answer}");
    }
    app.wait_until_stored().await;
    let of = "select count(*) from event_types where project_id = (select id from projects where name = 'inventor')";
    assert_eq!(sqlx::query_scalar::<_, i64>(of).fetch_one(&app.pool).await.unwrap(), 100);
    assert_eq!(app.stored().await, 105);
    let users: i64 = sqlx::query_scalar("select count(*) from users where project_id <> 1").fetch_one(&app.pool).await.unwrap();
    assert_eq!(users, 100, "what is not stored leaves no user behind");
}
