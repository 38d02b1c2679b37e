//! Limits of keys and projects: who sends too much is told so, and nobody else notices.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use futures::future::join_all;
use reqwest::header::HeaderMap;
use reqwest::{Client, Method, RequestBuilder, Response};
use rollcall_tests::{App, AppOptions, GraphQlSocket, KEY, event, wait_until};
use serde_json::{Value, json};
use sfv::{BareItem, List, ListEntry, Parser};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Requests that are sent at once. They take less than a second each, so far fewer are allowed meanwhile.
const MANY: usize = 100;

async fn start(variables: &[(&'static str, &str)]) -> App {
    let variables = variables.iter().map(|&(name, value)| (name, value.to_owned())).collect();
    App::start_with(AppOptions { workers: 1, variables, ..AppOptions::default() }).await
}

/// Adds a key with limits of its own.
async fn add_limited_key(app: &App, project: &str, key: &str, requests: Option<i32>, events: Option<i32>) {
    app.add_key(project, key, &["ingest", "read"]).await;
    let statement = "update api_keys set requests_per_second = $2, events_per_second = $3 where name = $1";
    sqlx::query(statement).bind(key).bind(requests).bind(events).execute(&app.pool).await.unwrap();
}

fn question(app: &App, key: &str) -> RequestBuilder {
    app.http.get(format!("{}/event-types", app.url)).header("X-API-Key", key)
}

fn batch(app: &App, key: &str, ids: impl IntoIterator<Item = usize>) -> RequestBuilder {
    let events: Vec<_> = ids.into_iter().map(|id| event(&id.to_string(), "u", "t", "2026-03-01T10:00:00Z")).collect();
    app.http.post(format!("{}/events", app.url)).header("X-API-Key", key).json(&events)
}

/// Sends many requests at once; returns those that were answered with 429, and how many there could be at least.
async fn many(request: impl Fn() -> RequestBuilder, per_second: usize) -> Vec<Response> {
    let started = Instant::now();
    let answers = join_all((0..MANY).map(|_| request().send())).await;
    let allowed = per_second * (started.elapsed().as_secs() as usize + 2);
    let refused: Vec<_> = answers.into_iter().map(Result::unwrap).filter(|answer| answer.status() == 429).collect();
    assert!(refused.len() + allowed >= MANY, "{} of {MANY} were refused", refused.len());
    refused
}

/// A field of structured items: their names, each with its parameters as text.
fn items(headers: &HeaderMap, field: &str) -> Vec<(String, Vec<(String, String)>)> {
    let list: List = Parser::new(headers[field].as_bytes()).parse().unwrap();
    let item = |entry: ListEntry| {
        let ListEntry::Item(item) = entry else { panic!("no item: {entry:?}") };
        let BareItem::String(name) = item.bare_item else { panic!("no string: {item:?}") };
        let parameters = item.params.into_iter().map(|(name, value)| {
            let value = match value {
                BareItem::Integer(number) => i64::from(number).to_string(),
                BareItem::String(text) => text.as_str().to_owned(),
                other => panic!("{other:?}"),
            };
            (name.as_str().to_owned(), value)
        });
        (name.as_str().to_owned(), parameters.collect())
    };
    list.into_iter().map(item).collect()
}

/// The state of one policy: what is left, and the seconds until it is whole again.
fn state(headers: &HeaderMap, policy: &str) -> (u64, u64) {
    let all = items(headers, "ratelimit");
    let (_, parameters) = all.iter().find(|(name, _)| name == policy).unwrap();
    let number = |wanted: &str| parameters.iter().find(|(name, _)| name == wanted).unwrap().1.parse().unwrap();
    (number("r"), number("t"))
}

fn policy(name: &str, parameters: &[(&str, &str)]) -> (String, Vec<(String, String)>) {
    (name.to_owned(), parameters.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_past_its_requests_is_told_which_limit_and_when_to_come_back() {
    let app = start(&[]).await;
    add_limited_key(&app, "default", "noisy", Some(2), None).await;
    let first = question(&app, "noisy").send().await.unwrap();
    assert_eq!(first.status(), 200);
    let q = [policy("key-requests", &[("q", "2"), ("w", "1")])];
    assert_eq!(items(first.headers(), "ratelimit-policy"), q);
    assert_eq!(state(first.headers(), "key-requests"), (1, 1));
    let refused = many(|| question(&app, "noisy"), 2).await.pop().unwrap();
    assert_eq!(items(refused.headers(), "ratelimit-policy"), q);
    assert_eq!((state(refused.headers(), "key-requests"), &refused.headers()["retry-after"]), ((0, 1), &"1".parse().unwrap()));
    assert_eq!(refused.headers()["content-type"], "application/problem+json");
    let message = "this key may send 2 requests a second; nothing was accepted, send the request again in 1 s";
    let problem = json!({"type": "urn:rollcall:problem:rate_limited", "title": "Too Many Requests", "status": 429,
                         "code": "rate_limited", "detail": message, "message": message, "limit": "key-requests",
                         "limit_per_second": 2});
    assert_eq!(refused.json::<Value>().await.unwrap(), problem);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_noisy_key_harms_neither_its_project_nor_another() {
    let app = start(&[]).await;
    add_limited_key(&app, "default", "noisy", Some(5), None).await;
    app.add_key("default", "neighbour", &["ingest", "read"]).await;
    app.add_key("other", "stranger", &["ingest", "read"]).await;
    let well_behaved = async |key: &'static str| {
        for id in 0..20 {
            assert_eq!(batch(&app, key, [id]).send().await.unwrap().status(), 202, "{key}");
            assert_eq!(question(&app, key).send().await.unwrap().status(), 200, "{key}");
        }
    };
    let noise = async { many(|| batch(&app, "noisy", [0]), 5).await };
    tokio::join!(well_behaved("neighbour"), well_behaved("stranger"), well_behaved(KEY), noise);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_larger_than_the_burst_is_accepted_once_and_then_owed() {
    let app = start(&[]).await;
    add_limited_key(&app, "default", "importer", None, Some(10)).await;
    let accepted = batch(&app, "importer", 0..40).send().await.unwrap();
    assert_eq!(accepted.status(), 202);
    assert_eq!(state(accepted.headers(), "key-events"), (0, 4));
    let events = policy("key-events", &[("q", "10"), ("qu", "events"), ("w", "1")]);
    assert!(items(accepted.headers(), "ratelimit-policy").contains(&events), "{:?}", accepted.headers());
    // A bucket in debt has nothing for the smallest batch.
    let refused = batch(&app, "importer", 40..42).send().await.unwrap();
    let wait: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=4).contains(&wait), "{wait}");
    assert_eq!(state(refused.headers(), "key-events"), (0, wait));
    let problem: Value = refused.json().await.unwrap();
    assert_eq!((&problem["code"], &problem["limit"]), (&json!("rate_limited"), &json!("key-events")));
    wait_until("the debt is paid", async || {
        (batch(&app, "importer", 40..42).send().await.unwrap().status() == 202).then_some(())
    })
    .await;
    app.wait_until_stored().await;
    assert_eq!(app.stored().await, 42);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_refused_batch_is_queued() {
    let app = start(&[]).await;
    add_limited_key(&app, "default", "importer", None, Some(100)).await;
    // All of them need 15 seconds.
    let batches = (0..10).map(|number| batch(&app, "importer", number * 150..(number + 1) * 150).send());
    let statuses: Vec<_> = join_all(batches).await.into_iter().map(|answer| answer.unwrap().status().as_u16()).collect();
    let accepted = statuses.iter().filter(|status| **status == 202).count();
    assert!((1..10).contains(&accepted), "{statuses:?}");
    assert!(statuses.iter().all(|status| [202, 429].contains(status)), "{statuses:?}");
    app.wait_until_stored().await;
    assert_eq!(app.stored().await, 150 * accepted as i64);
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_events_count_as_valid_ones_do() {
    let app = start(&[]).await;
    add_limited_key(&app, "default", "wrong", None, Some(1_000)).await;
    let invalid = json!(vec![json!({"event_type": ""}); 400]);
    let refused = app.http.post(format!("{}/events", app.url)).header("X-API-Key", "wrong").json(&invalid).send().await.unwrap();
    assert_eq!(refused.status(), 422);
    let (left, whole_in) = state(refused.headers(), "key-events");
    // The bucket fills by one in a millisecond.
    assert!((600..700).contains(&left) && whole_in == 1, "{left}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keys_of_a_project_share_its_limit_and_the_key_of_the_installation_does_too() {
    let app = start(&[("RATE_REQUESTS_PER_SECOND_PER_PROJECT", "4"), ("RATE_REQUESTS_PER_SECOND_PER_KEY", "0")]).await;
    app.add_key("default", "first", &["read"]).await;
    app.add_key("other", "other", &["read"]).await;
    let refused = many(|| question(&app, "first"), 4).await.pop().unwrap();
    assert_eq!(refused.json::<Value>().await.unwrap()["limit"], "project-requests");
    let refused = many(|| question(&app, KEY), 4).await.pop().unwrap();
    assert_eq!(refused.json::<Value>().await.unwrap()["limit"], "project-requests");
    let answer = question(&app, "other").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(items(answer.headers(), "ratelimit-policy"), [policy("project-requests", &[("q", "4"), ("w", "1")])]);
    let metrics = app.http.get(format!("{}/metrics", app.url)).send().await.unwrap().text().await.unwrap();
    let counted =
        metrics.lines().find_map(|line| line.strip_prefix(r#"rollcall_limited_requests_total{limit="project-requests"} "#));
    assert!(counted.unwrap().parse::<u64>().unwrap() > 0, "{counted:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_has_its_own_limit_in_place_of_the_setting() {
    let app = start(&[("RATE_EVENTS_PER_SECOND_PER_PROJECT", "50"), ("RATE_EVENTS_PER_SECOND_PER_KEY", "0")]).await;
    app.add_key("shop", "shop", &["ingest"]).await;
    app.add_key("other", "other", &["ingest"]).await;
    sqlx::query("update projects set events_per_second = 7 where name = 'shop'").execute(&app.pool).await.unwrap();
    for (key, quota) in [("shop", "7"), ("other", "50")] {
        let answer = batch(&app, key, [0]).send().await.unwrap();
        let events = policy("project-events", &[("q", quota), ("qu", "events"), ("w", "1")]);
        assert!(items(answer.headers(), "ratelimit-policy").contains(&events), "{:?}", answer.headers());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_divide_a_limit_among_them() {
    let app = start(&[("API_REPLICAS", "2")]).await;
    add_limited_key(&app, "default", "shared", Some(10), None).await;
    let (mut second, url) = app.process("api");
    second.start();
    app.wait_until_ready(&url).await;
    for url in [&app.url, &url] {
        let answer = app.http.get(format!("{url}/event-types")).header("X-API-Key", "shared").send().await.unwrap();
        assert_eq!(items(answer.headers(), "ratelimit-policy"), [policy("key-requests", &[("q", "5"), ("w", "1")])]);
        assert_eq!(state(answer.headers(), "key-requests").0, 4, "each has its own bucket");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_without_a_key_have_no_limit() {
    let app = start(&[("RATE_REQUESTS_PER_SECOND_PER_PROJECT", "1")]).await;
    for path in ["/health", "/health/ready", "/metrics", "/docs", "/openapi.json"] {
        let request = || app.http.get(format!("{}{path}", app.url)).header("X-API-Key", KEY).send();
        for answer in join_all((0..10).map(|_| request())).await {
            let answer = answer.unwrap();
            assert_eq!(answer.status(), 200, "{path}");
            assert!(!answer.headers().contains_key("ratelimit-policy"), "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_without_the_scope_pays_for_its_requests() {
    let app = start(&[]).await;
    app.add_key("default", "sender", &["ingest"]).await;
    sqlx::query("update api_keys set requests_per_second = 3").execute(&app.pool).await.unwrap();
    assert_eq!(question(&app, "sender").send().await.unwrap().status(), 403);
    many(|| question(&app, "sender"), 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_over_a_websocket_and_calls_of_tools_count_as_requests() {
    let app = start(&[]).await;
    add_limited_key(&app, "default", "asker", Some(2), None).await;
    let mut socket = GraphQlSocket::connect(&app.url, "asker").await;
    let refused = loop {
        socket.subscribe("q", "{ latestEvents { eventId } }").await;
        let message = socket.next().await;
        if message["type"] == "error" {
            break message;
        }
        assert_eq!((message["type"].as_str(), socket.next().await["type"].as_str()), (Some("next"), Some("complete")));
    };
    assert_eq!(refused["payload"][0]["extensions"]["code"], "rate_limited", "{refused}");
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "event_types", "arguments": {}}});
    let accept = "application/json, text/event-stream";
    let request = || app.http.post(format!("{}/mcp", app.url)).header("Accept", accept).header("X-API-Key", "asker").json(&call);
    many(request, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_invents_keys_must_wait_and_known_keys_and_other_addresses_do_not() {
    let app = start(&[("UNKNOWN_KEYS_PER_SECOND_PER_ADDRESS", "1")]).await;
    app.add_key("default", "known", &["read"]).await;
    app.add_key("default", "new", &["read"]).await;
    assert_eq!(question(&app, "known").send().await.unwrap().status(), 200);
    let other_address = Client::builder().local_address(IpAddr::from([127, 0, 0, 2])).build().unwrap();
    let refused = wait_until("invented keys are refused", async || {
        let answer = question(&app, &format!("invented-{}", uuid::Uuid::now_v7())).send().await.unwrap();
        assert!([401, 429].contains(&answer.status().as_u16()));
        (answer.status() == 429).then_some(answer)
    })
    .await;
    assert_eq!(refused.headers()["retry-after"], "1");
    assert_eq!(refused.json::<Value>().await.unwrap()["code"], "too_many_unknown_keys");
    assert_eq!(question(&app, "known").send().await.unwrap().status(), 200);
    let new = other_address.get(format!("{}/event-types", app.url)).header("X-API-Key", "new");
    assert_eq!(new.send().await.unwrap().status(), 200);
    wait_until("the address is trusted again", async || {
        (question(&app, "invented").send().await.unwrap().status() == 401).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_invents_keys_behind_a_trusted_proxy_makes_no_other_client_wait() {
    let app = start(&[("UNKNOWN_KEYS_PER_SECOND_PER_ADDRESS", "1"), ("TRUSTED_PROXIES", "127.0.0.1")]).await;
    app.add_key("default", "new", &["read"]).await;
    let status = async |client: &str, key: &str| {
        question(&app, key).header("X-Forwarded-For", client).send().await.unwrap().status().as_u16()
    };
    wait_until("invented keys are refused", async || {
        (status("192.0.2.1", &format!("invented-{}", uuid::Uuid::now_v7())).await == 429).then_some(())
    })
    .await;
    assert_eq!(status("192.0.2.2", "new").await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_invented_keys_delays_no_known_key() {
    let app = start(&[("UNKNOWN_KEYS_PER_SECOND_PER_ADDRESS", "1000000")]).await;
    app.add_key("other", "known", &["read"]).await;
    let flood = async {
        let mut number = 0;
        loop {
            let invented = (0..50).map(|_| {
                number += 1;
                question(&app, &format!("invented-{number}")).send()
            });
            join_all(invented).await.into_iter().for_each(|answer| assert_eq!(answer.unwrap().status(), 401));
        }
    };
    // Longer than a look-up is trusted, so that the key is looked up again meanwhile.
    let well_behaved = async {
        let (began, mut slowest) = (Instant::now(), Duration::ZERO);
        while began.elapsed() < Duration::from_secs(6) {
            let sent = Instant::now();
            assert_eq!(question(&app, "known").send().await.unwrap().status(), 200);
            slowest = slowest.max(sent.elapsed());
        }
        slowest
    };
    tokio::select! {
        slowest = well_behaved => println!("slowest request of the known key: {slowest:?}"),
        () = flood => unreachable!(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_has_only_so_many_requests_at_once() {
    let app = start(&[("REQUESTS_AT_ONCE_PER_PROJECT", "2")]).await;
    app.add_key("other", "other", &["read"]).await;
    let mut busy = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(app.url.trim_start_matches("http://")).await.unwrap();
        let head = format!(
            "POST /events HTTP/1.1\r\nhost: x\r\nX-API-Key: {KEY}\r\ncontent-length: 100\r\nexpect: 100-continue\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // The handler reads the body, so the request is in progress.
        stream.read_exact(&mut [0; 25]).await.unwrap();
        busy.push(stream);
    }
    let refused = question(&app, KEY).send().await.unwrap();
    assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"]), (429, &"1".parse().unwrap()));
    assert_eq!(refused.json::<Value>().await.unwrap()["code"], "too_many_requests_at_once");
    assert_eq!(question(&app, "other").send().await.unwrap().status(), 200);
    busy.pop();
    wait_until("there is a place", async || (question(&app, KEY).send().await.unwrap().status() == 200).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limits_that_administration_sets_hold() {
    let app = start(&[]).await;
    let body = json!({"name": "web", "scopes": ["read"], "limits": {"requests_per_second": 33}});
    let (status, made) = app.admin(Method::POST, "/admin/keys", &body).await;
    assert_eq!(status, 201, "{made}");
    let of_key = [policy("key-requests", &[("q", "33"), ("w", "1")])];
    let made_key = made["key"].as_str().unwrap();
    assert_eq!(items(question(&app, made_key).send().await.unwrap().headers(), "ratelimit-policy"), of_key);
    let body = json!({"limits": {"requests_per_second": 44}});
    let (status, changed) = app.admin(Method::PATCH, "/admin/projects/default", &body).await;
    assert_eq!(status, 200, "{changed}");
    let of_project = policy("project-requests", &[("q", "44"), ("w", "1")]);
    for (key, expected) in [(made_key, &[of_key[0].clone(), of_project.clone()][..]), (KEY, &[of_project])] {
        wait_until("the limit of the project holds", async || {
            let answer = question(&app, key).send().await.unwrap();
            let has_limits = answer.headers().contains_key("ratelimit-policy");
            (has_limits && items(answer.headers(), "ratelimit-policy") == expected).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_limit_holds_within_seconds() {
    let app = start(&[]).await;
    add_limited_key(&app, "default", "growing", Some(5), None).await;
    assert_eq!(question(&app, "growing").send().await.unwrap().status(), 200);
    sqlx::query("update api_keys set requests_per_second = 77").execute(&app.pool).await.unwrap();
    let grown = [policy("key-requests", &[("q", "77"), ("w", "1")])];
    wait_until("the new limit holds", async || {
        let answer = question(&app, "growing").send().await.unwrap();
        (items(answer.headers(), "ratelimit-policy") == grown).then_some(())
    })
    .await;
}
