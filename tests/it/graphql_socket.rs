//! GraphQL over WebSockets: the protocol `graphql-transport-ws`, and the subscription of live events.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use rollcall_tests::{App, KEY, event};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::Request;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// How long a message may take.
const DEADLINE: Duration = Duration::from_secs(20);
/// How long a test waits for an event before it sends another, and how often.
const PAUSE: Duration = Duration::from_millis(100);
const ATTEMPTS: usize = 200;

async fn send(app: &App, key: &str, body: &Value) {
    let request = app.http.post(format!("{}/events", app.url)).header("X-API-Key", key).json(body);
    assert_eq!(request.send().await.unwrap().status(), 202);
}

/// A client that writes the protocol by hand.
struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Client {
    fn request(app: &App, headers: &[(&'static str, &str)]) -> Request<()> {
        let mut request = format!("{}/graphql", app.url.replace("http", "ws")).into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        request
    }

    async fn open(app: &App) -> Self {
        let request = Self::request(app, &[("sec-websocket-protocol", "graphql-transport-ws")]);
        Self(connect_async(request).await.unwrap().0)
    }

    /// One whose key was accepted.
    async fn connect(app: &App, key: &str) -> Self {
        let mut client = Self::open(app).await;
        client.send(json!({"type": "connection_init", "payload": {"X-API-Key": key}})).await;
        assert_eq!(client.next().await, json!({"type": "connection_ack"}));
        client
    }

    async fn send(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    async fn subscribe(&mut self, id: &str, query: &str) {
        self.send(json!({"id": id, "type": "subscribe", "payload": {"query": query}})).await;
    }

    /// The next message that is no sign of life, if it comes in time.
    async fn message_within(&mut self, time: Duration) -> Option<Message> {
        let next = async {
            loop {
                match self.0.next().await.expect("the connection is open").unwrap() {
                    Message::Ping(_) | Message::Pong(_) => {}
                    message => return message,
                }
            }
        };
        tokio::time::timeout(time, next).await.ok()
    }

    async fn next_within(&mut self, time: Duration) -> Option<Value> {
        let message = self.message_within(time).await?;
        Some(serde_json::from_str(message.to_text().unwrap()).unwrap_or_else(|_| panic!("{message:?}")))
    }

    async fn next(&mut self) -> Value {
        self.next_within(DEADLINE).await.expect("a message in time")
    }

    /// The code with which the server closes.
    async fn closed(mut self) -> u16 {
        match self.message_within(DEADLINE).await.expect("a message in time") {
            Message::Close(Some(frame)) => frame.code.into(),
            message => panic!("{message:?}"),
        }
    }

    /// Waits until a subscription has begun: each begins in a task of its own. Events of the type `begin` are
    /// sent until one of them comes.
    async fn wait_until_subscribed(&mut self, app: &App, key: &str) {
        for number in 0..ATTEMPTS {
            send(app, key, &json!([event(&format!("begin-{key}-{number}"), "u", "begin", "2026-03-01T10:00:00Z")])).await;
            if self.next_within(PAUSE).await.is_some() {
                return;
            }
        }
        panic!("the subscription does not begin");
    }

    /// The next event that is not one of those.
    async fn event(&mut self) -> Value {
        loop {
            let mut message = self.next().await;
            if message["payload"]["data"]["events"]["eventType"] != "begin" {
                return message["payload"]["data"]["events"].take();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_gets_the_events_that_it_asks_for_with_all_their_fields() {
    let app = App::start_without_workers(vec![]).await;
    let mut all = Client::connect(&app, KEY).await;
    all.subscribe("1", "subscription { events { eventId eventType userId timestamp payload occurredAt properties anonymousId sessionId accountId missedBefore } }").await;
    all.wait_until_subscribed(&app, KEY).await;
    let body = r#"[{"event_id":"e1","event_type":"login","user_id":42,"session_id":"s","occurred_at":"2026-03-01T10:00:00.5Z","properties":{"n":12345678901234567890123.50}},{"event_id":"e2","event_type":"buy","user_id":"u"}]"#;
    assert_eq!(app.post("/events", &[], body).await.0, 202);
    let payload: Value = serde_json::from_str(r#"{"n":12345678901234567890123.50}"#).unwrap();
    let expected = json!({
        "eventId": "e1", "eventType": "login", "userId": "42", "timestamp": "2026-03-01T10:00:00.5Z", "payload": payload,
        "occurredAt": "2026-03-01T10:00:00.5Z", "properties": payload, "anonymousId": null, "sessionId": "s", "accountId": null,
        "missedBefore": 0,
    });
    assert_eq!(all.event().await, expected);
    assert_eq!(all.event().await["eventId"], "e2");

    // Another subscription on the same connection, with a filter, in place of the first.
    all.send(json!({"id": "1", "type": "complete"})).await;
    all.subscribe("2", "subscription { events(eventType: \"begin\") { eventId eventType } }").await;
    all.wait_until_subscribed(&app, KEY).await;
    app.send(&json!([event("l", "u", "login", "2026-03-01T10:00:00Z"), event("b", "u", "begin", "2026-03-01T10:00:00Z")])).await;
    loop {
        let message = all.next().await;
        assert_eq!(
            (&message["id"], &message["payload"]["data"]["events"]["eventType"]),
            (&json!("2"), &json!("begin")),
            "{message}"
        );
        if message["payload"]["data"]["events"]["eventId"] == "b" {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_and_errors_are_answered_over_a_connection_too() {
    let app = App::start().await;
    let mut client = Client::connect(&app, KEY).await;
    client.subscribe("q", "{ latestEvents { eventId } }").await;
    assert_eq!(client.next().await, json!({"type": "next", "id": "q", "payload": {"data": {"latestEvents": []}}}));
    assert_eq!(client.next().await, json!({"type": "complete", "id": "q"}));
    for (query, code) in
        [("{ nothing }", "invalid_query"), ("subscription { events { eventId } more: events { eventId } }", "query_too_complex")]
    {
        client.subscribe("e", query).await;
        let message = client.next().await;
        assert_eq!(
            (&message["type"], &message["payload"][0]["extensions"]["code"]),
            (&json!("error"), &json!(code)),
            "{message}"
        );
    }
    client.subscribe("p", "subscription { events(eventType: \"\") { eventId } }").await;
    let message = client.next().await;
    assert_eq!(message["payload"]["errors"][0]["extensions"]["code"], "invalid_parameters", "{message}");
    assert_eq!(client.next().await, json!({"type": "complete", "id": "p"}));
    client.send(json!({"type": "ping"})).await;
    assert_eq!(client.next().await, json!({"type": "pong"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_taken_from_the_first_message_or_the_headers_and_sees_its_project_only() {
    let app = App::start_without_workers(vec![]).await;
    app.add_key("other", "other-key", &["ingest", "read"]).await;
    app.add_key("default", "sender", &["ingest"]).await;
    for payload in [json!({"X-API-Key": "nobody"}), json!({"X-API-Key": "sender"}), json!({}), Value::Null] {
        let mut client = Client::open(&app).await;
        client.send(json!({"type": "connection_init", "payload": payload})).await;
        assert_eq!(client.closed().await, 4403);
    }
    let protocol = ("sec-websocket-protocol", "graphql-transport-ws");
    assert!(connect_async(Client::request(&app, &[protocol, ("x-api-key", "nobody")])).await.is_err());
    assert!(connect_async(Client::request(&app, &[("sec-websocket-protocol", "graphql-ws")])).await.is_err());
    let mut client =
        Client(connect_async(Client::request(&app, &[protocol, ("authorization", "Bearer other-key")])).await.unwrap().0);
    client.send(json!({"type": "connection_init"})).await;
    assert_eq!(client.next().await, json!({"type": "connection_ack"}));
    client.subscribe("1", "subscription { events { eventId eventType } }").await;
    client.wait_until_subscribed(&app, "other-key").await;
    let mut mine = Client::connect(&app, KEY).await;
    mine.subscribe("1", "subscription { events { eventId eventType } }").await;
    mine.wait_until_subscribed(&app, KEY).await;
    send(&app, "other-key", &json!([event("theirs", "u", "t", "2026-03-01T10:00:00Z")])).await;
    send(&app, KEY, &json!([event("mine", "u", "t", "2026-03-01T10:00:00Z")])).await;
    assert_eq!(
        (mine.event().await["eventId"].as_str(), client.event().await["eventId"].as_str()),
        (Some("mine"), Some("theirs"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_breaks_the_protocol_is_told_by_the_code() {
    let app = App::start_without_workers(vec![]).await;
    let mut early = Client::open(&app).await;
    early.subscribe("1", "{ latestEvents { eventId } }").await;
    assert_eq!(early.closed().await, 4401);

    let mut twice = Client::connect(&app, KEY).await;
    twice.send(json!({"type": "connection_init", "payload": {"X-API-Key": KEY}})).await;
    assert_eq!(twice.closed().await, 4429);

    let mut duplicate = Client::connect(&app, KEY).await;
    duplicate.subscribe("1", "subscription { events { eventId } }").await;
    duplicate.subscribe("1", "subscription { events { eventId } }").await;
    assert_eq!(duplicate.closed().await, 4409);

    let mut many = Client::connect(&app, KEY).await;
    for number in 0..11 {
        many.subscribe(&number.to_string(), "subscription { events { eventId } }").await;
    }
    assert_eq!(many.closed().await, 4429);

    let mut invalid = Client::connect(&app, KEY).await;
    invalid.send(json!({"type": "start"})).await;
    assert_eq!(invalid.closed().await, 4400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_ends_with_its_key_and_with_the_process() {
    let app = App::start_without_workers(vec![]).await;
    app.add_key("default", "short", &["read"]).await;
    let client = Client::connect(&app, "short").await;
    sqlx::query("delete from api_keys where name = 'short'").execute(&app.pool).await.unwrap();
    assert_eq!(client.closed().await, 4403);

    let client = Client::connect(&app, KEY).await;
    drop(app);
    assert_eq!(client.closed().await, 1001);
}
