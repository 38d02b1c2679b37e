//! The description of the API: it is complete, it is true, and its examples work.

use std::collections::BTreeSet;
use std::path::Path;

use reqwest::{Method, RequestBuilder, Response};
use rollcall_tests::{App, KEY, Poison, event};
use serde_json::{Value, json};

/// One operation of the description.
struct Operation<'d> {
    method: Method,
    path: &'d str,
    description: &'d Value,
}

impl<'d> Operation<'d> {
    fn all(document: &'d Value) -> Vec<Self> {
        let paths = document["paths"].as_object().unwrap();
        let operations = paths.iter().flat_map(|(path, item)| {
            item.as_object().unwrap().iter().map(move |(method, description)| {
                let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
                Self { method, path, description }
            })
        });
        operations.collect()
    }

    fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    fn parameters(&self, place: &str) -> impl Iterator<Item = (&'d str, &'d Value)> {
        let parameters = self.description["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        let found = parameters.iter().filter(move |parameter| parameter["in"] == place);
        found.map(|parameter| (parameter["name"].as_str().unwrap(), parameter)).collect::<Vec<_>>().into_iter()
    }

    /// The path with the examples of its parameters.
    fn example_path(&self) -> String {
        self.parameters("path").fold(self.path.to_owned(), |path, (name, parameter)| {
            let example = parameter.get("example").map(text);
            let example =
                example.unwrap_or_else(|| panic!("{}: {name} has no example; see api/src/openapi/example.rs", self.name()));
            path.replace(&format!("{{{name}}}"), &example)
        })
    }

    /// A request with a key and the examples of all parameters that have one.
    fn example(&self, app: &App) -> RequestBuilder {
        let query: Vec<_> = self
            .parameters("query")
            .filter(|(name, parameter)| {
                let is_missing = parameter["required"] == true && parameter.get("example").is_none();
                assert!(!is_missing, "{}: {name} has no example; see api/src/openapi/example.rs", self.name());
                parameter.get("example").is_some()
            })
            .flat_map(|(name, parameter)| match &parameter["example"] {
                Value::Array(values) => values.iter().map(|value| (name, text(value))).collect(),
                value => vec![(name, text(value))],
            })
            .collect();
        let request = app.http.request(self.method.clone(), format!("{}{}", app.url, self.example_path()));
        request.query(&query).header("X-API-Key", KEY)
    }

    /// Fails unless the description has this answer, with this schema.
    async fn check(&self, document: &Value, response: Response) -> Value {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let content_type = headers["content-type"].to_str().unwrap().split(';').next().unwrap().to_owned();
        let described = resolved(document, &self.description["responses"][status.to_string()]);
        let content = &described["content"][&content_type];
        assert!(content.is_object(), "{}: {status} {content_type} is not described", self.name());
        // A stream of events does not end.
        if !content_type.ends_with("json") {
            return Value::Null;
        }
        let answer: Value = response.json().await.unwrap();
        let mut schema = content["schema"].clone();
        schema["components"] = document["components"].clone();
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        let errors: Vec<_> = validator.iter_errors(&answer).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{}: {answer} is not as described: {errors:?}", self.name());
        if let Some(example) = content.get("example").filter(|_| status == 200) {
            assert_eq!(answer, *example, "{}", self.name());
        }
        answer
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn resolved<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
    value["$ref"].as_str().map_or(value, |reference| document.pointer(reference.trim_start_matches('#')).unwrap())
}

async fn document(app: &App) -> Value {
    app.http.get(format!("{}/openapi.json", app.url)).send().await.unwrap().json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_committed_description_is_the_one_that_is_served() {
    let app = App::start().await;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
    let committed: Value = serde_json::from_slice(&std::fs::read(path).unwrap_or_default()).unwrap_or_default();
    let is_served = committed == document(&app).await;
    assert!(is_served, "docs/openapi.json is not what the service serves: run `make openapi`");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_is_answered_as_described() {
    let app = App::start().await;
    let document = document(&app).await;
    let operations = Operation::all(&document);
    let send = operations.iter().find(|operation| operation.path == "/events" && operation.method == Method::POST).unwrap();
    let mut examples = 0;
    for (content_type, content) in send.description["requestBody"]["content"].as_object().unwrap() {
        let named = content["examples"].as_object().into_iter().flat_map(|examples| examples.values());
        for body in named.map(|example| &example["value"]).chain(content.get("example")) {
            let request = send.example(&app).header("Content-Type", content_type).body(text(body));
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), 202, "{body}");
            send.check(&document, response).await;
            examples += 1;
        }
    }
    assert_eq!(examples, 6);
    // Projects, keys and schemas, in the order in which one needs the other. The key that is made is number 1.
    for (name, expected) in [
        ("create_project", 201),
        ("change_project", 200),
        ("create_key", 201),
        ("rotate_key", 201),
        ("set_schema", 200),
        ("graphql", 200),
    ] {
        let operation = operations.iter().find(|operation| operation.description["operationId"] == name).unwrap();
        let body = &operation.description["requestBody"]["content"]["application/json"]["example"];
        let response = operation.example(&app).json(body).send().await.unwrap();
        assert_eq!(response.status(), expected, "{name}");
        operation.check(&document, response).await;
    }
    let is_tried = |operation: &&Operation| operation.description.get("requestBody").is_some();
    assert_eq!(operations.iter().filter(is_tried).count(), 7, "an operation with a body is not tried");
    Poison::lay(&app.pool).await;
    app.send(&Poison::in_event(event("bad", "ada", "login", "2025-12-01T10:00:00Z"))).await;
    app.wait_until_stored().await;
    let mut without_body: Vec<_> = operations.iter().filter(|operation| !is_tried(operation)).collect();
    // What is removed cannot be shown afterwards.
    without_body.sort_by_key(|operation| operation.method == Method::DELETE);
    for operation in without_body {
        let response = operation.example(&app).send().await.unwrap();
        assert_eq!(response.status(), 200, "{}", operation.name());
        operation.check(&document, response).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_as_described() {
    let app = App::start().await;
    let document = document(&app).await;
    for operation in Operation::all(&document).iter().filter(|operation| operation.description.get("security").is_some()) {
        let without_key = app.http.request(operation.method.clone(), format!("{}{}", app.url, operation.example_path()));
        let response = without_key.send().await.unwrap();
        assert_eq!(response.status(), 401, "{}", operation.name());
        operation.check(&document, response).await;
        let response = operation.example(&app).query(&[("no_such", "1")]).send().await.unwrap();
        assert_eq!(response.status(), 400, "{}", operation.name());
        let answer = operation.check(&document, response).await;
        assert_eq!(answer["errors"][0]["code"], "unknown", "{answer}");
    }
    let events = json!([{"event_type": "", "user_id": "u"}]).to_string();
    let request = app.http.post(format!("{}/events", app.url)).header("X-API-Key", KEY).body(events);
    let operations = Operation::all(&document);
    let send = operations.iter().find(|operation| operation.path == "/events" && operation.method == Method::POST).unwrap();
    let answer = send.check(&document, request.send().await.unwrap()).await;
    assert_eq!(answer["errors"][0]["index"], 0, "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_takes_the_methods_that_are_described_and_no_other() {
    let app = App::start().await;
    let document = document(&app).await;
    let operations = Operation::all(&document);
    for operation in &operations {
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let is_described = operations.iter().any(|other| other.path == operation.path && other.method == method);
            // Without a key, nothing is done.
            let url = format!("{}{}", app.url, operation.example_path());
            let status = app.http.request(method.clone(), url).send().await.unwrap().status().as_u16();
            assert_ne!(status, 404, "{method} {}", operation.path);
            assert_eq!(status == 405, !is_described, "{method} {}", operation.path);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_described_parameter_is_taken() {
    let app = App::start().await;
    let document = document(&app).await;
    for operation in Operation::all(&document) {
        for (name, _) in operation.parameters("query") {
            let url = format!("{}{}", app.url, operation.example_path());
            // A value that few parameters have: what is asked is whether the name is known.
            let request = app.http.request(operation.method.clone(), url).query(&[(name, "?"), ("no_such", "1")]);
            let response = request.header("X-API-Key", KEY).send().await.unwrap();
            assert_eq!(response.status(), 400, "{} {name}", operation.name());
            let answer: Value = response.json().await.unwrap();
            let unknown: Vec<_> =
                answer["errors"].as_array().unwrap().iter().filter(|error| error["code"] == "unknown").collect();
            assert_eq!(unknown.len(), 1, "{} {name}: {answer}", operation.name());
            assert_eq!(unknown[0]["field"], "no_such", "{} {name}", operation.name());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_takes_and_requires_what_its_endpoint_does() {
    let app = App::start().await;
    let document = document(&app).await;
    let operations = Operation::all(&document);
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).to_string();
    let (_, list) = app.post("/mcp", &[("Accept", "application/json, text/event-stream")], message).await;
    for tool in list["result"]["tools"].as_array().unwrap() {
        let operation = operations.iter().find(|operation| operation.description["operationId"] == tool["name"]).unwrap();
        // An answer of a tool is never CSV.
        let parameters =
            || operation.parameters("path").chain(operation.parameters("query")).filter(|(name, _)| *name != "format");
        let required = parameters().filter(|(_, parameter)| parameter["required"] == true).map(|(name, _)| name);
        let input = &tool["inputSchema"];
        let requires = input["required"].as_array().unwrap().iter().map(|name| name.as_str().unwrap());
        let takes = input["properties"].as_object().unwrap().keys().map(String::as_str);
        assert_eq!(requires.collect::<BTreeSet<_>>(), required.collect(), "{}", operation.name());
        assert_eq!(takes.collect::<BTreeSet<_>>(), parameters().map(|(name, _)| name).collect(), "{}", operation.name());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_needs_no_other_server() {
    // With a dashboard, / leads to it.
    let app = App::start_without_workers(vec![("DASHBOARD_ACCESS", "off".to_owned())]).await;
    let get = async |path: &str| app.http.get(format!("{}{path}", app.url)).header("Accept", "text/html").send().await.unwrap();
    for page in ["/", "/docs"] {
        let response = get(page).await;
        let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.starts_with("default-src 'self';") && !policy.contains("http"), "{policy}");
        let html = response.text().await.unwrap();
        let links = html.split(['"', '\'']).filter(|part| part.starts_with("http") || part.starts_with('/'));
        for link in links {
            assert!(link.starts_with('/'), "{page} refers to {link}");
            assert_eq!(get(link).await.status(), 200, "{page} refers to {link}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_are_told_where_to_go() {
    let app = App::start().await;
    let version = env!("CARGO_PKG_VERSION");
    let paths = json!({
        "name": "rollcall", "version": version, "dashboard": "/ui/", "docs": "/docs", "openapi": "/openapi.json", "health": "/health"
    });
    assert_eq!(app.get("/").await, (200, paths));
}
