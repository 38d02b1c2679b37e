//! `rollcall import`: what is wrong with a file is said by its line, and an import that breaks off
//! can be gone on with.

use std::process::Output;

use nix::sys::signal::Signal;
use rollcall_stack::Scratch;
use rollcall_tests::{App, AppOptions, KEY, Process, binary, free_port, wait_until};
use serde_json::Value;

/// Writes a file and imports it; returns whether that went well and what was said.
async fn import(url: &str, name: &str, content: &str, arguments: &[&str]) -> (bool, String, String) {
    let folder = Scratch::make().unwrap();
    std::fs::write(folder.path().join(name), content).unwrap();
    let mut command = std::process::Command::new(binary("rollcall"));
    command.arg("import").args(arguments).arg(name).current_dir(folder.path()).env("ROLLCALL_URL", url).env("API_KEY", KEY);
    let output: Output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

const HEADER: &str = "event_id,event_type,user_id,occurred_at,properties\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_partial_import_leaves_out_bad_records_and_lists_their_lines() {
    let app = App::start().await;
    let csv = format!(
        "{HEADER}a1,t,u,2026-03-01T10:00:00Z,\na2,t,u\na3,t,u,2026-03-01T10:00:00Z,\"{{\n}}\"\na4,t,u,never,\na5,t,u,2026-03-01T10:00:00Z,{{\na6,t,u,2026-03-01T10:00:00Z,\n"
    );
    let ndjson = "{\"event_id\":\"b1\",\"event_type\":\"t\",\"user_id\":\"u\"}\n\n{\"event_id\":\n{\"event_id\":\"b3\"}\n{\"event_id\":\"b4\",\"event_type\":\"t\",\"user_id\":\"u\"}";
    for (name, content, lines, accepted) in [
        (
            "a.csv",
            csv.as_str(),
            &["line 3: has 3 cells where the header names 5", "line 6, occurred_at", "line 7: properties is not JSON"][..],
            3,
        ),
        ("b.ndjson", ndjson, &["line 3: is not JSON", "line 4, event_type"], 2),
    ] {
        // Several batches, some with nothing to send.
        for batch in ["1", "2", "100"] {
            let (succeeded, said, errors) = import(&app.url, name, content, &["--partial", "--batch", batch]).await;
            assert!(succeeded, "{errors}");
            assert!(said.contains(&format!("{accepted} events accepted, {} rejected", lines.len())), "{said} {errors}");
            assert!(lines.iter().all(|line| errors.contains(line)), "{errors}");
        }
    }
    app.wait_until_stored().await;
    assert_eq!(app.stored().await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_stops_at_the_first_bad_record_and_names_its_line() {
    let app = App::start().await;
    let good = "a1,t,u,2026-03-01T10:00:00Z,\n";
    for (bad, named) in [("a2,t\n", "line 3: has 2 cells"), ("a2,t,u,never,\n", "line 3, occurred_at")] {
        let (succeeded, _, errors) = import(&app.url, "a.csv", &format!("{HEADER}{good}{bad}{good}"), &[]).await;
        assert!(!succeeded);
        assert!(errors.contains(named) && errors.contains("the same command begins again"), "{errors}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_that_cannot_be_meant_is_refused_and_another_delimiter_can_be_given() {
    let app = App::start().await;
    let (succeeded, _, errors) = import(&app.url, "a.csv", "event_type,plan,user_id,plan\nt,x,u,y\n", &[]).await;
    assert!(!succeeded);
    assert!(errors.contains("columns 2 and 4 are both named \"plan\""), "{errors}");
    let semicolons = "event_id;event_type;user_id\na1;t;u\n";
    let (succeeded, _, errors) = import(&app.url, "a.csv", semicolons, &[]).await;
    assert!(!succeeded);
    assert!(errors.contains("looks separated by semicolons; say so with --delimiter ';'"), "{errors}");
    let (succeeded, said, errors) = import(&app.url, "a.csv", semicolons, &["--delimiter", ";"]).await;
    assert!(succeeded && said.contains("1 events accepted"), "{errors}");
}

#[tokio::test(flavor = "multi_thread")]
async fn long_numbers_keep_every_digit() {
    let app = App::start().await;
    let row = "a1,t,u,2026-03-01T10:00:00Z,\"{\"\"n\"\":123456789012345678901234567890}\"\n";
    let (succeeded, _, errors) = import(&app.url, "a.csv", &format!("{HEADER}{row}"), &[]).await;
    assert!(succeeded, "{errors}");
    app.wait_until_stored().await;
    let stored: String = sqlx::query_scalar("select properties::text from events").fetch_one(&app.pool).await.unwrap();
    assert!(stored.contains("123456789012345678901234567890"), "{stored}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_of_nothing_fails_with_a_reason() {
    let app = App::start_with(AppOptions { workers: 0, ..AppOptions::default() }).await;
    let (succeeded, _, errors) = import(&app.url, "a.csv", HEADER, &[]).await;
    assert!(!succeeded && errors.contains("the file holds no events"), "{errors}");
    let (succeeded, _, errors) = import(&app.url, "a.ndjson", "{\"event_type\":\"t\"}\n7\n", &["--partial"]).await;
    assert!(!succeeded && errors.contains("no event was accepted"), "{errors}");
    assert!(!errors.contains("resume"), "{errors}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_says_at_once_that_nothing_answers_and_how_to_resume_when_interrupted() {
    let folder = Scratch::make().unwrap();
    let file = folder.path().join("a.ndjson");
    let lines: String =
        (0..20_000).map(|n| format!("{{\"event_id\":\"e{n}\",\"event_type\":\"t\",\"user_id\":\"u\"}}\n")).collect();
    std::fs::write(&file, lines).unwrap();
    let log = folder.path().join("import.log");
    let said = |text: &str| std::fs::read_to_string(&log).unwrap().contains(text);
    let process = |url: &str| {
        let variables = vec![("ROLLCALL_URL", url.to_owned()), ("API_KEY", KEY.to_owned())];
        let process = Process::new("import".to_owned(), binary("rollcall"), variables, folder.path().to_owned());
        process.with_arguments(&["import", "--batch", "20", "a.ndjson"])
    };
    let mut nowhere = process(&format!("http://127.0.0.1:{}", free_port()));
    nowhere.start();
    wait_until("it says why it waits", async || (said("does not answer") && said("trying again")).then_some(())).await;
    assert!(said("refused"));
    assert!(nowhere.stop_by(Signal::SIGINT).await.unwrap_err().contains("exit status: 1"));
    assert!(said("the same command begins again"));

    let app = App::start().await;
    let mut import = process(&app.url);
    import.start();
    let progress = folder.path().join("a.ndjson.rollcall-progress");
    wait_until("a batch is confirmed", async || progress.exists().then_some(())).await;
    assert!(import.stop_by(Signal::SIGINT).await.unwrap_err().contains("exit status: 1"));
    assert!(said("the same command resumes behind them"));
    let confirmed: Value = serde_json::from_str(&std::fs::read_to_string(&progress).unwrap()).unwrap();
    import.start();
    wait_until("it ends", async || (!progress.exists()).then_some(())).await;
    assert!(said(&format!("resuming after {} confirmed batches", confirmed["batches"])));
    app.wait_until_stored().await;
    assert_eq!(app.stored().await, 20_000);
}

#[test]
fn days_ahead_are_refused_by_generate() {
    let folder = Scratch::make().unwrap();
    let mut command = std::process::Command::new(binary("rollcall"));
    command.args(["generate", "--from", "2090-01-01", "--to", "2090-01-02", "-o", "a.ndjson"]).current_dir(folder.path());
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("--to 2090-01-02 is after today") && said.contains("24 h"), "{said}");
    assert!(!folder.path().join("a.ndjson").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_with_a_limited_key_waits_as_it_is_told_and_is_complete() {
    let app = App::start().await;
    app.add_key("default", "limited", &["ingest"]).await;
    sqlx::query("update api_keys set events_per_second = 100").execute(&app.pool).await.unwrap();
    let folder = Scratch::make().unwrap();
    let lines: String =
        (0..400).map(|id| format!("{{\"event_id\":\"{id}\",\"event_type\":\"t\",\"user_id\":\"u\"}}\n")).collect();
    std::fs::write(folder.path().join("a.ndjson"), lines).unwrap();
    let mut command = std::process::Command::new(binary("rollcall"));
    command.args(["import", "--batch", "100", "a.ndjson"]).current_dir(folder.path());
    command.env("ROLLCALL_URL", &app.url).env("API_KEY", "limited");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{errors}");
    assert!(errors.contains("answers 429: this key may send 100 events a second"), "{errors}");
    app.wait_until_stored().await;
    assert_eq!(app.stored().await, 400);
}
