//! The command line: generate, import, config, health, dead letters, and the walk-through.

use std::path::{Path, PathBuf};
use std::process::Output;

use rollcall_stack::Scratch;
use rollcall_tests::{App, KEY, Poison, binary, event, wait_until};
use serde_json::json;

async fn rollcall(app: &App, arguments: &[&str]) -> Output {
    let mut command = std::process::Command::new(binary("rollcall"));
    command.args(arguments).env("ROLLCALL_URL", &app.url).env("API_KEY", KEY);
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_can_be_repeated_and_stores_nothing_twice() {
    let app = App::start().await;
    let folder = Scratch::make().unwrap();
    let files: Vec<_> =
        ["a.csv", "b.ndjson.gz", "c.csv.zst"].iter().map(|name| folder.path().join(name).display().to_string()).collect();
    for (seed, file) in files.iter().enumerate() {
        let output = rollcall(
            &app,
            &[
                "generate",
                "--events",
                "2500",
                "--from",
                "2025-10-01",
                "--to",
                "2025-10-28",
                "--seed",
                &seed.to_string(),
                "-o",
                file,
            ],
        )
        .await;
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    // Lines without ids get theirs from the file's place and content.
    let without_ids = folder.path().join("d.ndjson").display().to_string();
    std::fs::write(&without_ids, "{\"event_type\":\"t\",\"user_id\":1}\n".repeat(500)).unwrap();
    for _ in 0..2 {
        let output = rollcall(&app, &["import", "--batch", "400", &files[0], &files[1], &files[2], &without_ids]).await;
        assert!(output.status.success(), "{}", text(&output.stderr));
        app.wait_until_stored().await;
        // Three files of 2,500 events each, and 500 lines without ids.
        assert_eq!(app.stored().await, 8_000);
    }
    assert!(
        folder.path().read_dir().unwrap().all(|entry| !text(entry.unwrap().file_name().as_encoded_bytes()).contains("progress"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_stops_at_a_bad_record_and_resumes_there() {
    let app = App::start().await;
    let folder = Scratch::make().unwrap();
    let file = folder.path().join("events.ndjson");
    let path = file.display().to_string();
    let good = |n: usize| format!("{{\"event_id\":\"e{n:03}\",\"event_type\":\"t\",\"user_id\":{}}}\n", 100 + n);
    let lines = |bad: &str| (0..300).map(|n| if n == 250 { bad.to_owned() } else { good(n) }).collect::<String>();
    std::fs::write(&file, lines("{\"event_id\":\"e250\",\"event_type\":\"t\",\"user_od\":350}\n")).unwrap();
    let output = rollcall(&app, &["import", "--batch", "100", "--in-flight", "1", &path]).await;
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("line 251, user_id"), "{}", text(&output.stderr));
    std::fs::write(&file, lines(&good(250))).unwrap();
    let output = rollcall(&app, &["import", "--batch", "100", &path]).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("100 events accepted"), "{}", text(&output.stdout));
    app.wait_until_stored().await;
    assert_eq!(app.stored().await, 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sample_file_and_the_walk_through_work_as_written() {
    let app = App::start().await;
    let mut command = std::process::Command::new("sh");
    command.arg("example/walkthrough.sh").current_dir(repository()).env("ROLLCALL_URL", &app.url).env("API_KEY", KEY);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
    // An import keeps its progress next to the file; the checkout may be read-only.
    let folder = Scratch::make().unwrap();
    let sample = folder.path().join("events_sample.csv");
    std::fs::copy(repository().join("example/events_sample.csv"), &sample).unwrap();
    let sample = sample.display().to_string();
    let output = rollcall(&app, &["import", &sample]).await;
    assert!(text(&output.stdout).contains("1000 events accepted"), "{} {}", text(&output.stdout), text(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_config_say_what_is() {
    let app = App::start().await;
    assert_eq!(app.get("/health").await, (200, json!({"status": "healthy"})));
    let ready = format!("{}/health/ready", app.url);
    assert!(rollcall(&app, &["health", "--url", &ready]).await.status.success());
    assert!(!rollcall(&app, &["health", "--url", "http://127.0.0.1:9/health/ready"]).await.status.success());
    let listed = text(&rollcall(&app, &["config"]).await.stdout);
    assert!(listed.contains("API_KEY=(hidden)") && listed.contains("MAX_BODY_BYTES=67108864"), "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_does_not_know_the_benchmark() {
    let app = App::start().await;
    let help = rollcall(&app, &["--help"]).await;
    assert!(text(&help.stdout).contains("import") && !text(&help.stdout).contains("bench"), "{}", text(&help.stdout));
    let refused = rollcall(&app, &["bench", "--serve-without-publishing"]).await;
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused.stderr));
}

/// As `make build` and the Dockerfile select them.
#[test]
fn the_shipped_programs_are_built_without_what_loses_events() {
    let output = std::process::Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--edges", "normal", "--prefix", "none", "--format", "{p} has [{f}]"])
        .args(["-p", "rollcall-cli", "-p", "rollcall-api", "-p", "rollcall-worker"])
        .current_dir(repository())
        .output()
        .unwrap();
    let tree = text(&output.stdout);
    for package in ["rollcall-api", "rollcall-worker"] {
        let mut lines = tree.lines().filter(|line| line.starts_with(package)).peekable();
        assert!(lines.peek().is_some(), "{}", text(&output.stderr));
        assert!(lines.all(|line| line.ends_with("has []") || line.ends_with("(*)")), "{tree}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_listed_shown_redriven_and_purged_from_the_command_line() {
    let app = App::start().await;
    Poison::lay(&app.pool).await;
    let bad = |n: usize| Poison::in_event(event(&format!("bad-{n}"), "u", "t", "2026-03-01T10:00:00Z"));
    app.send(&json!((0..620).map(bad).collect::<Vec<_>>())).await;
    let run = async |arguments: &[&str]| {
        let output = rollcall(&app, &[&["dead-letters"], arguments].concat()).await;
        (output.status.success(), text(&output.stdout), text(&output.stderr))
    };
    wait_until("all are dead letters", async || {
        let count = run(&["redrive", "--all", "--dry-run"]).await.1;
        (count == "620 dead letters with 620 events would be redriven\n").then_some(())
    })
    .await;

    let (_, listed, more) = run(&["list", "--limit", "2"]).await;
    assert!(listed.starts_with(" id  failed at") && listed.contains("bad-") && listed.contains("violates check"), "{listed}");
    assert!(more.contains("there may be more"), "{more}");
    assert_eq!(run(&["list", "--limit", "5000", "--json"]).await.1.lines().count(), 620);
    let (_, found, _) = run(&["list", "--event-id", "bad-7", "--json"]).await;
    let letter: serde_json::Value = serde_json::from_str(&found).unwrap();
    let (_, shown, _) = run(&["show", letter["id"].as_str().unwrap()]).await;
    assert!(shown.contains("\"event_id\": \"bad-7\""), "{shown}");

    let (purged, told, _) = run(&["purge", "--event-id", "bad-7"]).await;
    assert_eq!((purged, told.as_str()), (true, "1 dead letters with 1 events purged\n"));
    for wrong in [
        &["purge"][..],
        &["redrive"],
        &["redrive", "--event-type", ""],
        &["purge", "--code", "nonsense"],
        &["show", "999999"],
        &["redrive", "7", "--all"],
    ] {
        assert!(!run(wrong).await.0, "{wrong:?}");
    }
    Poison::lift(&app.pool).await;
    let (redriven, told, errors) = run(&["redrive", "--all"]).await;
    assert_eq!((redriven, told.as_str()), (true, "619 dead letters with 619 events redriven\n"), "{errors}");
    app.wait_until_stored().await;
    assert_eq!(app.stored().await, 619);
    assert_eq!(run(&["list"]).await, (true, String::new(), "no dead letters\n".to_owned()));
}
