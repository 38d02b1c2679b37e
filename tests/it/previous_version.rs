//! The version before: its statements work with this version's schema, and its messages are stored by this version's
//! workers. `make capture` writes down what a version asks and sends, at its release.

use std::collections::BTreeMap;
use std::str::FromStr;

use async_nats::HeaderMap;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::Method;
use rollcall_shared::database::MIGRATIONS;
use rollcall_tests::{App, fresh_database, wait_until};
use serde_json::{Value, json};
use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Column as _, Connection as _, Either, Executor as _, PgConnection, SqlSafeStr as _, Statement as _};

/// The empty binary COPY: the header and the end.
const NO_ROWS: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\xff\xff";

fn statements() -> Value {
    serde_json::from_str(include_str!("../previous/statements.json")).unwrap()
}

fn messages() -> Value {
    serde_json::from_str(include_str!("../previous/messages.json")).unwrap()
}

fn array(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn its_statements_prepare_and_have_the_same_types() {
    let mut connection = PgConnection::connect(&fresh_database().await).await.unwrap();
    let previous = statements();
    assert!(array(&previous["statements"]).len() > 80 && array(&previous["copies"]).len() == 2);
    let mut broken = Vec::new();
    for statement in array(&previous["statements"]) {
        let text = statement["text"].as_str().unwrap();
        let prepared = match connection.prepare(AssertSqlSafe(text).into_sql_str()).await {
            Ok(prepared) => prepared,
            Err(error) => {
                broken.push(format!("{error}: {text}"));
                continue;
            }
        };
        let Some(Either::Left(parameters)) = prepared.parameters() else { panic!("{text}") };
        let columns: Vec<_> =
            prepared.columns().iter().map(|column| json!([column.name(), column.type_info().to_string()])).collect();
        let parameters: Vec<_> = parameters.iter().map(ToString::to_string).collect();
        let found = json!({"parameters": parameters, "columns": columns});
        if !statement["types"].is_null() && statement["types"] != found {
            broken.push(format!("{found} instead of {}: {text}", statement["types"]));
        }
    }
    for copy in array(&previous["copies"]) {
        let mut sink = connection.copy_in_raw(copy.as_str().unwrap()).await.unwrap_or_else(|error| panic!("{error}: {copy}"));
        sink.send(NO_ROWS).await.unwrap();
        assert_eq!(sink.finish().await.unwrap(), 0, "{copy}");
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// A column: its type, and whether an insert may leave it out.
type Columns = BTreeMap<(String, String), (String, bool)>;

async fn columns(connection: &mut PgConnection) -> Columns {
    let select = "
        select
            c.relname,
            a.attname,
            format_type(a.atttypid, a.atttypmod),
            not a.attnotnull or a.atthasdef or a.attidentity <> ''
        from pg_attribute a
        join pg_class c on c.oid = a.attrelid
        where c.relnamespace = 'public'::regnamespace
          and c.relkind in ('r', 'p')
          and not c.relispartition
          and c.relname <> '_sqlx_migrations'
          and a.attnum > 0
          and not a.attisdropped";
    let rows: Vec<(String, String, String, bool)> = sqlx::query_as(select).fetch_all(connection).await.unwrap();
    rows.into_iter().map(|(table, column, kind, may_be_missing)| ((table, column), (kind, may_be_missing))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn its_tables_keep_their_columns_and_get_none_that_it_would_have_to_fill() {
    let options = PgConnectOptions::from_str(&fresh_database().await).unwrap();
    let name = format!("{}_before", options.get_database().unwrap());
    let mut connection = PgConnection::connect_with(&options).await.unwrap();
    sqlx::query(AssertSqlSafe(format!("create database {name}"))).execute(&mut connection).await.unwrap();
    let mut connection = PgConnection::connect_with(&options.database(&name)).await.unwrap();
    let known = statements()["migrations"].clone();
    let known = MIGRATIONS.iter().filter(|migration| array(&known).contains(&json!(migration.version))).cloned().collect();
    Migrator::with_migrations(known).run(&mut connection).await.unwrap();
    let before = columns(&mut connection).await;
    assert!(before.len() > 50, "{before:?}");
    MIGRATIONS.run(&mut connection).await.unwrap();
    let after = columns(&mut connection).await;
    for (column, (kind, may_be_missing)) in &before {
        let (kind_after, may_still) = after.get(column).unwrap_or_else(|| panic!("{column:?} is gone"));
        assert_eq!(kind, kind_after, "{column:?}");
        assert!(*may_still || !may_be_missing, "{column:?} could be left out before");
    }
    let tables: Vec<_> = before.keys().map(|(table, _)| table).collect();
    for ((table, column), (_, may_be_missing)) in after.iter().filter(|(column, _)| !before.contains_key(column)) {
        assert!(*may_be_missing || !tables.contains(&table), "{table}.{column} is new and must be filled");
    }
}

/// Puts a message where a program of the version before has put it.
async fn publish(app: &App, message: &Value, without: Option<&str>) {
    let mut headers = HeaderMap::new();
    for (name, value) in message["headers"].as_object().unwrap().iter().filter(|(name, _)| Some(name.as_str()) != without) {
        headers.insert(name.as_str(), value.as_str().unwrap());
    }
    let payload = BASE64_STANDARD.decode(message["payload"].as_str().unwrap()).unwrap();
    let subject = message["subject"].as_str().unwrap().to_owned();
    // Its connection must live until the confirmation.
    let jetstream = app.jetstream().await;
    jetstream.publish_with_headers(subject, headers, payload.into()).await.unwrap().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn its_messages_are_stored_as_it_would_have_stored_them() {
    let messages = messages();
    assert_eq!(array(&messages["accepted"]).len(), 3);
    assert_eq!(array(&messages["stored"]).len(), 6);
    // Before there was a first release, messages did not say how many bytes their lines have.
    for without in [None, Some("Rollcall-Lines-Bytes")] {
        let app = App::start().await;
        for message in array(&messages["accepted"]) {
            publish(&app, message, without).await;
        }
        app.wait_until_stored().await;
        let (_, stored) = app.get("/events?from=1970-01-01&to=2100-01-01&order=asc").await;
        assert_eq!(stored["data"], messages["stored"]);
        assert_eq!(app.get("/admin/dead-letters").await.1["data"], json!([]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn its_dead_letters_are_listed_as_before_and_can_be_sent_again() {
    let messages = messages();
    let app = App::start().await;
    publish(&app, &messages["letters"][0], None).await;
    assert_eq!(app.get("/admin/dead-letters").await.1["data"], json!([messages["dead_letter"]]));
    let (status, answer) = app.call(Method::POST, "/admin/dead-letters/1/redrive").await;
    assert_eq!((status, &answer["redriven"]), (200, &json!(1)), "{answer}");
    wait_until("it is stored", async || (app.stored().await == 1).then_some(())).await;
    assert_eq!(app.get("/pipeline/events/refused").await.1["status"], "stored");
}
