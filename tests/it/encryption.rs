//! Encryption towards the servers: PostgreSQL and nats-server prove who they are, and so do the services.

use std::path::Path;
use std::time::Duration;

use rollcall_shared::database::{self, DatabaseSettings};
use rollcall_shared::queue::access::{NatsAccess, NatsLogin, NatsTls};
use rollcall_shared::queue::connect::{self, Role};
use rollcall_shared::settings::Secret;
use rollcall_stack::{Postgres, Scratch};
use rollcall_tests::{App, Authority, KEY, NatsOperator, Process, WAIT_TIMEOUT, event, free_port, wait_until};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// An nkey pair of NATS's documentation.
const SEED: &str = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
const PUBLIC: &str = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4";

/// A nats-server that wants to see certificates, and with this in its configuration.
async fn nats(app: &App, folder: &Path, authority: &Authority, configuration: &str) -> (Process, String) {
    let (certificate, key) = authority.certificate().write(folder, "nats");
    let ca = folder.join("ca.pem");
    std::fs::write(&ca, authority.pem()).unwrap();
    let port = free_port();
    let text = format!(
        "host: 127.0.0.1\nport: {port}\n{configuration}\n\
         tls {{ cert_file: {certificate:?}, key_file: {key:?}, ca_file: {ca:?}, verify: true }}\n"
    );
    std::fs::write(folder.join("nats.conf"), text).unwrap();
    let mut server = Process::new("nats".to_owned(), app.nats.program().to_owned(), Vec::new(), folder.to_owned())
        .with_arguments(&["-c", "nats.conf"]);
    server.start();
    wait_until("nats-server is ready", async || server.log().contains("Server is ready").then_some(())).await;
    (server, format!("nats://127.0.0.1:{port}"))
}

/// Makes PostgreSQL speak TLS with a certificate of this authority, and nothing else.
async fn encrypt(postgres: &Postgres, authority: &Authority) {
    let certificate = authority.certificate();
    let mut connection = PgConnection::connect(&postgres.url("rollcall")).await.unwrap();
    // The server itself must own the file with the key, and nobody else may read it.
    for (name, content) in [("server.crt", &certificate.pem), ("server.key", &certificate.key)] {
        let lines = content.lines().map(|line| format!("('{line}')")).collect::<Vec<_>>().join(",");
        let copy = format!("copy (values {lines}) to program 'umask 077; cat > {name}'");
        sqlx::query(AssertSqlSafe(copy)).execute(&mut connection).await.unwrap();
    }
    let hba = "copy (values ('hostssl all all 127.0.0.1/32 scram-sha-256')) to program 'cat > pg_hba.conf'";
    for statement in ["alter system set ssl = on", hba, "select pg_reload_conf()"] {
        sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
    }
    let url = format!("{}?sslmode=disable", postgres.url("rollcall"));
    wait_until("PostgreSQL refuses plain text", async || PgConnection::connect(&url).await.is_err().then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_works_with_servers_that_accept_nothing_without_certificates() {
    let app = App::start_without_workers(Vec::new()).await;
    let (folder, authority) = (Scratch::make().unwrap(), Authority::new());
    let (_nats, nats_url) = nats(
        &app,
        folder.path(),
        &authority,
        &format!("jetstream {{ store_dir: store }}\nauthorization {{ users: [{{ nkey: {PUBLIC} }}] }}"),
    )
    .await;
    let path = folder.path().join("postgres");
    let postgres = tokio::task::spawn_blocking(move || Postgres::start(&path)).await.unwrap().unwrap();
    encrypt(&postgres, &authority).await;
    let (own_certificate, own_key) = authority.certificate().write(folder.path(), "own");
    let text = |path: &Path| path.display().to_string();
    let ca = text(&folder.path().join("ca.pem"));
    let database_url = format!("{}?sslmode=verify-full&sslrootcert={ca}", postgres.url("rollcall"));
    let seed = folder.path().join("seed");
    std::fs::write(&seed, format!("{SEED}\n")).unwrap();
    let (own_certificate, own_key, seed) = (text(&own_certificate), text(&own_key), text(&seed));
    let variables = [
        ("DATABASE_URL", &*database_url),
        ("NATS_URL", &nats_url),
        ("NATS_ADMIN_URL", ""),
        ("NATS_NKEY_FILE", &seed),
        ("NATS_CA_FILE", &ca),
        ("NATS_CERT_FILE", &own_certificate),
        ("NATS_KEY_FILE", &own_key),
        ("MIGRATE_ON_START", "true"),
    ];
    let (mut api, url) = app.process_with("api", &variables);
    let (mut worker, worker_url) = app.process_with("worker", &variables);
    api.start();
    worker.start();
    app.wait_until_ready(&worker_url).await;
    app.wait_until_ready(&url).await;
    let body = json!([event("one", "u", "t", "2026-03-01T10:00:00Z")]);
    let request = app.http.post(format!("{url}/events?wait=stored&timeout_ms=30000")).header("X-API-Key", KEY).json(&body);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200, "{}", worker.log());
    let statement = "select bool_and(ssl) from pg_stat_ssl join pg_stat_activity using (pid) where client_addr is not null";
    let mut connection = PgConnection::connect(&database_url).await.unwrap();
    assert!(sqlx::query_scalar::<_, bool>(statement).fetch_one(&mut connection).await.unwrap());
    assert!([api.log(), worker.log()].iter().all(|log| !log.contains(SEED)));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_taken_for_a_server_who_cannot_prove_it() {
    let app = App::start_without_workers(Vec::new()).await;
    let (folder, authority, stranger) = (Scratch::make().unwrap(), Authority::new(), Authority::new());
    let (_nats, nats_url) = nats(&app, folder.path(), &authority, "authorization { token: hush }").await;
    let other_ca = folder.path().join("other.pem");
    std::fs::write(&other_ca, stranger.pem()).unwrap();
    let own = authority.certificate().write(folder.path(), "own");
    let access = |url: &str, ca: &str, token: &str, client_files| NatsAccess {
        login: NatsLogin::Token(Secret::new(token)),
        tls: NatsTls { ca_file: Some(folder.path().join(ca)), client_files },
        ..NatsAccess::of_url(url)
    };
    // Whoever is not accepted tries again for ever, or gets an error.
    let connect_within = async |seconds, access: &NatsAccess| {
        let waiting = connect::connect(access, Role::Admin);
        tokio::time::timeout(Duration::from_secs(seconds), waiting).await.is_ok_and(|connected| connected.is_ok())
    };
    let right = access(&nats_url, "ca.pem", "hush", Some(own.clone()));
    assert!(connect_within(60, &right).await);
    assert!(!connect_within(2, &access(&nats_url, "ca.pem", "wrong", Some(own.clone()))).await);
    assert!(!connect_within(2, &access(&nats_url, "other.pem", "hush", Some(own.clone()))).await);
    assert!(!connect_within(2, &access(&nats_url, "ca.pem", "hush", None)).await);
    // A server that speaks plain text, as somebody between the two would.
    let plain = format!("nats://127.0.0.1:{}", app.nats.port());
    assert!(!connect_within(2, &access(&plain, "ca.pem", "hush", Some(own))).await);

    let url = format!("{}?sslmode=verify-full&sslrootcert={}", app.database_url, other_ca.display());
    let pool = database::pool(&DatabaseSettings::of_url(url), "test", WAIT_TIMEOUT).unwrap();
    assert!(pool.acquire().await.is_err(), "a connection without TLS");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credentials_file_is_enough_to_log_in() {
    let app = App::start_without_workers(Vec::new()).await;
    let (folder, authority, operator) = (Scratch::make().unwrap(), Authority::new(), NatsOperator::new());
    let (_nats, nats_url) = nats(&app, folder.path(), &authority, &operator.configuration()).await;
    let own = authority.certificate().write(folder.path(), "own");
    for (operator, is_known) in [(operator, true), (NatsOperator::new(), false)] {
        let access = NatsAccess {
            login: NatsLogin::Credentials(Secret::new(operator.credentials())),
            tls: NatsTls { ca_file: Some(folder.path().join("ca.pem")), client_files: Some(own.clone()) },
            ..NatsAccess::of_url(&nats_url)
        };
        let connected = tokio::time::timeout(WAIT_TIMEOUT, connect::connect(&access, Role::Admin)).await.unwrap();
        assert_eq!(connected.is_ok(), is_known);
    }
}
