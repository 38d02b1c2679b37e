//! Settings: what is wrong is said at the start, by name, and no secret is repeated.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use rollcall_stack::{NatsUser, Scratch};
use rollcall_tests::{App, AppOptions, KEY, Process, WAIT_TIMEOUT, binary, event, free_port, fresh_database, wait_until};
use tokio::process::Command;

/// Runs `rollcall` in a folder with these variables and no others, to its end.
async fn rollcall(folder: &Path, arguments: &[&str], variables: &[(&str, OsString)]) -> Output {
    let mut command = Command::new(binary("rollcall"));
    command.args(arguments).env_clear().envs(variables.iter().cloned()).current_dir(folder).kill_on_drop(true);
    tokio::time::timeout(WAIT_TIMEOUT, command.output()).await.unwrap().unwrap()
}

/// What a run that must fail says.
async fn refusal(folder: &Path, arguments: &[&str], variables: &[(&str, OsString)]) -> String {
    let output = rollcall(folder, arguments, variables).await;
    assert!(!output.status.success(), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test]
async fn a_bad_line_in_the_dotenv_file_stops_the_start() {
    let folder = Scratch::make().unwrap();
    std::fs::write(folder.path().join(".env"), "# mine\nAPI_KEY=hush hush\nMAX_BODY_BYTES=2000\n").unwrap();
    for arguments in [&["config"][..], &["import", "x.csv"], &["worker"]] {
        let said = refusal(folder.path(), arguments, &[]).await;
        assert!(said.contains(".env, line 2: the value of API_KEY cannot be read"), "{said}");
        assert!(!said.contains("hush"), "{said}");
    }
    assert!(rollcall(folder.path(), &["--help"], &[]).await.status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tools_take_key_and_address_from_the_dotenv_file() {
    let app = App::start().await;
    let folder = Scratch::make().unwrap();
    std::fs::write(folder.path().join(".env"), format!("ROLLCALL_URL={}\nAPI_KEY={KEY}\n", app.url)).unwrap();
    std::fs::write(folder.path().join("a.ndjson"), event("e", "u", "t", "2026-03-01T10:00:00Z").to_string()).unwrap();
    let output = rollcall(folder.path(), &["import", "a.ndjson"], &[]).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn a_wrong_setting_is_refused_by_name_with_what_it_must_be() {
    let folder = Scratch::make().unwrap();
    let form = "postgres://user:password@host:port/database";
    let cases: [(&str, &str, &[&str]); 6] = [
        ("LOG_LEVEL", "loud", &["LOG_LEVEL=loud", "error, warn, info, debug or trace"]),
        ("DATABASE_URL", "mysql://user:hush@host/x", &["DATABASE_URL must begin with postgres://", form]),
        ("NATS_URL", "http://user:hush@host:80", &["NATS_URL", "nats://user:password@host:port"]),
        ("ACK_WAIT_MS", "30s", &["ACK_WAIT_MS=30s: must be a whole number from 1000 to 600000", "milliseconds"]),
        ("ACK_WAIT_MS", "5", &["ACK_WAIT_MS=5: must be a whole number from 1000 to 600000", "milliseconds"]),
        ("WORKER_LISTEN", "8001", &["WORKER_LISTEN=8001: must be an address and a port, as 127.0.0.1:8000 or localhost:8000"]),
    ];
    for (name, value, expected) in cases {
        let said = refusal(folder.path(), &["worker"], &[(name, value.into())]).await;
        assert!(expected.iter().all(|part| said.contains(part)), "{said}");
        assert!(!said.contains("hush"), "{said}");
    }
}

#[tokio::test]
async fn a_variable_that_is_not_utf_8_is_named_if_it_is_a_setting() {
    let folder = Scratch::make().unwrap();
    let not_utf_8 = || OsString::from_vec(vec![b'x', 0xff]);
    let said = refusal(folder.path(), &["dev", "--ephemeral"], &[("API_KEY", not_utf_8())]).await;
    assert!(said.contains("API_KEY: is not UTF-8 text"), "{said}");
    assert!(rollcall(folder.path(), &["config"], &[("FOREIGN", not_utf_8())]).await.status.success());
}

#[tokio::test]
async fn dev_checks_the_settings_before_it_starts_servers() {
    let folder = Scratch::make().unwrap();
    let said = refusal(folder.path(), &["dev", "--data", "data"], &[("MAX_BODY_BYTES", "all".into())]).await;
    assert!(said.contains("MAX_BODY_BYTES=all"), "{said}");
    assert!(!folder.path().join("data").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_server_says_for_which() {
    let folder = Scratch::make().unwrap();
    let address = format!("127.0.0.1:{}", free_port());
    let password = "hush";
    for (database_url, nats_url) in [
        (format!("postgres://user:{password}@{address}/x"), "nats://127.0.0.1:9".to_owned()),
        (fresh_database().await, format!("nats://user:{password}@{address}")),
    ] {
        let variables = vec![("DATABASE_URL", database_url), ("NATS_URL", nats_url)];
        let mut process = Process::new("migrate".to_owned(), binary("rollcall"), variables, folder.path().to_owned());
        process = process.with_arguments(&["migrate"]);
        process.start();
        let log = folder.path().join("migrate.log");
        let names_it = |line: &str| line.contains("does not answer") && line.contains(&address);
        wait_until("it says so", async || std::fs::read_to_string(&log).ok()?.lines().any(names_it).then_some(())).await;
        assert!(!std::fs::read_to_string(&log).unwrap().contains(password));
        process.kill();
        std::fs::remove_file(&log).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ephemeral_dev_says_that_the_data_goes_and_it_goes_even_after_a_crash() {
    let folder = Scratch::make().unwrap();
    // Where root runs the tests, the servers' account must be able to pass.
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let app = App::start_with(AppOptions { workers: 0, ..AppOptions::default() }).await;
    let mut variables: Vec<_> = ["PATH", "HOME"].iter().filter_map(|name| Some((*name, std::env::var(name).ok()?))).collect();
    variables
        .extend([("NATS_SERVER", app.nats.program().display().to_string()), ("TMPDIR", folder.path().display().to_string())]);
    let listen = format!("localhost:{}", free_port());
    let mut dev = Process::new("dev".to_owned(), binary("rollcall"), variables, folder.path().to_owned());
    dev = dev.with_arguments(&["dev", "--ephemeral", "--listen", &listen]);
    let log = folder.path().join("dev.log");
    let greetings = async |count: usize| {
        let greeting = "Stop with Ctrl-C; the data is removed.";
        let said = || std::fs::read_to_string(&log).unwrap().matches(greeting).count();
        wait_until("it greets", async || (said() == count).then_some(())).await;
    };
    let folders = || {
        let entries = folder.path().read_dir().unwrap().map(|entry| entry.unwrap());
        entries.filter(|entry| entry.file_type().unwrap().is_dir()).map(|entry| entry.file_name()).collect::<Vec<_>>()
    };
    dev.start();
    greetings(1).await;
    let abandoned = folders();
    dev.kill();
    dev.start();
    greetings(2).await;
    let current = folders();
    assert_eq!((abandoned.len(), current.len()), (1, 1));
    assert_ne!(abandoned, current);
    assert_eq!(dev.stop().await, Ok(()));
    assert_eq!(folders().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nats_server_that_syncs_lazily_is_warned_of() {
    let app = App::start_with(AppOptions { workers: 0, ..AppOptions::default() }).await;
    let folder = Scratch::make().unwrap();
    let monitor_port = free_port();
    let configuration = folder.path().join("lazy.conf");
    let text = format!("host: 127.0.0.1\nport: {}\nhttp_port: {monitor_port}\njetstream {{ store_dir: store }}\n", free_port());
    std::fs::write(&configuration, text).unwrap();
    let mut lazy = Process::new("lazy".to_owned(), app.nats.program().to_owned(), Vec::new(), folder.path().to_owned())
        .with_arguments(&["-c", "lazy.conf"]);
    lazy.start();
    let lazy_url = format!("http://127.0.0.1:{monitor_port}");
    wait_until("it tells about itself", async || app.http.get(format!("{lazy_url}/varz")).send().await.ok()).await;

    let migrate = async |monitor_url: &str| {
        let admin = app.nats.url(NatsUser::Admin);
        let variables = [("DATABASE_URL", &*app.database_url), ("NATS_URL", &admin), ("NATS_MONITOR_URL", monitor_url)];
        let output = rollcall(folder.path(), &["migrate"], &variables.map(|(name, value)| (name, value.into()))).await;
        assert!(output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(migrate(&lazy_url).await.contains("WARN") && migrate(&lazy_url).await.contains("set sync_interval: always"));
    assert!(migrate(&app.nats.monitor_url()).await.contains("nats-server syncs every event before it acknowledges it"));
    assert!(migrate("").await.contains("without NATS_MONITOR_URL nobody can see"));
    assert!(migrate("http://127.0.0.1:9").await.contains("does not say whether nats-server syncs"));
}
