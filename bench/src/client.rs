//! The HTTP client: one persistent connection, on which it sends prepared requests.
//!
//! The client runs on the machine that it measures, so it does as little work as possible: it builds no
//! headers and reads only the length. It works only with servers that send a `Content-Length`.

use std::net::SocketAddr;

use anyhow::{Context, bail, ensure};
use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The API key of every service in the benchmark.
pub(crate) const KEY: &str = "bench-key";

/// A connection to a server.
pub(crate) struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

/// The status and the body of a response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("{address} takes no connection"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::with_capacity(4096) })
    }

    /// Sends a request and reads the whole response.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> anyhow::Result<Answer> {
        self.stream.write_all(request).await?;
        self.received.clear();
        let head = loop {
            if let Some(end) = memmem::find(&self.received, b"\r\n\r\n") {
                break end + 4;
            }
            self.read_more().await?;
        };
        let (status, length) = read_head(&self.received[..head])?;
        while self.received.len() < head + length {
            self.read_more().await?;
        }
        Ok(Answer { status, body: self.received[head..].to_vec() })
    }

    /// Like [`Connection::exchange`], and fails if the response has another status.
    pub(crate) async fn expect(&mut self, status: u16, request: &[u8]) -> anyhow::Result<Vec<u8>> {
        let answer = self.exchange(request).await?;
        ensure!(answer.status == status, "status {}: {}", answer.status, String::from_utf8_lossy(&answer.body));
        Ok(answer.body)
    }

    async fn read_more(&mut self) -> anyhow::Result<()> {
        ensure!(self.stream.read_buf(&mut self.received).await? > 0, "the server closed the connection");
        Ok(())
    }
}

/// A `GET` request.
pub(crate) fn get(path_and_query: &str) -> Vec<u8> {
    format!("GET {path_and_query} HTTP/1.1\r\nHost: bench\r\nX-API-Key: {KEY}\r\n\r\n").into_bytes()
}

/// A `POST` request with a JSON body.
pub(crate) fn post(path: &str, body: &[u8]) -> Vec<u8> {
    post_as(KEY, path, body)
}

/// The same with another key.
pub(crate) fn post_as(key: &str, path: &str, body: &[u8]) -> Vec<u8> {
    request(key, "Content-Type: application/json", path, body)
}

/// A `POST` request with these headers instead of the type of JSON.
pub(crate) fn post_with(headers: &str, path: &str, body: &[u8]) -> Vec<u8> {
    request(KEY, headers, path, body)
}

fn request(key: &str, headers: &str, path: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let mut request =
        format!("POST {path} HTTP/1.1\r\nHost: bench\r\nX-API-Key: {key}\r\n{headers}\r\nContent-Length: {length}\r\n\r\n")
            .into_bytes();
    request.extend_from_slice(body);
    request
}

/// Parses the status and the length of the body.
fn read_head(head: &[u8]) -> anyhow::Result<(u16, usize)> {
    let head = std::str::from_utf8(head).context("the head of the answer is not text")?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("the answer has no status")?;
    for line in head.lines() {
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            return Ok((status, value.trim().parse().context("the length of the answer is no number")?));
        }
    }
    bail!("the answer has no Content-Length: {head}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_is_read_whatever_its_case() {
        for name in ["Content-Length", "content-length"] {
            let head = format!("HTTP/1.1 202 Accepted\r\n{name}: 17\r\n\r\n");
            assert_eq!(read_head(head.as_bytes()).unwrap(), (202, 17));
        }
    }
}
