//! GraphQL over WebSockets: the protocol `graphql-transport-ws`, and the subscription of live events.

use rollcall_tests::{App, GraphQlSocket, KEY, event};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_gets_the_events_that_it_asks_for_with_all_their_fields() {
    let app = App::start_without_workers(vec![]).await;
    let mut all = GraphQlSocket::connect(&app.url, KEY).await;
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
    let mut client = GraphQlSocket::connect(&app.url, KEY).await;
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
        let mut client = GraphQlSocket::open(&app.url).await;
        client.send(json!({"type": "connection_init", "payload": payload})).await;
        assert_eq!(client.closed().await, 4403);
    }
    let protocol = ("sec-websocket-protocol", "graphql-transport-ws");
    assert!(GraphQlSocket::open_with(&app.url, &[protocol, ("x-api-key", "nobody")]).await.is_err());
    assert!(GraphQlSocket::open_with(&app.url, &[("sec-websocket-protocol", "graphql-ws")]).await.is_err());
    let mut client = GraphQlSocket::open_with(&app.url, &[protocol, ("authorization", "Bearer other-key")]).await.unwrap();
    client.send(json!({"type": "connection_init"})).await;
    assert_eq!(client.next().await, json!({"type": "connection_ack"}));
    client.subscribe("1", "subscription { events { eventId eventType } }").await;
    client.wait_until_subscribed(&app, "other-key").await;
    let mut mine = GraphQlSocket::connect(&app.url, KEY).await;
    mine.subscribe("1", "subscription { events { eventId eventType } }").await;
    mine.wait_until_subscribed(&app, KEY).await;
    app.send_with("other-key", &json!([event("theirs", "u", "t", "2026-03-01T10:00:00Z")])).await;
    app.send_with(KEY, &json!([event("mine", "u", "t", "2026-03-01T10:00:00Z")])).await;
    assert_eq!(
        (mine.event().await["eventId"].as_str(), client.event().await["eventId"].as_str()),
        (Some("mine"), Some("theirs"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_breaks_the_protocol_is_told_by_the_code() {
    let app = App::start_without_workers(vec![]).await;
    let mut early = GraphQlSocket::open(&app.url).await;
    early.subscribe("1", "{ latestEvents { eventId } }").await;
    assert_eq!(early.closed().await, 4401);

    let mut twice = GraphQlSocket::connect(&app.url, KEY).await;
    twice.send(json!({"type": "connection_init", "payload": {"X-API-Key": KEY}})).await;
    assert_eq!(twice.closed().await, 4429);

    let mut duplicate = GraphQlSocket::connect(&app.url, KEY).await;
    duplicate.subscribe("1", "subscription { events { eventId } }").await;
    duplicate.subscribe("1", "subscription { events { eventId } }").await;
    assert_eq!(duplicate.closed().await, 4409);

    let mut many = GraphQlSocket::connect(&app.url, KEY).await;
    for number in 0..11 {
        many.subscribe(&number.to_string(), "subscription { events { eventId } }").await;
    }
    assert_eq!(many.closed().await, 4429);

    let mut invalid = GraphQlSocket::connect(&app.url, KEY).await;
    invalid.send(json!({"type": "start"})).await;
    assert_eq!(invalid.closed().await, 4400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_ends_with_its_key_and_with_the_process() {
    let app = App::start_without_workers(vec![]).await;
    app.add_key("default", "short", &["read"]).await;
    let client = GraphQlSocket::connect(&app.url, "short").await;
    sqlx::query("delete from api_keys where name = 'short'").execute(&app.pool).await.unwrap();
    assert_eq!(client.closed().await, 4403);

    let client = GraphQlSocket::connect(&app.url, KEY).await;
    drop(app);
    assert_eq!(client.closed().await, 1001);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_is_used_again_stands_for_the_new_operation() {
    let app = App::start_without_workers(vec![]).await;
    let mut client = GraphQlSocket::connect(&app.url, KEY).await;
    for _ in 0..100 {
        client.subscribe("1", "{ __typename }").await;
        client.send(json!({"id": "1", "type": "complete"})).await;
    }
    client.subscribe("1", "subscription { events { eventId } }").await;
    client.send(json!({"type": "ping"})).await;
    // What the queries were answered with while they were still wanted.
    while client.next().await != json!({"type": "pong"}) {}
    client.wait_until_subscribed(&app, KEY).await;
    app.send(&json!([event("e1", "u", "t", "2026-03-01T10:00:00Z")])).await;
    loop {
        let message = client.next().await;
        assert_eq!((&message["type"], &message["id"]), (&json!("next"), &json!("1")), "{message}");
        if message["payload"]["data"]["events"]["eventId"] == "e1" {
            break;
        }
    }
}
