//! The command line: projects and keys.

use std::process::Output;

use rollcall_stack::Scratch;
use rollcall_tests::{App, KEY, binary};
use serde_json::{Value, json};

/// Runs a command with a key; returns whether it succeeded, and what it printed.
async fn rollcall(app: &App, key: &str, arguments: &[&str]) -> (bool, String, String) {
    let mut command = std::process::Command::new(binary("rollcall"));
    command.args(arguments).env("ROLLCALL_URL", &app.url).env("API_KEY", key);
    let output: Output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

fn json_of(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn projects_are_made_changed_and_listed() {
    let app = App::start_without_workers(Vec::new()).await;
    let run = async |arguments: &[&str]| rollcall(&app, KEY, &[&["projects"], arguments].concat()).await;
    let (made, table, errors) = run(&["create", "shop", "--time-zone", "Europe/Berlin", "--events-per-second", "5000"]).await;
    assert!(made && table.contains("Europe/Berlin") && table.contains("5000"), "{table}{errors}");
    let (_, changed, _) = run(&["set", "shop", "--retention-days", "90", "--events-per-second", "none", "--json"]).await;
    let changed = json_of(&changed);
    assert_eq!([&changed["retention_days"], &changed["limits"]["events_per_second"]], [&json!(90), &Value::Null]);
    let (_, listed, _) = run(&["list", "--json"]).await;
    let names: Vec<_> = listed.lines().map(|line| json_of(line)["name"].clone()).collect();
    assert_eq!(names, [json!("default"), json!("shop")]);
    let (_, table, _) = run(&["list"]).await;
    assert!(table.starts_with(" name") && table.lines().count() == 3, "{table}");
    for (wrong, message) in [
        (&["create", "shop"][..], "already"),
        (&["create", "Shop"], "name: must have"),
        (&["set", "shop"], "say what to change"),
        (&["set", "none", "--retention-days", "1"], "no project of this name"),
        (&["set", "shop", "--time-zone", "Mars"], "time_zone: must be"),
        (&["set", "a/b c", "--retention-days", "1"], "no project of this name"),
    ] {
        let (succeeded, _, errors) = run(wrong).await;
        assert!(!succeeded && errors.contains(message), "{wrong:?}: {errors}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn schemas_are_set_listed_shown_and_removed() {
    let app = App::start_without_workers(Vec::new()).await;
    app.make_project("shop", "UTC").await;
    let folder = Scratch::make().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (good, bad) = (file("good.json", r#"{ "required": ["plan"] }"#), file("bad.json", r#"{"type":"text"}"#));
    let run = async |arguments: &[&str]| rollcall(&app, KEY, &[&["schemas"], arguments, &["--project", "shop"]].concat()).await;
    let (_, _, about) = run(&["list"]).await;
    assert!(about.contains("no schemas"), "{about}");
    let (set, table, errors) = run(&["set", "a/b c", &good, "--mode", "reject"]).await;
    assert!(set && table.contains("a/b c") && table.contains("reject"), "{table}{errors}");
    let (_, listed, _) = run(&["list", "--json"]).await;
    let listed = json_of(&listed);
    assert_eq!([&listed["event_type"], &listed["schema_bytes"]], [&json!("a/b c"), &json!(21)]);
    let (_, shown, _) = run(&["show", "a/b c"]).await;
    assert_eq!(json_of(&shown)["schema"], json!({"required": ["plan"]}));
    for (wrong, message) in [
        (&["set", "t", &bad, "--mode", "warn"][..], "schema.type: "),
        (&["set", "t", &good, "--mode", "ignore"], "mode: must be one of warn, reject"),
        (&["set", "t", &good], "--mode"),
        (&["set", "t", "/nowhere.json", "--mode", "warn"], "/nowhere.json cannot be read"),
        (&["show", "t"], "this event type has no schema"),
        (&["remove", "t"], "this event type has no schema"),
    ] {
        let (succeeded, _, errors) = run(wrong).await;
        assert!(!succeeded && errors.contains(message), "{wrong:?}: {errors}");
    }
    let (removed, table, _) = run(&["remove", "a/b c"]).await;
    assert!(removed && table.contains("violations"), "{table}");
    assert_eq!(run(&["list", "--json"]).await.1, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_printed_alone_so_that_scripts_can_take_it() {
    let app = App::start_without_workers(Vec::new()).await;
    app.make_project("shop", "UTC").await;
    let run = async |arguments: &[&str]| rollcall(&app, KEY, &[&["keys"], arguments].concat()).await;
    let (_, printed, about) = run(&["create", "web", "--project", "shop", "--scopes", "ingest,admin"]).await;
    let key = printed.trim_end();
    assert!(key.starts_with("rk_") && key.len() == 67 && about.contains("cannot be shown again"), "{printed}{about}");
    // With this key, its project is the default.
    let (_, listed, _) = rollcall(&app, key, &["keys", "list", "--json"]).await;
    let listed = json_of(&listed);
    assert_eq!([&listed["project"], &listed["scopes"]], [&json!("shop"), &json!(["ingest", "admin"])]);
    assert!(!listed.to_string().contains(&key[3..]));

    let (_, rotated, _) =
        run(&["rotate", "1", "--overlap-seconds", "60", "--expires-at", "2999-01-01T00:00:00Z", "--json"]).await;
    let rotated = json_of(&rotated);
    assert_eq!([&rotated["replaces"], &rotated["expires_at"]], [&json!(1), &json!("2999-01-01T00:00:00Z")]);
    let (revoked, table, _) = run(&["revoke", "1"]).await;
    assert!(revoked && table.contains("revoked at"), "{table}");
    let (_, table, _) = run(&["list", "--project", "shop"]).await;
    assert_eq!(table.lines().count(), 3, "{table}");
    for (wrong, message) in [
        (&["create", "web"][..], "--scopes"),
        (&["create", "web", "--scopes", "write"], "scopes: must be"),
        (&["rotate", "1"], "revoked or has expired"),
        (&["revoke", "99"], "no key has this id"),
        (&["list", "--project", "none"], "no project of this name"),
    ] {
        let (succeeded, _, errors) = run(wrong).await;
        assert!(!succeeded && errors.contains(message), "{wrong:?}: {errors}");
    }
    let new = rotated["key"].as_str().unwrap();
    let (succeeded, _, errors) = rollcall(&app, new, &["projects", "create", "mine"]).await;
    assert!(!succeeded && errors.contains("403"), "{errors}");
}
