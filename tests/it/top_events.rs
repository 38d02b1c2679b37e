//! Top events of a project with very many event types.

use rollcall_tests::App;
use serde_json::json;

/// As many types as a project can have by accident: ids in their names, for example.
const TYPES: i32 = 300_000;

/// Type `n` happens `n % 1000 + 1` times on the day, counted in part by deltas; rows are there for as
/// many. So the most frequent are those that end in 999, and the names decide between them.
const FILL: &str = "
    insert into event_types (project_id, id, name)
    select p, n, 'type-' || lpad(n::text, 6, '0') from generate_series(1, $1::int) as n, unnest(array[1, 2]) as p;
";

#[tokio::test(flavor = "multi_thread")]
async fn of_300_000_event_types_the_most_frequent_are_named() {
    let app = App::start().await;
    sqlx::query("insert into projects (name) values ('other')").execute(&app.pool).await.unwrap();
    sqlx::query(FILL).bind(TYPES).execute(&app.pool).await.unwrap();
    let counts = "insert into event_counts (project_id, day, event_type_id, n) \
                  select p, '2025-10-01', n, n % 1000 + p from generate_series(1, $1) as n, unnest(array[1, 2]) as p";
    sqlx::query(counts).bind(TYPES).execute(&app.pool).await.unwrap();
    let rows = "insert into events (project_id, event_type_id, user_ord, occurred_at, received_at, event_id, user_id, properties) \
                select 1, n, 1, '2025-10-01T10:00:00Z', now(), gen_random_uuid(), 'ada', '{}' \
                from generate_series(1, $1) as n, generate_series(1, case when n % 1000 = 999 then 4 else 1 end)";
    sqlx::query(rows).bind(TYPES).execute(&app.pool).await.unwrap();
    let expected = |count: i64| {
        let names = [999, 1999, 2999].map(|n| json!({"event_type": format!("type-{n:06}"), "count": count}));
        (200, json!({"data": names}))
    };
    for (source, count) in [("rollups", 1000), ("events", 4)] {
        let path = format!("/stats/top-events?from=2025-10-01&to=2025-10-31&limit=3&source={source}");
        let asked = std::time::Instant::now();
        assert_eq!(app.get(&path).await, expected(count), "{source}");
        println!("{source}: {} ms", asked.elapsed().as_millis());
    }
}
