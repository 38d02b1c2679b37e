//! HTTP/2: a client that abuses its streams loses its connection, and harms nobody else.

use std::sync::Arc;

use h2::Reason;
use h2::client::SendRequest;
use rollcall_tests::{Authority, KEY, TlsApi, WAIT_TIMEOUT, wait_until};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::http::{Request, StatusCode};

/// A client that decides about every frame.
struct Client {
    requests: SendRequest<bytes::Bytes>,
    /// Ends with the connection.
    connection: JoinHandle<Result<(), h2::Error>>,
}

impl Client {
    async fn connect(api: &TlsApi, authority: &Authority) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, api.connect().await).await.unwrap();
        let (requests, connection) = h2::client::handshake(stream).await.unwrap();
        Self { requests, connection: tokio::spawn(connection) }
    }

    /// Sends a request without a body and returns the status of its answer.
    async fn get(&mut self, path: &str) -> Result<StatusCode, h2::Error> {
        let mut requests = self.requests.clone().ready().await?;
        let (answer, _) = requests.send_request(request(path), true)?;
        Ok(answer.await?.status())
    }

    /// How the connection ended.
    async fn end(self) -> Result<(), h2::Error> {
        // While there is a handle for requests, the client does not close the connection.
        let Self { requests, connection } = self;
        let ended = tokio::time::timeout(WAIT_TIMEOUT, connection).await.expect("the server ends the connection").unwrap();
        drop(requests);
        ended
    }
}

fn request(path: &str) -> Request<()> {
    Request::get(format!("https://127.0.0.1{path}")).header("x-api-key", KEY).body(()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_resets_what_it_asks_loses_its_connection() {
    let authority = Authority::new();
    let api = TlsApi::start(&authority, &[]).await;
    let client = Client::connect(&api, &authority).await;
    let requests = client.requests.clone();
    let mut sent = 0;
    // CVE-2023-44487: the client never has more streams than allowed, and lets the server begin each in vain.
    while sent < 100_000 {
        let Ok(mut ready) = requests.clone().ready().await else { break };
        let Ok((_, mut stream)) = ready.send_request(request("/stats/dau"), true) else { break };
        stream.send_reset(Reason::CANCEL);
        sent += 1;
        if sent % 20 == 0 {
            tokio::task::yield_now().await;
        }
    }
    assert!(sent < 100_000, "the server took every reset");
    drop(requests);
    // Its reason may be lost, because the server closes without reading what is still on the way.
    assert!(client.end().await.is_err());
    assert!(api.is_trusted(&authority).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_has_a_limit_of_streams_and_serves_more_requests_one_after_the_other() {
    let authority = Authority::new();
    let api = TlsApi::start(&authority, &[]).await;
    let mut client = Client::connect(&api, &authority).await;
    // The answer shows that the settings of the server have arrived.
    assert_eq!(client.get("/health").await.unwrap(), StatusCode::OK);
    assert_eq!(client.requests.current_max_send_streams(), 32);
    for _ in 0..100 {
        assert_eq!(client.get("/health").await.unwrap(), StatusCode::OK);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_is_too_large_is_refused() {
    let authority = Authority::new();
    let api = TlsApi::start(&authority, &[]).await;
    let mut client = Client::connect(&api, &authority).await;
    let mut flood = request("/health");
    for number in 0..100 {
        let (name, value) = (format!("x-flood-{number}"), "x".repeat(1_000));
        flood
            .headers_mut()
            .insert(name.parse::<tokio_tungstenite::tungstenite::http::HeaderName>().unwrap(), value.parse().unwrap());
    }
    let (answer, _) = client.requests.send_request(flood, true).unwrap();
    match answer.await {
        Ok(answer) => assert_eq!(answer.status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
        Err(error) => assert!(error.is_remote(), "{error}"),
    }
    assert!(api.is_trusted(&authority).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_without_requests_is_closed_and_one_with_a_stream_of_events_is_not() {
    let authority = Authority::new();
    let api = TlsApi::start(&authority, &[("API_HEADER_TIMEOUT_MS", "300"), ("LIVE_HEARTBEAT_MS", "200")]).await;
    let idle = Client::connect(&api, &authority).await;
    let live = Client::connect(&api, &authority).await;
    let (answer, _stream) = live.requests.clone().send_request(request("/live"), true).unwrap();
    let mut body = answer.await.unwrap().into_body();
    let _ = idle.end().await;
    // Heartbeats for several times as long as a connection may be idle.
    for _ in 0..8 {
        let heartbeat = tokio::time::timeout(WAIT_TIMEOUT, body.data()).await.unwrap().unwrap().unwrap();
        body.flow_control().release_capacity(heartbeat.len()).unwrap();
    }
    assert!(!live.connection.is_finished());
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_make_room_for_new_clients() {
    let authority = Authority::new();
    let api = TlsApi::start(&authority, &[("API_MAX_CONNECTIONS", "4")]).await;
    let mut clients = Vec::new();
    for _ in 0..12 {
        let mut client = Client::connect(&api, &authority).await;
        assert_eq!(client.get("/health").await.unwrap(), StatusCode::OK);
        clients.push(client);
    }
    wait_until("most are closed", async || {
        let open = clients.iter().filter(|client| !client.connection.is_finished()).count();
        (open <= 4).then_some(())
    })
    .await;
}
