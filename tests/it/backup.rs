//! Backup and restore, by the scripts that docs/operations.md tells operators to use.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use rollcall_tests::{
    App, AppOptions, Backup, KEY, Poison, Process, event, hour_disagreements, restore, restore_onto, session_disagreements,
    user_disagreements, wait_until,
};
use serde_json::{Value, json};

const HISTORY: usize = 3_000;
/// Questions whose answers depend on everything that is stored. Each is answered from the rollups and from the rows.
const QUESTIONS: [&str; 5] = [
    "/stats/dau?from=2026-02-01&to=2026-03-31",
    "/stats/dau?from=2026-02-01&to=2026-03-31&granularity=week&event_type=type_3",
    "/stats/top-events?from=2026-02-01&to=2026-03-31&limit=100",
    "/stats/retention?start_date=2026-02-02&cohorts=4&windows=3&cohort=new",
    "/stats/retention?start_date=2026-02-02&cohorts=20&windows=7&window_type=day",
];
/// Lists, page by page.
const LISTS: [&str; 5] = [
    "/events?from=2026-02-01&to=2026-03-31&limit=700",
    "/users/user_7/events?from=2026-02-01&to=2026-03-31&limit=7",
    "/users?limit=50",
    "/sessions?from=2026-02-01&to=2026-03-31&limit=50",
    "/event-types?limit=5",
];

/// Events that the workers of this test get back quickly.
fn options(workers: usize) -> AppOptions {
    AppOptions { own_postgres: true, workers, variables: vec![("ACK_WAIT_MS", "1000".to_owned())] }
}

/// Event `n` of the history: 50 days, 13 types, 199 users, and sessions.
fn past(n: usize) -> Value {
    let (month, day) = if n % 50 < 25 { (2, 1 + n % 25) } else { (3, 1 + n % 25) };
    let at = format!("2026-{month:02}-{day:02}T{:02}:{:02}:00Z", n % 24, n % 60);
    let mut event = event(&format!("e{n}"), &format!("user_{}", n * 7919 % 199), &format!("type_{}", n % 13), &at);
    event["session_id"] = json!(format!("session_{}", n % 331));
    event["properties"] = json!({"n": n, "plan": if n.is_multiple_of(3) { "pro" } else { "free" }});
    event
}

fn poison(id: &str) -> Value {
    Poison::in_event(event(id, "u", "t", "2026-03-01T10:00:00Z"))
}

async fn pages(app: &App, path: &str) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let (status, page) = app.get(&format!("{path}{cursor}")).await;
        assert_eq!(status, 200, "{path}: {page}");
        all.extend(page["data"].as_array().unwrap().clone());
        let Some(next) = page["next_cursor"].as_str() else { return all };
        cursor = format!("&cursor={next}");
    }
}

/// Dead letters by event, without what is new if one is written again.
async fn dead_letters(app: &App) -> Vec<Value> {
    let mut letters = pages(app, "/admin/dead-letters?limit=1000").await;
    for letter in &mut letters {
        for varying in ["id", "failed_at"] {
            assert!(letter.as_object_mut().unwrap().remove(varying).is_some(), "{varying}");
        }
    }
    letters.sort_by_key(|letter| letter["event_id"].as_str().unwrap().to_owned());
    letters
}

/// Everything that a client can learn.
async fn answers(app: &App) -> Vec<(&'static str, Value)> {
    let mut answers = Vec::new();
    for question in QUESTIONS {
        answers.push((question, app.ask(question).await));
    }
    for list in LISTS {
        answers.push((list, json!(pages(app, list).await)));
    }
    answers.push(("dead letters", json!(dead_letters(app).await)));
    answers
}

async fn wait_until_dead(app: &App, count: usize) {
    wait_until("all are dead letters", async || (dead_letters(app).await.len() == count).then_some(())).await;
}

async fn start(app: &App, worker: &mut Process, url: &str) {
    worker.start();
    app.wait_until_ready(url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_with_waiting_events_and_dead_letters_gives_the_same_answers_on_empty_servers() {
    let mut app = App::start_with(options(0)).await;
    let (mut worker, worker_url) = app.process("worker");
    let reader = app.make_key("default", &["read"]).await;
    Poison::lay(&app.pool).await;
    start(&app, &mut worker, &worker_url).await;
    app.send(&json!((0..HISTORY).map(past).collect::<Vec<_>>())).await;
    app.send(&json!([poison("bad-0"), poison("bad-1"), poison("bad-2")])).await;
    wait_until_dead(&app, 3).await;
    app.wait_until_stored().await;
    assert_eq!(worker.stop().await, Ok(()));
    // These wait in the queue. Some were stored before, and two cannot be stored.
    app.send(&json!((HISTORY - 100..HISTORY + 900).map(past).collect::<Vec<_>>())).await;
    app.send(&json!([past(1), poison("bad-3"), poison("bad-4")])).await;

    let backup = Backup::of(&app);
    let output = backup.make(&mut app).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(app.stored().await, HISTORY as i64, "the others were not stored meanwhile");

    // The original goes on as if nothing had happened.
    start(&app, &mut worker, &worker_url).await;
    app.wait_until_stored().await;
    wait_until_dead(&app, 5).await;
    let expected = answers(&app).await;
    assert_eq!(expected[0].1["data"].as_array().unwrap().len(), 59, "the period has all days");
    assert_eq!(expected[QUESTIONS.len()].1.as_array().unwrap().len(), HISTORY + 900);
    let (_, first) = app.get(LISTS[0]).await;

    let restored = restore(&backup, options(1)).await;
    restored.wait_until_stored().await;
    wait_until_dead(&restored, 5).await;
    for (found, expected) in answers(&restored).await.into_iter().zip(expected) {
        assert_eq!(found, expected);
    }
    assert_eq!(restored.stored().await, (HISTORY + 900) as i64);
    restored.wait_until_compacted().await;
    assert_eq!(session_disagreements(&restored.pool).await, [""; 0]);
    assert_eq!(user_disagreements(&restored.pool).await, [""; 0]);
    assert_eq!(hour_disagreements(&restored.pool).await, [""; 0]);
    // Keys and cursors are good as before, and what was sent before is still known.
    assert_eq!(restored.status_of(&restored.url, &reader.key).await, 200);
    let next = format!("{}&cursor={}", LISTS[0], first["next_cursor"].as_str().unwrap());
    assert_eq!(restored.get(&next).await, app.get(&next).await);
    restored.send(&json!((0..HISTORY).map(past).collect::<Vec<_>>())).await;
    restored.wait_until_stored().await;
    assert_eq!(restored.stored().await, (HISTORY + 900) as i64);

    // Nothing is overwritten.
    let output = restore_onto(&backup, &restored).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("the database is not empty"), "{said}");
    assert_eq!(restored.stored().await, (HISTORY + 900) as i64);
}

/// What clients know.
#[derive(Default)]
struct Sent {
    all: Mutex<HashSet<String>>,
    accepted: Mutex<HashSet<String>>,
}

/// Sends one small batch after the other, each until it is accepted.
async fn send_on(http: reqwest::Client, url: String, client: usize, sent: &Sent, end: &AtomicBool) {
    for batch in 0.. {
        if end.load(Ordering::Relaxed) {
            return;
        }
        let ids: Vec<_> = (0..5).map(|n| format!("c{client}-{batch}-{n}")).collect();
        let events: Vec<_> = ids.iter().map(|id| event(id, &format!("u{client}"), "t", "2026-03-01T10:00:00Z")).collect();
        sent.all.lock().unwrap().extend(ids.iter().cloned());
        wait_until("a batch is accepted", async || {
            let request = http.post(format!("{url}/events")).header("X-API-Key", KEY).json(&events);
            let status = request.send().await.unwrap().status();
            assert!(status == 202 || status == 503, "{status}");
            (status == 202).then_some(())
        })
        .await;
        sent.accepted.lock().unwrap().extend(ids);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_before_a_backup_under_load_is_in_it_once() {
    let mut app = App::start_with(options(2)).await;
    let (sent, end) = (Sent::default(), AtomicBool::new(false));
    let backup = Backup::of(&app);
    let (http, url) = (app.http.clone(), app.url.clone());
    let clients = (0..4).map(|client| send_on(http.clone(), url.clone(), client, &sent, &end));
    let backed_up = async {
        let accepted = || sent.accepted.lock().unwrap().len();
        wait_until("events come in", async || (accepted() > 500).then_some(())).await;
        let before = sent.accepted.lock().unwrap().clone();
        let output = backup.make(&mut app).await;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let so_far = accepted();
        wait_until("events come in again", async || (accepted() > so_far + 100).then_some(())).await;
        end.store(true, Ordering::Relaxed);
        before
    };
    let (before, _) = tokio::join!(backed_up, futures::future::join_all(clients));

    let restored = restore(&backup, options(1)).await;
    restored.wait_until_stored().await;
    let stored: Vec<String> = sqlx::query_scalar("select client_event_id from events").fetch_all(&restored.pool).await.unwrap();
    let ids: HashSet<String> = stored.iter().cloned().collect();
    assert_eq!(ids.len(), stored.len(), "doubled");
    assert!(before.is_subset(&ids), "lost: {:?}", before.difference(&ids).collect::<Vec<_>>());
    assert!(ids.is_subset(&sent.all.lock().unwrap()));
    let counted = restored.ask("/stats/top-events?from=2026-03-01&to=2026-03-01").await;
    assert_eq!(counted, json!({"data": [{"event_type": "t", "count": ids.len()}]}));
    assert_eq!(dead_letters(&restored).await, [Value::Null; 0]);
    // What came after the backup is sent again, and so is everything else, because that is easier.
    let again: Vec<_> = sent.accepted.lock().unwrap().iter().map(|id| event(id, "u", "t", "2026-03-01T10:00:00Z")).collect();
    restored.send(&json!(again)).await;
    restored.wait_until_stored().await;
    let stored: i64 = restored.stored().await;
    assert_eq!(stored, sent.accepted.lock().unwrap().len() as i64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_fails_leaves_a_running_server_and_no_folder() {
    let mut app = App::start_with(options(0)).await;
    let mut backup = Backup::of(&app);
    backup.database_url = "postgres://nobody@127.0.0.1:9/rollcall".to_owned();
    let output = backup.make(&mut app).await;
    assert!(!output.status.success());
    assert!(!backup.path().exists() && !backup.path().with_extension("partial").exists());
    app.wait_until_all_ready().await;
    app.send(&event("a", "ada", "t", "2026-03-01T10:00:00Z")).await;

    std::fs::create_dir(backup.path()).unwrap();
    let output = backup.make(&mut app).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("exists already"), "{said}");
}

/// The scripts name services and a folder of the compose file, which no test starts.
#[test]
fn the_scripts_reach_the_servers_of_the_compose_file() {
    let file = |name: &str| std::fs::read_to_string(format!("{}/../{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let (compose, scripts) = (file("docker-compose.yml"), file("stack/servers.sh"));
    for (in_script, in_compose) in [
        (
            "exec -T postgres \"$program\" --username=rollcall --dbname=rollcall",
            "POSTGRES_USER: rollcall\n      POSTGRES_DB: rollcall",
        ),
        ("--workdir /data --entrypoint sh nats", "  nats:\n    image: nats:"),
        ("--workdir /data", "      - nats:/data\n"),
        ("--workdir /data", "      NATS_STORE_DIR: /data\n"),
        ("docker compose stop nats", "  nats:\n"),
    ] {
        assert!(scripts.contains(in_script), "{in_script}");
        assert!(compose.contains(in_compose), "{in_compose}");
    }
}
