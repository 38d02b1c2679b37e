//! Messages in trouble: one that ends every worker which takes it, and the counts of those that are gone.

use rollcall_shared::queue::chunk::ChunkWriter;
use rollcall_tests::{App, AppOptions, Poison, event, wait_until};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

/// Rows of such events keep a worker busy until it is killed, as one would be that runs out of memory.
const TRAP: &str = "
    create function trap() returns trigger language plpgsql as $$
    begin
        if new.properties ->> 'trap' is not null then perform pg_sleep(3600); end if;
        return new;
    end $$;
    create trigger trap before insert on events for each row execute function trap()";

/// What happens next to the message.
enum Step {
    /// A worker has it; this backend stores it.
    Trapped(i32),
    Buried(Vec<Value>),
}

async fn next_step(app: &App) -> Option<Step> {
    let (_, answer) = app.get("/admin/dead-letters").await;
    if let Some(letters) = answer["data"].as_array().filter(|letters| !letters.is_empty()) {
        return Some(Step::Buried(letters.clone()));
    }
    let sleeping = "select pid from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'";
    sqlx::query_scalar(sleeping).fetch_optional(&app.pool).await.unwrap().map(Step::Trapped)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_kills_its_workers_becomes_a_dead_letter_and_its_neighbours_are_stored() {
    let variables = vec![("ACK_WAIT_MS", "1000".to_owned())];
    let app = App::start_with(AppOptions { workers: 0, variables, ..AppOptions::default() }).await;
    sqlx::raw_sql(AssertSqlSafe(TRAP)).execute(&app.pool).await.unwrap();
    let mut trap = event("trap", "u", "t", "2026-03-01T10:00:00Z");
    trap["properties"] = json!({"trap": true});
    app.send(&json!([event("before", "u", "t", "2026-03-01T10:00:00Z")])).await;
    app.send(&json!([trap, event("neighbour", "u", "t", "2026-03-01T10:00:00Z")])).await;
    app.send(&json!([event("after", "u", "t", "2026-03-01T10:00:00Z")])).await;

    let (mut worker, _) = app.process("worker");
    worker.start();
    let mut kills = 0;
    let letters = loop {
        match wait_until("the trap closes or is buried", async || next_step(&app).await).await {
            Step::Trapped(pid) => {
                worker.kill();
                kills += 1;
                sqlx::query("select pg_terminate_backend($1, 5000)").bind(pid).execute(&app.pool).await.unwrap();
                worker.start();
            }
            Step::Buried(letters) => break letters,
        }
    };
    assert_eq!(kills, 6, "the first delivery and five more");
    assert_eq!((&letters[0]["code"], &letters[0]["attempts"]), (&json!("kills_worker"), &json!(6)), "{letters:?}");
    assert_eq!(letters[0]["events_count"], 2);
    app.wait_until_stored().await;
    let stored: Vec<String> =
        sqlx::query_scalar("select client_event_id from events order by 1").fetch_all(&app.pool).await.unwrap();
    assert_eq!(stored, ["after", "before"]);
    for id in ["trap", "neighbour"] {
        let (_, answer) = app.get(&format!("/pipeline/events/{id}")).await;
        assert_eq!(answer["status"], "dead_lettered", "{answer}");
        let (_, answer) = app.get(&format!("/admin/dead-letters?event_id={id}")).await;
        assert_eq!(answer["data"], json!(letters), "the letter that holds it");
    }
    let (_, answer) = app.call(reqwest::Method::DELETE, "/admin/dead-letters?event_id=neighbour").await;
    assert_eq!(answer["purged"], 0, "a letter with other events is not thrown away for one: {answer}");

    sqlx::raw_sql("drop trigger trap on events").execute(&app.pool).await.unwrap();
    let (_, answer) = app.call(reqwest::Method::POST, "/admin/dead-letters/redrive").await;
    assert_eq!((&answer["redriven"], &answer["events_count"]), (&json!(1), &json!(2)), "{answer}");
    app.wait_until_stored().await;
    assert_eq!(app.stored().await, 4);
    assert_eq!(app.get("/admin/dead-letters").await.1["data"], Value::Array(Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_are_swept_once_their_messages_are_gone() {
    let variables = vec![("RETRY_DELAY_MS", "60000".to_owned())];
    let app = App::start_with(AppOptions { variables, ..AppOptions::default() }).await;
    Poison::lay(&app.pool).await;
    app.send(&Poison::in_event(event("e", "u", "t", "2026-03-01T10:00:00Z"))).await;
    let refusals = async || -> Vec<i32> {
        sqlx::query_scalar("select refusals + cardinality(refused_by) from troubled_messages").fetch_all(&app.pool).await.unwrap()
    };
    wait_until("it is refused", async || (refusals().await == [1]).then_some(())).await;
    // One that came before the first in the queue, and one of a queue that was there before.
    let gone = "insert into troubled_messages values (0, 9223372036854775807, 1, 7), (1000000, 0, 1, 7)";
    sqlx::query(gone).execute(&app.pool).await.unwrap();
    wait_until("the counts of the others are gone", async || (refusals().await == [1]).then_some(())).await;
}

/// The first two attempts to count a refusal and the first two to count a beginning commit when their
/// client has given up. Every attempt that commits is noted.
const LATE_COUNTS: &str = "
    create table counted (attempt bigserial, row jsonb);
    create function count_late() returns trigger language plpgsql as $$
    begin
        if (select count(*) from counted) in (0, 1, 3, 4) then perform pg_sleep(1.5); end if;
        insert into counted (row) values (to_jsonb(new));
        return new;
    end $$;
    create trigger count_late after insert or update on troubled_messages for each row execute function count_late()";

#[tokio::test(flavor = "multi_thread")]
async fn a_count_whose_reply_is_lost_counts_once() {
    let variables = vec![("DATABASE_REPLY_TIMEOUT_MS", "500".to_owned())];
    let app = App::start_with(AppOptions { variables, ..AppOptions::default() }).await;
    sqlx::raw_sql(LATE_COUNTS).execute(&app.pool).await.unwrap();
    Poison::lay(&app.pool).await;
    app.send(&json!([Poison::in_event(event("e", "u", "t", "2026-03-01T10:00:00Z"))])).await;
    wait_until("the refusal is counted", async || {
        let attempts: i64 = sqlx::query_scalar("select count(*) from counted").fetch_one(&app.pool).await.unwrap();
        (attempts >= 3).then_some(())
    })
    .await;
    Poison::lift(&app.pool).await;
    app.wait_until_stored().await;
    let most = "
        select max((row ->> 'refusals')::int + coalesce(jsonb_array_length(row -> 'refused_by'), 0)),
               max((row ->> 'begun')::int + coalesce(jsonb_array_length(row -> 'begun_by'), 0)), count(*)
        from counted";
    let (refusals, begun, attempts): (i32, i32, i64) = sqlx::query_as(most).fetch_one(&app.pool).await.unwrap();
    assert_eq!((refusals, begun), (1, 1), "each was counted once");
    assert!(attempts >= 6, "{attempts} attempts committed, of which two would have sufficed");
    assert_eq!(app.stored().await, 1);
    assert_eq!(app.get("/admin/dead-letters").await.1["data"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_makes_its_worker_panic_becomes_a_dead_letter_and_the_worker_goes_on() {
    let variables = vec![("ACK_WAIT_MS", "1000".to_owned())];
    let app = App::start_with(AppOptions { workers: 0, variables, ..AppOptions::default() }).await;
    // The API takes no such time: it is past the last day that a calendar has.
    let line = format!(r#"{{"id":"e","type":"t","user":"u","occurred_us":{},"received_us":0,"properties":{{}}}}"#, i64::MAX / 2);
    let jetstream = app.jetstream().await;
    // More than the lane settles at the same time.
    for number in 0..6 {
        let mut writer = ChunkWriter::new().unwrap();
        writer.push((line.replace("\"e\"", &format!("\"e{number}\"")) + "\n").as_bytes(), 1).unwrap();
        let chunk = writer.finish().unwrap();
        let published = jetstream.publish_with_headers("events.ingest.1", chunk.headers(), chunk.payload);
        published.await.unwrap().await.unwrap();
    }
    let (mut worker, url) = app.process("worker");
    worker.start();
    wait_until("all are buried", async || {
        let (_, answer) = app.get("/admin/dead-letters").await;
        (answer["data"].as_array()?.len() == 6).then_some(())
    })
    .await;
    app.send(&json!([event("after", "u", "t", "2026-03-01T10:00:00Z")])).await;
    app.wait_until_stored().await;
    assert_eq!(app.stored().await, 1);
    assert!(worker.ended().is_none(), "the worker runs");
    let metrics = app.http.get(format!("{url}/metrics")).send().await.unwrap().text().await.unwrap();
    let panics = metrics.lines().find_map(|line| line.strip_prefix("rollcall_worker_panics_total ")?.parse::<u64>().ok());
    assert!(panics.is_some_and(|panics| panics > 6), "{panics:?}");
}
