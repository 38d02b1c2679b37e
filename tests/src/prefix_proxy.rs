//! A proxy that serves a service under a prefix, as an operator may have it.

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

/// Neither a path of the service nor a single segment.
const PREFIX: &str = "/tools/rollcall";
/// Longest head of a request.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// A running proxy. It ends when it is dropped.
pub struct PrefixProxy {
    /// Address of the service through the proxy, with the prefix.
    pub url: String,
    _accepting: AbortOnDropHandle<()>,
}

impl PrefixProxy {
    /// Starts a proxy in front of a service. What is not below the prefix ends the connection.
    ///
    /// # Panics
    /// If it cannot listen.
    pub async fn start(service_url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}{PREFIX}", listener.local_addr().expect("an address"));
        let service = service_url.trim_start_matches("http://").to_owned();
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass_on(client, service.clone()));
            }
        });
        Self { url, _accepting: AbortOnDropHandle::new(accepting) }
    }
}

/// Passes one request on without the prefix. Each connection has only one, so that the rest can be copied as it is.
async fn pass_on(mut client: TcpStream, service: String) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > MAX_HEAD_BYTES {
            return None;
        }
        head.push(client.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let (line, fields) = head.split_once("\r\n")?;
    let (method, rest) = line.split_once(' ')?;
    let path = rest.strip_prefix(PREFIX)?;
    let fields: Vec<_> =
        fields.lines().filter(|field| !field.to_lowercase().starts_with("connection:") && !field.is_empty()).collect();
    let passed = format!("{method} {path}\r\n{}\r\nConnection: close\r\n\r\n", fields.join("\r\n"));
    let mut server = TcpStream::connect(service).await.ok()?;
    server.write_all(passed.as_bytes()).await.ok()?;
    copy_bidirectional(&mut client, &mut server).await.ok().map(drop)
}
