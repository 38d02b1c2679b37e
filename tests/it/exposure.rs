//! Exposure: parts of the service can be protected or switched off.

use rollcall_tests::{App, KEY};

/// The statuses of `GET` without a key, with a key that may read, and with `API_KEY`.
async fn statuses(app: &App, path: &str) -> [u16; 3] {
    let mut statuses = [0; 3];
    for (status, key) in statuses.iter_mut().zip([None, Some("reader"), Some(KEY)]) {
        let mut request = app.http.get(format!("{}{path}", app.url));
        if let Some(key) = key {
            request = request.header("Authorization", format!("Bearer {key}"));
        }
        *status = request.send().await.unwrap().status().as_u16();
    }
    statuses
}

async fn start(variables: &[(&'static str, &str)]) -> App {
    let app = App::start_without_workers(variables.iter().map(|&(name, value)| (name, value.to_owned())).collect()).await;
    app.add_key("default", "reader", &["read"]).await;
    app
}

#[tokio::test(flavor = "multi_thread")]
async fn by_default_metrics_and_descriptions_are_public() {
    let app = start(&[]).await;
    for path in ["/metrics", "/docs", "/openapi.json", "/docs/docs.js", "/graphql"] {
        assert_eq!(statuses(&app, path).await, [200; 3], "{path}");
    }
    assert_eq!(statuses(&app, "/pipeline").await, [401, 200, 200]);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_keys_metrics_are_for_the_operator_and_descriptions_for_readers() {
    let app = start(&[("METRICS_ACCESS", "key"), ("METRICS_KEY", "scrape"), ("DOCS_ACCESS", "key")]).await;
    // Metrics are about all projects, so no key of a project shows them.
    assert_eq!(statuses(&app, "/metrics").await, [401, 401, 200]);
    for path in ["/docs", "/openapi.json", "/docs/swagger-ui/swagger-ui.css"] {
        assert_eq!(statuses(&app, path).await, [401, 200, 200], "{path}");
    }
    for (path, status) in [("/metrics", 200), ("/docs", 401), ("/stats/dau", 401)] {
        let request = app.http.get(format!("{}{path}", app.url)).header("Authorization", "Bearer scrape");
        assert_eq!(request.send().await.unwrap().status(), status, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_off_is_as_if_it_did_not_exist() {
    let parts = ["METRICS_ACCESS", "DOCS_ACCESS", "DASHBOARD_ACCESS", "GRAPHQL_ACCESS", "MCP_ACCESS", "PIPELINE_ACCESS"];
    let app = start(&parts.map(|name| (name, "off"))).await;
    let nothing = app.get("/nothing").await;
    for path in [
        "/metrics",
        "/docs",
        "/docs/",
        "/docs/docs.js",
        "/docs/swagger-ui/swagger-ui.css",
        "/openapi.json",
        "/ui",
        "/ui/",
        "/ui/overview",
        "/ui/session",
        "/graphql",
        "/graphql/page.js",
        "/pipeline",
        "/pipeline/events/e",
        "//metrics",
        "/%6detrics",
    ] {
        assert_eq!(statuses(&app, path).await, [404; 3], "{path}");
        assert_eq!(app.get(path).await, nothing, "{path}");
    }
    for path in ["/graphql", "/mcp"] {
        assert_eq!(app.post(path, &[], "{}").await, nothing, "{path}");
    }
    assert_eq!(statuses(&app, "/health").await, [200; 3]);
    assert_eq!(statuses(&app, "/stats/dau").await, [401, 200, 200]);
}
