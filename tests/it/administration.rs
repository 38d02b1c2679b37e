//! Projects and keys over HTTP: what may be made and changed, by whom, and what is written down about it.

use reqwest::Method;
use rollcall_tests::{App, KEY};
use serde_json::{Value, json};

/// The answer without what is different each time.
fn without(mut answer: Value, names: &[&str]) -> Value {
    for name in names {
        let removed = answer.as_object_mut().unwrap().remove(*name);
        assert!(removed.is_some(), "{answer} has no {name}");
    }
    answer
}

/// The field and the code of each problem.
fn problems(answer: &Value) -> Vec<(&str, &str)> {
    let errors = answer["errors"].as_array().unwrap_or_else(|| panic!("{answer}"));
    errors.iter().map(|error| (error["field"].as_str().unwrap(), error["code"].as_str().unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_is_made_listed_and_changed() {
    let app = App::start_without_workers(Vec::new()).await;
    let no_limits = json!({"requests_per_second": null, "events_per_second": null, "max_event_types": null});
    let body = json!({"name": "shop", "time_zone": "europe/berlin"});
    let (status, made) = app.admin(Method::POST, "/admin/projects", &body).await;
    assert_eq!(status, 201, "{made}");
    let shop = json!({"name": "shop", "time_zone": "Europe/Berlin", "retention_days": null, "limits": no_limits});
    assert_eq!(without(made.clone(), &["created_at"]), shop);
    let (status, again) = app.admin(Method::POST, "/admin/projects", &body).await;
    assert_eq!((status, &again["code"]), (409, &json!("exists")), "{again}");

    let body = json!({"retention_days": 90, "limits": {"events_per_second": 5000}});
    let (status, changed) = app.admin(Method::PATCH, "/admin/projects/shop", &body).await;
    assert_eq!(status, 200, "{changed}");
    let limits = json!({"requests_per_second": null, "events_per_second": 5000, "max_event_types": null});
    let expected = json!({"name": "shop", "time_zone": "Europe/Berlin", "retention_days": 90, "limits": limits,
                          "created_at": made["created_at"]});
    assert_eq!(changed, expected);
    let body = json!({"retention_days": null, "limits": {"events_per_second": null, "max_event_types": 7}});
    let (_, changed) = app.admin(Method::PATCH, "/admin/projects/shop", &body).await;
    assert_eq!(changed["retention_days"], Value::Null);
    assert_eq!(changed["limits"], json!({"requests_per_second": null, "events_per_second": null, "max_event_types": 7}));

    let (status, listed) = app.get("/admin/projects").await;
    assert_eq!((status, &listed["next_cursor"]), (200, &Value::Null));
    let names: Vec<_> = listed["data"].as_array().unwrap().iter().map(|project| project["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["default", "shop"]);
    assert_eq!(listed["data"][1], changed);
    let (status, answer) = app.admin(Method::PATCH, "/admin/projects/none", &json!({})).await;
    assert_eq!((status, &answer["code"]), (404, &json!("not_found")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_project_is_named_and_nothing_is_made() {
    let app = App::start_without_workers(Vec::new()).await;
    let long = "x".repeat(101);
    for (body, expected) in [
        (json!({}), vec![("name", "required")]),
        (json!({"name": ""}), vec![("name", "invalid")]),
        (json!({"name": null}), vec![("name", "required")]),
        (json!({"name": "Shop"}), vec![("name", "invalid")]),
        (json!({"name": "a/b"}), vec![("name", "invalid")]),
        (json!({"name": long}), vec![("name", "invalid")]),
        (json!({"name": 7, "x": 1}), vec![("name", "invalid"), ("x", "unknown")]),
        (json!({"name": "a", "time_zone": "Mars/Olympus"}), vec![("time_zone", "unknown_time_zone")]),
        (json!({"name": "a", "time_zone": "UTC+3"}), vec![("time_zone", "unknown_time_zone")]),
        (json!({"name": "a", "time_zone": "Etc/Unknown"}), vec![("time_zone", "unknown_time_zone")]),
        (json!({"name": "a", "time_zone": "CET"}), vec![("time_zone", "ambiguous_time_zone")]),
        (json!({"name": "a", "retention_days": 0}), vec![("retention_days", "out_of_range")]),
        (json!({"name": "a", "retention_days": 36_501}), vec![("retention_days", "out_of_range")]),
        (
            json!({"name": "a", "limits": {"events_per_second": -1, "x": 1}}),
            vec![("limits.events_per_second", "out_of_range"), ("limits.x", "unknown")],
        ),
    ] {
        let (status, answer) = app.admin(Method::POST, "/admin/projects", &body).await;
        assert_eq!((status, &answer["code"]), (422, &json!("invalid_fields")), "{body}: {answer}");
        assert_eq!(problems(&answer), expected, "{body}");
    }
    for (content_type, body, status) in [
        ("application/json", "{", 400),
        ("application/json", "[]", 400),
        ("text/plain", "{}", 415),
        ("application/json", &format!("{{\"name\":\"{}\"}}", "x".repeat(20_000)), 413),
    ] {
        let (found, answer) = app.post("/admin/projects", &[("Content-Type", content_type)], body.to_owned()).await;
        assert_eq!(found, status, "{answer}");
    }
    assert_eq!(app.get("/admin/projects").await.1["data"].as_array().unwrap().len(), 1);
    assert_eq!(app.get("/admin/audit-log").await.1["data"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_shown_once_and_stored_as_a_hash() {
    let app = App::start_without_workers(Vec::new()).await;
    app.make_project("shop", "UTC").await;
    let body = json!({"project": "shop", "name": "web", "scopes": ["read", "ingest", "read"], "expires_at": "2999-01-01T00:00:00Z",
                      "limits": {"requests_per_second": 50, "events_per_second": 5000}});
    let (status, made) = app.admin(Method::POST, "/admin/keys", &body).await;
    assert_eq!(status, 201, "{made}");
    let secret = made["key"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("rk_") && secret.len() == 67, "{secret}");
    let shown = without(made, &["key", "created_at"]);
    assert_eq!(
        shown,
        json!({"key_id": 1, "project": "shop", "name": "web", "scopes": ["ingest", "read"], "expires_at": "2999-01-01T00:00:00Z",
               "limits": {"requests_per_second": 50, "events_per_second": 5000}, "last_used_at": null, "revoked_at": null,
               "replaces": null})
    );
    assert_eq!(app.status_of(&app.url, &secret).await, 200);
    let hash_matches: bool = sqlx::query_scalar("select key_hash = sha256($1::bytea) from api_keys where id = 1")
        .bind(&secret)
        .fetch_one(&app.pool)
        .await
        .unwrap();
    assert!(hash_matches);
    // It is in no answer and in no table.
    let (_, listed) = app.get("/admin/keys?project=shop").await;
    assert_eq!(without(listed["data"][0].clone(), &["created_at", "last_used_at"]), without(shown, &["last_used_at"]));
    let (_, logged) = app.get("/admin/audit-log").await;
    let rows: String = sqlx::query_scalar("select string_agg(k::text, '') from api_keys k").fetch_one(&app.pool).await.unwrap();
    for text in [listed.to_string(), logged.to_string(), rows] {
        assert!(!text.contains(&secret[3..]), "{text}");
    }
    // By default, keys are listed and made in the project of the request's own key.
    assert_eq!(app.get("/admin/keys").await.1["data"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_key_is_named() {
    let app = App::start_without_workers(Vec::new()).await;
    for (body, expected) in [
        (json!({}), vec![("name", "required"), ("scopes", "invalid")]),
        (json!({"name": "", "scopes": []}), vec![("name", "invalid"), ("scopes", "invalid")]),
        (json!({"name": "a\u{7}", "scopes": ["read", "write"]}), vec![("name", "invalid"), ("scopes", "invalid")]),
        (json!({"name": "a", "scopes": "read"}), vec![("scopes", "invalid")]),
        (json!({"name": "a", "scopes": ["read"], "expires_at": "tomorrow"}), vec![("expires_at", "invalid")]),
        (json!({"name": "a", "scopes": ["read"], "expires_at": "2020-01-01T00:00:00Z"}), vec![("expires_at", "in_the_past")]),
        (
            json!({"name": "a", "scopes": ["read"], "limits": {"requests_per_second": 0}}),
            vec![("limits.requests_per_second", "out_of_range")],
        ),
    ] {
        let (status, answer) = app.admin(Method::POST, "/admin/keys", &body).await;
        assert_eq!((status, problems(&answer)), (422, expected), "{body}: {answer}");
    }
    let (status, answer) =
        app.admin(Method::POST, "/admin/keys", &json!({"project": "none", "name": "a", "scopes": ["read"]})).await;
    assert_eq!((status, &answer["code"]), (404, &json!("not_found")));
    for path in ["/admin/keys/7", "/admin/keys/x", "/admin/keys/99999999999"] {
        assert_eq!(app.call(Method::DELETE, path).await.0, 404, "{path}");
        assert_eq!(app.admin(Method::POST, &format!("{path}/rotate"), &json!({})).await.0, 404, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projects_admin_key_governs_its_project_and_does_not_learn_of_others() {
    let app = App::start_without_workers(Vec::new()).await;
    app.make_project("shop", "UTC").await;
    app.make_project("other", "UTC").await;
    let own = app.make_key("shop", &["admin"]).await;
    let theirs = app.make_key("other", &["read"]).await;
    let call = async |method, path: &str, body: &Value| app.admin_as(&own.key, method, path, body).await;
    let get = async |path: &str| app.get_as(&own.key, path, &[]).await;

    // Its own project.
    let (status, listed) = get("/admin/projects").await;
    let names: Vec<_> = listed["data"].as_array().unwrap().iter().map(|project| project["name"].clone()).collect();
    assert_eq!((status, names), (200, vec![json!("shop")]));
    assert_eq!(call(Method::PATCH, "/admin/projects/shop", &json!({"retention_days": 30})).await.0, 200);
    let (status, made) = call(Method::POST, "/admin/keys", &json!({"name": "b", "scopes": ["read"]})).await;
    assert_eq!((status, &made["project"]), (201, &json!("shop")), "{made}");
    assert_eq!(get("/admin/keys?project=shop").await.1["data"].as_array().unwrap().len(), 2);
    let (_, log) = get("/admin/audit-log").await;
    assert!(log["data"].as_array().unwrap().iter().all(|entry| entry["project"] == "shop"), "{log}");
    assert_eq!(log["data"].as_array().unwrap().len(), 4, "{log}");

    // What protects other projects from it.
    for (method, path, body) in [
        (Method::POST, "/admin/projects", json!({"name": "mine"})),
        (Method::PATCH, "/admin/projects/shop", json!({"limits": {"events_per_second": 1_000_000}})),
    ] {
        let (status, answer) = call(method, path, &body).await;
        assert_eq!((status, &answer["code"]), (403, &json!("forbidden")), "{path}: {answer}");
    }
    // Others, whether they exist or not: the answers are the same.
    let mut answers = Vec::new();
    for project in ["other", "none"] {
        let changed = call(Method::PATCH, &format!("/admin/projects/{project}"), &json!({"retention_days": 1})).await;
        let made = call(Method::POST, "/admin/keys", &json!({"project": project, "name": "a", "scopes": ["read"]})).await;
        let keys = get(&format!("/admin/keys?project={project}")).await;
        let log = get(&format!("/admin/audit-log?project={project}")).await;
        let statuses = [changed.0, made.0, keys.0, log.0];
        assert_eq!(statuses, [403; 4], "{project}");
        answers.push([changed, made, keys, log]);
    }
    assert_eq!(answers[0], answers[1]);
    let mut answers = Vec::new();
    for id in [theirs.id, 999] {
        let revoked = call(Method::DELETE, &format!("/admin/keys/{id}"), &Value::Null).await;
        let rotated = call(Method::POST, &format!("/admin/keys/{id}/rotate"), &json!({})).await;
        assert_eq!([revoked.0, rotated.0], [404; 2], "{id}");
        answers.push([revoked, rotated]);
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(app.status_of(&app.url, &theirs.key).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_outlives_the_key_that_made_it() {
    let app = App::start_without_workers(Vec::new()).await;
    let fields = json!({"name": "for a while", "scopes": ["admin"], "expires_at": "2990-01-01T00:00:00Z"});
    let admin = app.make_key_with(fields).await;
    let make = async |end: Value| {
        let body = json!({"name": "a", "scopes": ["ingest"], "expires_at": end});
        app.admin_as(&admin.key, Method::POST, "/admin/keys", &body).await
    };
    for end in [Value::Null, json!("2990-01-01T00:00:01Z")] {
        let (status, answer) = make(end).await;
        assert_eq!((status, problems(&answer)), (422, vec![("expires_at", "too_late")]), "{answer}");
    }
    assert_eq!(make(json!("2990-01-01T00:00:00Z")).await.0, 201);
    let rotate = format!("/admin/keys/{}/rotate", admin.id);
    // Not even by rotating a key that does not expire.
    let endless = format!("/admin/keys/{}/rotate", app.make_key("default", &["admin"]).await.id);
    for (path, body) in [(&rotate, json!({"expires_at": null})), (&endless, json!({}))] {
        let (status, answer) = app.admin_as(&admin.key, Method::POST, path, &body).await;
        assert_eq!((status, problems(&answer)), (422, vec![("expires_at", "too_late")]), "{answer}");
    }
    let (status, answer) = app.admin_as(&admin.key, Method::POST, &rotate, &json!({})).await;
    assert_eq!((status, &answer["expires_at"]), (201, &json!("2990-01-01T00:00:00Z")), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_is_in_the_audit_log_once_with_who_made_it() {
    let app = App::start_without_workers(Vec::new()).await;
    app.make_project("shop", "UTC").await;
    let admin = app.make_key("shop", &["admin"]).await;
    let change = json!({"retention_days": 30});
    for _ in 0..2 {
        // The second changes nothing.
        let request = app.http.patch(format!("{}/admin/projects/shop", app.url)).header("X-API-Key", &admin.key);
        assert_eq!(request.header("X-Request-Id", "request-1").json(&change).send().await.unwrap().status(), 200);
    }
    let rotate = format!("/admin/keys/{}/rotate", admin.id);
    let (_, made) = app.admin(Method::POST, &rotate, &json!({"overlap_seconds": 60})).await;
    for _ in 0..2 {
        assert_eq!(app.call(Method::DELETE, &format!("/admin/keys/{}", admin.id)).await.0, 200);
    }
    let mut entries = Vec::new();
    let mut path = "/admin/audit-log?limit=2".to_owned();
    loop {
        let (status, page) = app.get(&path).await;
        assert_eq!(status, 200, "{page}");
        entries.extend(page["data"].as_array().unwrap().clone());
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/admin/audit-log?limit=2&cursor={cursor}"),
            None => break,
        }
    }
    let shown: Vec<_> =
        entries.iter().map(|entry| json!([entry["action"], entry["project"], entry["key_id"], entry["by_key_id"]])).collect();
    assert_eq!(
        shown,
        [
            json!(["revoke_key", "shop", admin.id, null]),
            json!(["rotate_key", "shop", admin.id, null]),
            json!(["create_key", "shop", made["key_id"], null]),
            json!(["change_project", "shop", null, admin.id]),
            json!(["create_key", "shop", admin.id, null]),
            json!(["create_project", "shop", null, null]),
        ]
    );
    let changed = &entries[3];
    assert_eq!([&changed["before"]["retention_days"], &changed["after"]["retention_days"]], [&Value::Null, &json!(30)]);
    assert_eq!(changed["request_id"], "request-1");
    let revoked = &entries[0];
    assert!(revoked["before"]["revoked_at"].is_null() && revoked["after"]["revoked_at"].is_string(), "{revoked}");
    assert!(changed["at"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_read_page_by_page() {
    let app = App::start_without_workers(Vec::new()).await;
    for name in ["c", "a", "b"] {
        app.make_project(name, "UTC").await;
        app.make_key("default", &["read"]).await;
    }
    for (path, field, expected) in [
        ("/admin/projects?limit=2", "name", vec![json!("a"), json!("b"), json!("c"), json!("default")]),
        ("/admin/keys?limit=2", "key_id", vec![json!(1), json!(2), json!(3)]),
    ] {
        let (_, first) = app.get(path).await;
        let cursor = first["next_cursor"].as_str().unwrap();
        let (_, second) = app.get(&format!("{path}&cursor={cursor}")).await;
        let pages = [&first, &second].into_iter().flat_map(|page| page["data"].as_array().unwrap());
        assert_eq!(pages.map(|entry| entry[field].clone()).collect::<Vec<_>>(), expected);
        assert_eq!(second["next_cursor"], Value::Null);
        // A cursor belongs to its list.
        let other = if path.contains("keys") { "projects" } else { "keys" };
        assert_eq!(app.get(&format!("/admin/{other}?limit=2&cursor={cursor}")).await.0, 400);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_together_keep_the_limits_of_projects_and_keys() {
    let app = App::start_without_workers(Vec::new()).await;
    let fill = "insert into projects (name) select 'p' || n from generate_series(1, 9994) n";
    sqlx::query(fill).execute(&app.pool).await.unwrap();
    let fill = "insert into api_keys (project_id, name, key_hash, scopes) \
                select 1, 'k', sha256(n::text::bytea), array['read'] from generate_series(1, 995) n";
    sqlx::query(fill).execute(&app.pool).await.unwrap();
    let (mut replica, other_url) = app.process("api");
    replica.start();
    app.wait_until_ready(&other_url).await;
    let make = async |path: &str, number: usize| {
        let url = if number.is_multiple_of(2) { &app.url } else { &other_url };
        let body = json!({"name": format!("new-{number}")});
        let body = if path.ends_with("keys") { json!({"name": "a", "scopes": ["read"]}) } else { body };
        let response = app.http.post(format!("{url}{path}")).header("X-API-Key", KEY).json(&body).send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json::<Value>().await.unwrap()["code"].clone())
    };
    for (path, code, count) in [
        ("/admin/projects", "too_many_projects", "select count(*) from projects"),
        ("/admin/keys", "too_many_keys", "select count(*) from api_keys"),
    ] {
        let answers = futures::future::join_all((0..12).map(|number| make(path, number))).await;
        let made = answers.iter().filter(|(status, _)| *status == 201).count();
        assert_eq!(made, 5, "{path}: {answers:?}");
        assert_eq!(answers.iter().filter(|(status, found)| *status == 409 && *found == code).count(), 7, "{answers:?}");
        let count: i64 = sqlx::query_scalar(count).fetch_one(&app.pool).await.unwrap();
        assert_eq!(count, if path.ends_with("keys") { 1_000 } else { 10_000 });
    }
    // A key that has ended makes room.
    sqlx::query("update api_keys set revoked_at = now() where id = 1").execute(&app.pool).await.unwrap();
    assert_eq!(make("/admin/keys", 0).await.0, 201);
}
