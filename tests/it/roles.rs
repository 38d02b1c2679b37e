//! Roles of PostgreSQL: each service can do its work with its role, and no more.

use std::str::FromStr;
use std::time::Duration;

use rollcall_shared::database::{self, DatabaseSettings};
use rollcall_stack::{Postgres, Scratch};
use rollcall_tests::{App, KEY, event, fresh_database, wait_until};
use serde_json::{Value, json};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};

async fn run(pool: &PgPool, statement: &str) {
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(pool).await.unwrap();
}

/// Makes a user of this database with a role, and returns the URL with which it connects.
async fn user_of(pool: &PgPool, database_url: &str, role: &str) -> String {
    let options = PgConnectOptions::from_str(database_url).unwrap();
    let name = format!("{}_{role}", options.get_database().unwrap());
    run(pool, &format!("create role {name} login password 'hush' in role {role}")).await;
    let (_, server) = database_url.split_once('@').unwrap();
    format!("postgres://{name}:hush@{server}")
}

fn pool(url: &str) -> PgPool {
    let settings = DatabaseSettings { max_connections: 2, ..DatabaseSettings::of_url(url) };
    database::pool(&settings, "test", Duration::ZERO).unwrap()
}

/// Whether this user may do it. Nothing of it stays.
async fn may(url: &str, statement: &str) -> bool {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let done = sqlx::raw_sql(AssertSqlSafe(format!("begin; {statement}; rollback"))).execute(&mut connection).await;
    match done.map_err(|error| error.as_database_error().unwrap().code().unwrap().into_owned()) {
        Ok(_) => true,
        Err(code) => {
            assert_eq!(code, "42501", "{statement}");
            false
        }
    }
}

/// Drops partitions of coming days and an index.
const TAKE_AWAY: &str = r"
    do $$
    declare
        statement text;
    begin
        for statement in
            select format('drop table %I', relname)
            from pg_class
            where relname ~ '^event(s|_ids)_[0-9]{8}_[0-9]{8}$'
                and right(relname, 8) > to_char(now() + interval '3 days', 'YYYYMMDD')
            union all
            (
                select format('drop index %I', relname)
                from pg_class
                where relname ~ '^events_[0-9]{8}_[0-9]{8}_by_user$'
                order by relname desc
                limit 1
            )
        loop
            execute statement;
        end loop;
    end
    $$";

/// Tables of events and identities that workers do not own, and partitions of months that are over without an index.
const UNDONE: &str = r"
    select relname::text
    from pg_class
    where relname ~ '^event(s|_ids)(_[0-9]{8}_[0-9]{8}|_default|_undated)?$'
        and (
            relowner <> 'rollcall_worker'::regrole
            or relname < ('events_' || to_char(now() - interval '3 days', 'YYYYMMDD'))
                and relname ~ '^events_[0-9]'
                and not coalesce((select indisvalid from pg_index where indexrelid = to_regclass(relname || '_by_user')), false)
        )";

#[tokio::test(flavor = "multi_thread")]
async fn a_role_does_what_its_service_needs_and_nothing_else() {
    let url = fresh_database().await;
    let own = pool(&url);
    let [api, worker, reader] = ["rollcall_api", "rollcall_worker", "rollcall_reader"];
    let users = [user_of(&own, &url, api).await, user_of(&own, &url, worker).await, user_of(&own, &url, reader).await];
    let event = "insert into events (project_id, event_type_id, user_ord, occurred_at, received_at, event_id, properties) \
                 values (1, 1, 1, now(), now(), gen_random_uuid(), '{}')";
    let key = "insert into api_keys (project_id, name, key_hash, scopes) values (1, 'k', sha256('k'), array['admin'])";
    for (statement, expected) in [
        ("select from events", [true, true, false]),
        ("select from event_log", [true, false, true]),
        ("select from projects", [true, true, false]),
        ("select from api_keys", [true, false, false]),
        ("select from cursor_keys", [true, false, false]),
        ("select from users", [true, true, false]),
        (event, [false, true, false]),
        ("delete from events", [false, true, false]),
        ("delete from event_ids", [false, true, false]),
        ("update event_counts set n = n + 1", [false, true, false]),
        ("insert into users (project_id, actor, ord) values (1, 'u', 1)", [false, true, false]),
        ("delete from users", [false, false, false]),
        (key, [true, false, false]),
        ("update api_keys set revoked_at = now()", [true, false, false]),
        ("insert into projects (name) values ('shop')", [true, false, false]),
        ("update projects set name = 'x'", [true, false, false]),
        ("delete from projects", [false, false, false]),
        ("update projects set next_user_ord = next_user_ord + 1", [true, true, false]),
        ("update projects set event_type_count = 7", [true, true, false]),
        ("update projects set max_event_types = 7", [true, false, false]),
        ("select from event_schemas", [true, false, false]),
        (
            "insert into event_schemas (project_id, event_type, mode, schema, memory_bytes) values (1, 't', 'warn', '{}', 1)",
            [true, false, false],
        ),
        ("update event_schemas set violations = 1", [true, false, false]),
        ("delete from event_schemas", [true, false, false]),
        ("create table of_mine ()", [false, true, false]),
        ("drop table events cascade", [false, true, false]),
        ("drop table api_keys", [false, false, false]),
        ("create role more", [false, false, false]),
    ] {
        let mut found = [false; 3];
        for (found, user) in found.iter_mut().zip(&users) {
            *found = may(user, statement).await;
        }
        assert_eq!(found, expected, "{statement}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_works_with_a_user_of_each_role() {
    let app = App::start_without_workers(Vec::new()).await;
    let api_user = user_of(&app.pool, &app.database_url, "rollcall_api").await;
    let worker_user = user_of(&app.pool, &app.database_url, "rollcall_worker").await;
    let reader = user_of(&app.pool, &app.database_url, "rollcall_reader").await;
    // What a worker must make with its own user: the last partitions, and an index of a day that is over.
    run(&app.pool, TAKE_AWAY).await;
    let (mut api, url) = app.process_with("api", &[("DATABASE_URL", &*api_user)]);
    let (mut worker, worker_url) = app.process_with("worker", &[("DATABASE_URL", &*worker_user)]);
    api.start();
    worker.start();
    app.wait_until_ready(&url).await;
    app.wait_until_ready(&worker_url).await;
    let now = jiff::Timestamp::now().to_string();
    let events = json!([event("one", "ada", "login", &now), event("two", "bob", "login", "2025-10-01T10:00:00Z")]);
    let request = app.http.post(format!("{url}/events?wait=stored&timeout_ms=30000")).header("X-API-Key", KEY).json(&events);
    assert_eq!(request.send().await.unwrap().status(), 200, "{}", worker.log());
    app.wait_until_compacted().await;
    let schema = json!({"mode": "warn", "schema": {"minProperties": 1}});
    let request = app.http.put(format!("{url}/admin/schemas/login")).header("X-API-Key", KEY).json(&schema);
    assert_eq!(request.send().await.unwrap().status(), 200);
    let limit = json!({"limits": {"max_event_types": 1}});
    let request = app.http.patch(format!("{url}/admin/projects/default")).header("X-API-Key", KEY).json(&limit);
    assert_eq!(request.send().await.unwrap().status(), 200);
    let events = json!([event("three", "ada", "login", &now), event("four", "ada", "logout", &now)]);
    let request = app.http.post(format!("{url}/events?partial=true&wait=stored&timeout_ms=30000"));
    assert_eq!(request.header("X-API-Key", KEY).json(&events).send().await.unwrap().status(), 200, "{}", worker.log());
    app.wait_until_violations_are("login", 1).await;
    for question in
        ["/stats/dau", "/stats/dau?source=events", "/events", "/users", "/sessions", "/pipeline", "/event-types", "/stats/trends"]
    {
        let answer = app.http.get(format!("{url}{question}")).header("X-API-Key", KEY).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{question}");
    }
    wait_until("every table is owned and indexed", async || {
        let undone: Vec<String> = sqlx::query_scalar(UNDONE).fetch_all(&app.pool).await.ok()?;
        undone.is_empty().then_some(())
    })
    .await;
    let newest = "select max(relname)::text from pg_class where relname ~ '^events_[0-9]{8}_[0-9]{8}$'";
    let newest: String = sqlx::query_scalar(newest).fetch_one(&app.pool).await.unwrap();
    let in_five_days = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(5 * 24);
    assert!(newest > in_five_days.strftime("events_%Y%m%d").to_string(), "{newest}");
    assert!(
        [api.log(), worker.log()].iter().all(|log| !log.contains("permission denied") && !log.contains("must be owner")),
        "{}",
        worker.log()
    );
    let mut reading = PgConnection::connect(&reader).await.unwrap();
    let read: Value = sqlx::query_scalar(
        "select jsonb_agg(to_jsonb(event_log) - 'received_at' order by event_id) from event_log where event_id = 'two'",
    )
    .fetch_one(&mut reading)
    .await
    .unwrap();
    assert_eq!(
        read,
        json!([{"project": "default", "event_id": "two", "event_type": "login", "user_id": "bob", "anonymous_id": null,
                "session_id": null, "account_id": null, "occurred_at": "2025-10-01T10:00:00+00:00", "properties": {}}])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_need_no_right_to_create_roles_and_share_a_server_with_others() {
    let folder = Scratch::make().unwrap();
    let path = folder.path().join("postgres");
    let postgres = tokio::task::spawn_blocking(move || Postgres::start(&path)).await.unwrap().unwrap();
    let own = pool(&postgres.url("rollcall"));
    run(&own, "create role plain login password 'hush'").await;
    run(&own, "create role maker login createrole password 'hush'").await;
    for (database, owner) in [("before", "plain"), ("after", "plain"), ("made", "maker")] {
        run(&own, &format!("create database {database} owner {owner}")).await;
    }
    let (_, server) = postgres.url("").split_once('@').map(|(user, server)| (user.to_owned(), server.to_owned())).unwrap();
    let of = |user: &str, database: &str| pool(&format!("postgres://{user}:hush@{server}{database}"));
    let roles = "select count(*) from pg_roles where rolname in ('rollcall_api', 'rollcall_worker', 'rollcall_reader')";
    // There are no roles, and this user may not make any.
    let before = of("plain", "before");
    database::migrate(&before).await.unwrap();
    rollcall_worker::make_partitions(&before).await.unwrap();
    assert_eq!(sqlx::query_scalar::<_, i64>(roles).fetch_one(&own).await.unwrap(), 0);
    // Databases of one server that all want to make them.
    let names = (0..6).map(|number| format!("together_{number}"));
    for name in names.clone() {
        run(&own, &format!("create database {name}")).await;
    }
    let pools: Vec<PgPool> = names.map(|name| pool(&postgres.url(&name))).collect();
    let migrated = futures::future::join_all(pools.iter().flat_map(|pool| [database::migrate(pool), database::migrate(pool)]));
    for migrated in migrated.await {
        migrated.unwrap();
    }
    assert_eq!(sqlx::query_scalar::<_, i64>(roles).fetch_one(&own).await.unwrap(), 3);
    for pool in &pools {
        let owner: String = sqlx::query_scalar("select relowner::regrole::text from pg_class where relname = 'events'")
            .fetch_one(pool)
            .await
            .unwrap();
        assert_eq!(owner, "rollcall_worker");
    }
    // There are roles, and this user may not grant them. What worked before goes on to work.
    for pool in [before, of("plain", "after")] {
        database::migrate(&pool).await.unwrap();
        rollcall_worker::make_partitions(&pool).await.unwrap();
        assert!(sqlx::query("delete from events").execute(&pool).await.is_ok());
    }
    // This user may make and grant roles and is no superuser. Since version 16, that takes more than the attribute.
    let admin = "do $$ begin if current_setting('server_version_num')::int >= 160000 then
        grant rollcall_worker to maker with admin option; end if; end $$";
    run(&own, admin).await;
    let made = of("maker", "made");
    database::migrate(&made).await.unwrap();
    rollcall_worker::make_partitions(&made).await.unwrap();
    let owners = "select distinct relowner::regrole::text from pg_class where relname ~ '^events(_[0-9]+_[0-9]+)?$'";
    let owners: Vec<String> = sqlx::query_scalar(owners).fetch_all(&made).await.unwrap();
    assert_eq!(owners, ["rollcall_worker"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_users_of_docker_compose_have_their_roles_and_passwords() {
    let folder = Scratch::make().unwrap();
    let path = folder.path().join("postgres");
    let postgres = tokio::task::spawn_blocking(move || Postgres::start(&path)).await.unwrap().unwrap();
    let url = postgres.url("rollcall");
    database::migrate(&pool(&url)).await.unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../postgres-users.sql");
    let connect = async |user: &str, password: &str| {
        let options = PgConnectOptions::from_str(&url).unwrap().username(user).password(password);
        PgConnection::connect_with(&options).await
    };
    // The second time changes passwords, and a quotation mark is nothing special.
    for (worker_password, reader_password) in [("first", ""), ("sec'ond", "read")] {
        let mut psql = tokio::process::Command::new("psql");
        psql.args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--file", script, "--dbname", &url]);
        psql.env("POSTGRES_API_PASSWORD", "api").env("POSTGRES_WORKER_PASSWORD", worker_password);
        let ran = psql.env("POSTGRES_READER_PASSWORD", reader_password).output().await.unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        let mut worker = connect("worker", worker_password).await.unwrap();
        assert!(sqlx::query("select from events").execute(&mut worker).await.is_ok());
        assert!(sqlx::query("select from api_keys").execute(&mut worker).await.is_err());
        assert!(connect("api", "api").await.is_ok());
        assert_eq!(connect("reader", "read").await.is_ok(), !reader_password.is_empty());
    }
    assert!(connect("worker", "first").await.is_err());
}
