//! `rollcall archive drop`: only what is archived is dropped, and answers say what is missing.

use rollcall_tests::{App, TestArchive, event};
use serde_json::{Value, json};

const DROP: [&str; 4] = ["archive", "drop", "--older-than-days", "30"];

/// Stores events on two days of one month, whose partition they share.
async fn store_events(app: &App) {
    let events =
        (0..100).map(|n| event(&format!("e{n}"), &format!("u{}", n % 7), "t", &format!("2024-03-0{}T10:00:00Z", 1 + n % 2)));
    app.send(&Value::Array(events.collect())).await;
    app.wait_until_stored().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_partitions_that_are_archived_completely_are_dropped() {
    let (app, archive) = (App::start().await, TestArchive::in_folder());
    store_events(&app).await;
    for (step, problem) in [(None, "2024-03-01 of default has rows that are not archived"), (Some("2024-03-01"), "2024-03-02 of")]
    {
        if let Some(day) = step {
            archive.must(&app, &["archive", "run", "--to", day]).await;
        }
        let said = archive.rollcall(&app, &DROP).await;
        assert!(!said.succeeded && said.out.contains("kept") && said.out.contains(problem), "{said:?}");
    }
    archive.must(&app, &["archive", "run"]).await;
    // A late event, and then a damaged file.
    app.send(&json!([event("late", "u", "t", "2024-03-02T10:00:00Z")])).await;
    app.wait_until_stored().await;
    let said = archive.rollcall(&app, &DROP).await;
    assert!(said.out.contains("2024-03-02 of default has rows that are not archived"), "{said:?}");
    archive.must(&app, &["archive", "run"]).await;
    let part = &archive.parts("default", "2024-03-01")[0];
    let good = std::fs::read(part).unwrap();
    std::fs::write(part, &good[1..]).unwrap();
    let said = archive.rollcall(&app, &DROP).await;
    assert!(!said.succeeded && said.out.contains("is damaged"), "{said:?}");
    std::fs::write(part, good).unwrap();
    assert_eq!(app.stored().await, 101);

    let said = archive.must(&app, &[&DROP[..], &["--dry-run"]].concat()).await;
    assert!(said.contains("events_20240301_20240401: 101 rows in") && said.contains("would be dropped"), "{said}");
    assert_eq!(app.stored().await, 101);
    let said = archive.must(&app, &DROP).await;
    assert!(said.contains("events_20240301_20240401: 101 rows in") && said.contains("were dropped"), "{said}");
    assert_eq!(app.stored().await, 0);
    assert!(archive.must(&app, &DROP).await.contains("no partition that old has rows"));
    let listed = archive.must(&app, &["archive", "list", "--json"]).await;
    assert!(listed.lines().all(|line| line.contains(r#""in_database":false"#)), "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_stay_and_events_that_are_sent_again_are_still_duplicates() {
    let (app, archive) = (App::start().await, TestArchive::in_folder());
    store_events(&app).await;
    let questions = [
        "/stats/dau?from=2024-03-01&to=2024-03-02",
        "/stats/top-events?from=2024-03-01&to=2024-03-02",
        "/stats/retention?start_date=2024-03-01&window_type=day&windows=2",
        "/users/u1",
    ];
    let mut before = Vec::new();
    for question in questions {
        before.push(app.get(question).await);
    }
    archive.must(&app, &["archive", "run"]).await;
    archive.must(&app, &DROP).await;
    store_events(&app).await;
    assert_eq!(app.stored().await, 0);
    for (question, before) in questions.iter().zip(before) {
        assert_eq!(app.get(question).await, before, "{question}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_a_killed_run_has_taken_out_is_archived_to_its_last_row() {
    let (app, archive) = (App::start().await, TestArchive::in_folder());
    store_events(&app).await;
    archive.must(&app, &["archive", "run"]).await;
    // As after a swap: the partition is out, with a row that came after it was compared with the archive.
    app.send(&json!([event("last", "u", "t", "2024-03-02T10:00:00Z")])).await;
    app.wait_until_stored().await;
    let swapped = "
        alter table events detach partition events_20240301_20240401;
        alter table events_20240301_20240401 rename to events_20240301_20240401_frozen;
        create table events_20240301_20240401 partition of events for values from ('2024-03-01') to ('2024-04-01');
        update archived_days set dropped_generation = generation";
    sqlx::raw_sql(swapped).execute(&app.pool).await.unwrap();
    // And one that came after the swap.
    app.send(&json!([event("after", "u", "t", "2024-03-02T10:00:00Z")])).await;
    app.wait_until_stored().await;
    archive.must(&app, &["archive", "run"]).await;
    assert_eq!((archive.rows("default", "2024-03-01").await.len(), archive.rows("default", "2024-03-02").await.len()), (50, 52));
    let frozen: Option<String> =
        sqlx::query_scalar("select to_regclass('events_20240301_20240401_frozen')::text").fetch_one(&app.pool).await.unwrap();
    assert_eq!((frozen, app.stored().await), (None, 1));
    archive.must(&app, &["restore"]).await;
    assert_eq!(app.stored().await, 102);
}

#[tokio::test(flavor = "multi_thread")]
async fn late_events_find_their_partition_and_its_indexes() {
    let (app, archive) = (App::start().await, TestArchive::in_folder());
    store_events(&app).await;
    archive.must(&app, &["archive", "run"]).await;
    archive.must(&app, &DROP).await;
    app.send(&json!([event("late", "u", "t", "2024-03-02T10:00:00Z")])).await;
    app.wait_until_stored().await;
    let partition: String = sqlx::query_scalar("select tableoid::regclass::text from events").fetch_one(&app.pool).await.unwrap();
    assert_eq!(partition, "events_20240301_20240401");
    let loader = rollcall_worker::bulk::Loader::new(app.pool.clone());
    loader.seal().await.unwrap();
    let trees = "select count(*) from pg_index join pg_class on pg_class.oid = indexrelid \
                 where indrelid = 'events_20240301_20240401'::regclass and relname ~ '_by_(user|session|type)$' and indisvalid";
    let trees: i64 = sqlx::query_scalar(trees).fetch_one(&app.pool).await.unwrap();
    assert_eq!(trees, 3);
    let (_, found) = app.get("/users/u/events?from=2024-03-03").await;
    assert_eq!(found["data"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_from_rows_name_the_days_that_are_missing() {
    let (app, archive) = (App::start().await, TestArchive::in_folder());
    store_events(&app).await;
    app.send(&json!([{"event_id": "now", "event_type": "t", "user_id": "u1"}])).await;
    app.wait_until_stored().await;
    archive.must(&app, &["archive", "run"]).await;
    archive.must(&app, &DROP).await;

    let period = "from=2024-03-01&to=2024-03-31";
    let from_rows = [
        format!("/stats/dau?{period}&source=events"),
        format!("/stats/top-events?{period}&source=events"),
        "/stats/retention?start_date=2024-03-02&window_type=day&windows=1&source=events".to_owned(),
        format!("/stats/trends?{period}&where=plan:pro"),
        format!("/stats/trends?{period}&metric=users&breakdown=plan"),
        format!("/stats/funnel?steps=t,t&{period}"),
        format!("/events?{period}"),
        "/events?event_id=e5".to_owned(),
        "/users/u2/events".to_owned(),
        "/events?event_type=t&order=asc".to_owned(),
        format!("/accounts/a/summary?{period}"),
    ];
    for question in &from_rows {
        let (status, refused) = app.get(question).await;
        assert_eq!((status, &refused["code"]), (409, &json!("archived")), "{question}: {refused}");
        let message = refused["message"].as_str().unwrap();
        let days = if question.contains("start_date") {
            "the events of 2024-03-02 in UTC"
        } else {
            "2 days from 2024-03-01 to 2024-03-02"
        };
        assert!(message.contains(days) || question.contains("event_id"), "{question}: {message}");
    }
    // Other days, other ids, and what the rollups know are answered.
    for question in [
        format!("/stats/dau?{period}"),
        "/stats/dau?from=2024-03-03&to=2024-03-31&source=events".to_owned(),
        "/events?from=2024-03-03".to_owned(),
        "/events?event_id=unknown".to_owned(),
        "/events?event_type=unknown".to_owned(),
        "/users/u2".to_owned(),
        "/accounts/a/summary?from=2024-02-01&to=2024-02-29".to_owned(),
    ] {
        assert_eq!(app.get(&question).await.0, 200, "{question}");
    }
    // A list has what is there. Its next page is refused, so nobody takes it for complete.
    let (_, page) = app.get("/events?limit=5").await;
    assert_eq!((page["data"].as_array().unwrap().len(), &page["data"][0]["event_id"]), (1, &json!("now")));
    let (status, refused) = app.get(&format!("/events?limit=5&cursor={}", page["next_cursor"].as_str().unwrap())).await;
    assert_eq!((status, &refused["code"]), (409, &json!("archived")));
    // A list of GraphQL has no cursor, so the refusal is beside it.
    let answer = app.query("{ latestEvents(limit: 5) { eventId } }", json!({})).await;
    assert_eq!(answer["data"], json!({"latestEvents": [{"eventId": "now"}]}), "{answer}");
    let error = &answer["errors"][0];
    assert_eq!((&error["extensions"]["code"], &error["path"]), (&json!("archived"), &json!(["latestEvents"])), "{answer}");

    archive.must(&app, &["restore"]).await;
    for question in &from_rows {
        let (status, answer) = app.get(question).await;
        assert_eq!(status, 200, "{question}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_role_of_workers_is_enough() {
    let app = App::start().await;
    store_events(&app).await;
    let (_, server) = app.database_url.split_once('@').unwrap();
    let name = server.rsplit('/').next().unwrap();
    let statement = format!("create role {name}_archiver login password 'hush' in role rollcall_worker");
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&app.pool).await.unwrap();
    let archive = TestArchive::in_folder().and("DATABASE_URL", format!("postgres://{name}_archiver:hush@{server}"));
    for command in [&["archive", "run"][..], &["archive", "verify"], &DROP, &["restore"], &["archive", "list"]] {
        archive.must(&app, command).await;
    }
    assert_eq!(app.stored().await, 100);
}
