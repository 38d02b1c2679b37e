//! Clients that take large answers slowly.

use rollcall_tests::{App, KEY, event, wait_until};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// Large answers of one project that are held at once are fewer than this.
const SLOW_CLIENTS: usize = 16;

/// A client that asks for a large page and has read the beginning of the answer: the status line.
async fn slow_client(app: &App, key: &str) -> (TcpStream, String) {
    let socket = TcpSocket::new_v4().unwrap();
    // What the system buffers does not count.
    socket.set_recv_buffer_size(4096).unwrap();
    let address = app.url.trim_start_matches("http://");
    let mut client = socket.connect(address.parse().unwrap()).await.unwrap();
    let request = format!("GET /events?limit=1000 HTTP/1.1\r\nhost: {address}\r\nx-api-key: {key}\r\n\r\n");
    client.write_all(request.as_bytes()).await.unwrap();
    let mut head = [0; 12];
    client.read_exact(&mut head).await.unwrap();
    (client, String::from_utf8(head.to_vec()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_clients_of_one_project_do_not_fill_the_memory() {
    let app = App::start().await;
    app.add_key("default", "second-key", &["read"]).await;
    app.add_key("other", "other-key", &["ingest", "read"]).await;
    let batch = (0..80).map(|number| {
        let mut event = event(&number.to_string(), "ada", "t", "2025-10-01T10:00:00Z");
        event["properties"] = json!({"text": "x".repeat(60_000)});
        event
    });
    let batch = Value::from_iter(batch);
    app.send(&batch).await;
    app.send_with("other-key", &batch).await;
    app.wait_until_stored().await;
    let mut clients = Vec::new();
    let refused = loop {
        // The keys of a project share its room.
        let key = if clients.len() % 2 == 0 { KEY } else { "second-key" };
        let (client, status) = slow_client(&app, key).await;
        if status != "HTTP/1.1 200" {
            break status;
        }
        clients.push(client);
        assert!(clients.len() < SLOW_CLIENTS, "nothing is refused");
    };
    assert_eq!(refused, "HTTP/1.1 503");
    let (status, problem) = app.get("/events?limit=1000").await;
    assert_eq!((status, &problem["code"]), (503, &json!("overloaded")));
    // Small answers of the same project, and large ones of another, are sent.
    assert_eq!(app.get("/events?limit=1").await.0, 200);
    let request = app.http.get(format!("{}/events?limit=1000", app.url)).header("X-API-Key", "other-key");
    let page: Value = request.send().await.unwrap().json().await.unwrap();
    assert!(page["data"].as_array().unwrap().len() > 50 && page["next_cursor"].is_string());
    drop(clients);
    wait_until("there is room again", async || (app.get("/events?limit=1000").await.0 == 200).then_some(())).await;
}
