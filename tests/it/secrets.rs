//! Secrets in files: every program takes them from there, and shows none of them.

use std::path::Path;
use std::process::Output;

use rollcall_stack::{NatsUser, Scratch};
use rollcall_tests::{App, KEY, WAIT_TIMEOUT, binary, event};
use tokio::process::Command;

async fn rollcall(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(binary("rollcall"));
    command.args(arguments).env_clear().envs(variables.iter().copied()).current_dir(folder).kill_on_drop(true);
    tokio::time::timeout(WAIT_TIMEOUT, command.output()).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn services_and_tools_take_their_secrets_from_files() {
    let app = App::start_without_workers(Vec::new()).await;
    let folder = Scratch::make().unwrap();
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, format!("{content}\n")).unwrap();
        path.display().to_string()
    };
    let (database, nats, key) =
        (file("database", &app.database_url), file("nats", &app.nats.url(NatsUser::Api)), file("key", "key-in-a-file"));
    let variables = [
        ("DATABASE_URL", ""),
        ("DATABASE_URL_FILE", &*database),
        ("NATS_URL", ""),
        ("NATS_URL_FILE", &nats),
        ("API_KEY", ""),
        ("API_KEY_FILE", &key),
    ];
    let (mut api, url) = app.process_with("api", &variables);
    api.start();
    app.wait_until_ready(&url).await;
    std::fs::write(folder.path().join("a.ndjson"), event("e", "u", "t", "2026-03-01T10:00:00Z").to_string()).unwrap();
    let sent = rollcall(folder.path(), &["import", "a.ndjson"], &[("ROLLCALL_URL", &*url), ("API_KEY_FILE", &key)]).await;
    assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
    let asked = app.http.get(format!("{url}/stats/dau")).header("X-API-Key", KEY).send().await.unwrap();
    assert_eq!(asked.status(), 401);
    assert!(!api.log().contains("key-in-a-file"));
}

#[tokio::test]
async fn config_says_that_a_secret_is_set_and_not_what_it_is() {
    let folder = Scratch::make().unwrap();
    std::fs::write(folder.path().join("key"), "hush\n").unwrap();
    let shown = rollcall(folder.path(), &["config"], &[("API_KEY_FILE", "key")]).await;
    assert!(shown.status.success());
    let text = String::from_utf8(shown.stdout).unwrap();
    assert!(text.contains("\nAPI_KEY=(hidden)\n") && !text.contains("hush"), "{text}");
}

#[tokio::test]
async fn a_secret_that_is_set_twice_or_cannot_be_read_stops_the_start() {
    let folder = Scratch::make().unwrap();
    std::fs::write(folder.path().join("url"), "mysql://user:hush@host/x\n").unwrap();
    let cases: [(&[(&str, &str)], &str); 3] = [
        (&[("API_KEY", "hush"), ("API_KEY_FILE", "key")], "API_KEY and API_KEY_FILE are both set; set one of them"),
        (&[("API_KEY_FILE", "missing")], "API_KEY_FILE=missing: cannot be read"),
        (&[("DATABASE_URL_FILE", "url")], "DATABASE_URL must begin with postgres://"),
    ];
    for (variables, problem) in cases {
        let output = rollcall(folder.path(), &["api"], variables).await;
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(problem) && !said.contains("hush"), "{said}");
    }
}
