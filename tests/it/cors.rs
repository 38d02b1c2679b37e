//! CORS: pages of the origins that the settings name may call the API, and no others.

use reqwest::header::HeaderMap;
use reqwest::{Method, Response};
use rollcall_tests::{App, KEY};
use serde_json::Value;

const ORIGIN: &str = "https://app.example.com";

async fn start(origins: &str) -> App {
    App::start_without_workers(vec![("CORS_ALLOWED_ORIGINS", origins.to_owned())]).await
}

/// What a browser asks before a page of this origin may send a request with a key.
async fn preflight(app: &App, path: &str, origin: &str, method: &str) -> Response {
    let request = app.http.request(Method::OPTIONS, format!("{}{path}", app.url)).header("Origin", origin);
    let request = request.header("Access-Control-Request-Method", method);
    request.header("Access-Control-Request-Headers", "x-api-key,content-type,idempotency-key").send().await.unwrap()
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).map(|value| value.to_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_an_allowed_origin_may_send_and_ask_with_its_key() {
    let app = start(&format!("http://localhost:3000, {ORIGIN}")).await;
    let answer = preflight(&app, "/events", ORIGIN, "POST").await;
    let (status, headers) = (answer.status(), answer.headers());
    assert_eq!(status, 200);
    assert_eq!(text(headers, "access-control-allow-origin"), Some(ORIGIN));
    assert_eq!(text(headers, "access-control-allow-methods"), Some("GET,POST"));
    let allowed = text(headers, "access-control-allow-headers").unwrap();
    assert!(["x-api-key", "content-type", "idempotency-key"].iter().all(|name| allowed.contains(name)), "{allowed}");
    assert_eq!(text(headers, "access-control-allow-credentials"), None);
    // A refusal can be read as well.
    for (key, status) in [(KEY, 200), ("wrong", 401)] {
        let request = app.http.get(format!("{}/stats/dau", app.url)).header("Origin", ORIGIN).header("X-API-Key", key);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status);
        let headers = answer.headers();
        assert_eq!(text(headers, "access-control-allow-origin"), Some(ORIGIN));
        let exposed = text(headers, "access-control-expose-headers").unwrap();
        assert!(["ratelimit", "retry-after", "x-request-id"].iter().all(|name| exposed.contains(name)), "{exposed}");
        assert!(headers.get_all("vary").iter().any(|vary| vary.to_str().unwrap().contains("origin")));
        assert_eq!(text(headers, "access-control-allow-credentials"), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_origins_and_paths_that_need_no_key_are_not_shared() {
    let app = start(ORIGIN).await;
    for origin in ["https://evil.example.com", "https://app.example.com.evil.com", "http://app.example.com", "null"] {
        let answer = preflight(&app, "/events", origin, "POST").await;
        assert_eq!(text(answer.headers(), "access-control-allow-origin"), None, "{origin}");
    }
    for (path, method) in [
        ("/metrics", Method::GET),
        ("/health/ready", Method::GET),
        ("/health", Method::GET),
        ("/docs", Method::GET),
        ("/openapi.json", Method::GET),
        ("/mcp", Method::POST),
        ("/admin/dead-letters", Method::GET),
    ] {
        let answer = preflight(&app, path, ORIGIN, method.as_str()).await;
        assert_eq!(text(answer.headers(), "access-control-allow-origin"), None, "{path}");
        let answer = app.http.request(method, format!("{}{path}", app.url)).header("Origin", ORIGIN).send().await.unwrap();
        assert_eq!(text(answer.headers(), "access-control-allow-origin"), None, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_path_with_the_scope_ingest_or_read_is_shared() {
    let app = start("*").await;
    let document: Value = app.http.get(format!("{}/openapi.json", app.url)).send().await.unwrap().json().await.unwrap();
    let mut shared = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let scopes = operation["security"][0]["api_key"].as_array().into_iter().flatten();
            let is_shared = scopes.map(|scope| scope.as_str().unwrap()).any(|scope| scope == "ingest" || scope == "read");
            let answer = preflight(&app, path, ORIGIN, &method.to_uppercase()).await;
            let allowed = text(answer.headers(), "access-control-allow-origin");
            // The page for GraphQL needs no key, but it is at the path of the queries.
            if path != "/graphql" {
                assert_eq!(allowed, is_shared.then_some("*"), "{method} {path}");
            }
            shared += usize::from(is_shared);
        }
    }
    assert!(shared > 10, "{shared}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_setting_no_page_of_another_origin_may_call() {
    let app = App::start_without_workers(Vec::new()).await;
    let answer = preflight(&app, "/events", ORIGIN, "POST").await;
    assert_eq!(answer.status(), 405);
    assert_eq!(text(answer.headers(), "access-control-allow-origin"), None);
}
