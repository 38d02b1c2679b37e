//! The attacks. Each returns in one line what its clients saw.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use bytes::Bytes;
use clap::ValueEnum;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::future::join_all;
use reqwest::{Body, Client};
use rollcall_tests::{Authority, KEY};
use strum::{Display, VariantArray};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{http2, over_limit};

/// A client that has no answer after this long has none.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);
/// Bytes of properties of one event in a large body: under the limit of 64 KiB.
const LARGE_EVENT_BYTES: usize = 57_000;

/// What is attacked, and how hard.
pub(crate) struct Target {
    pub(crate) url: String,
    pub(crate) http: Client,
    /// Whom clients of HTTP/2 trust.
    pub(crate) authority: Authority,
    /// A key of another project than that of the well-behaved client.
    pub(crate) other_key: String,
    /// A key of this other project with a low limit.
    pub(crate) limited_key: String,
    pub(crate) clients: usize,
    pub(crate) body_bytes: usize,
    pub(crate) hold: Duration,
}

/// One kind of attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Display, VariantArray)]
#[strum(serialize_all = "kebab-case")]
pub(crate) enum Attack {
    /// Nothing, for comparison.
    Calm,
    /// A key that sends far more than its limit.
    OverLimit,
    /// 7,000 arrays in each other.
    DeepArrays,
    /// A key of 12 MB before 6 million elements.
    LongKey,
    /// One event with 400,000 times that disagree.
    ManyTimes,
    /// A `traceparent` of 60 KB, as much as a head holds.
    Traceparent,
    /// 20,000 names of methods.
    Methods,
    /// 200 heads of 390 KB that do not end.
    LargeHeads,
    /// 300 heads that come byte by byte.
    SlowHeads,
    /// Two zstd bodies of a few KB that unfold to 64 MiB and stay open.
    OpenZstd,
    /// Two bodies that come byte by byte.
    Trickle,
    /// Many clients with a large body each.
    LargeBodies,
    /// Nothing, over HTTP/2.
    Http2Calm,
    /// Requests that are reset at once.
    Http2Resets,
    /// As many streams as the server allows, with bodies that do not come.
    Http2Streams,
    /// Heads that do not end: CONTINUATION frames.
    Http2Heads,
    /// SETTINGS frames, whose acknowledgements nobody reads.
    Http2Settings,
    /// PING frames, whose answers nobody reads.
    Http2Pings,
}

impl Attack {
    /// Whether the API must speak TLS, without which there is no HTTP/2.
    pub(crate) fn needs_tls(self) -> bool {
        matches!(
            self,
            Self::Http2Calm | Self::Http2Resets | Self::Http2Streams | Self::Http2Heads | Self::Http2Settings | Self::Http2Pings
        )
    }

    pub(crate) async fn run(self, target: &Target) -> String {
        match self {
            Self::Calm | Self::Http2Calm => {
                tokio::time::sleep(target.hold).await;
                format!("for {} s", target.hold.as_secs())
            }
            Self::OverLimit => over_limit::run(target).await,
            Self::Http2Resets => http2::resets(target).await,
            Self::Http2Streams => http2::streams(target).await,
            Self::Http2Heads => http2::heads(target).await,
            Self::Http2Settings => http2::settings(target).await,
            Self::Http2Pings => http2::pings(target).await,
            Self::DeepArrays => {
                let body = format!(
                    "{{\"event_type\":\"t\\u0041\",\"user_id\":1,\"properties\":{{\"a\":{}{}}}}}",
                    "[".repeat(7_000),
                    "]".repeat(7_000)
                );
                target.post(&[], body.into()).await
            }
            Self::LongKey => {
                let elements = vec!["0"; 6_000_000].join(",");
                let body = format!(
                    "{{\"event_type\":\"t\",\"user_id\":1,\"properties\":{{\"{}\":[{elements}]}}}}",
                    "k".repeat(12_000_000)
                );
                target.post(&[], body.into()).await
            }
            Self::ManyTimes => target.post(&[("Content-Encoding", "gzip")], many_times().into()).await,
            Self::Traceparent => {
                let parent = format!("00-{}", "a".repeat(60_000));
                target.post(&[("traceparent", &parent)], "{\"event_type\":\"t\",\"user_id\":1}".into()).await
            }
            Self::Methods => target.methods().await,
            Self::LargeHeads => target.hold(200, &format!("GET /health HTTP/1.1\r\nx: {}", "x".repeat(390_000)), None).await,
            Self::SlowHeads => target.hold(300, "GET /health HTTP/1.1\r\nx: ", Some("x")).await,
            Self::OpenZstd => target.open_zstd().await,
            Self::Trickle => {
                let head =
                    format!("POST /events HTTP/1.1\r\nhost: x\r\nX-API-Key: {KEY}\r\ncontent-length: {}\r\n\r\n", 60 << 20);
                target.hold(2, &head, Some(" ")).await
            }
            Self::LargeBodies => target.large_bodies().await,
        }
    }
}

impl Target {
    async fn post(&self, headers: &[(&str, &str)], body: Body) -> String {
        let mut request = self.http.post(format!("{}/events", self.url)).header("X-API-Key", KEY).timeout(ANSWER_TIMEOUT);
        request = request.header("Content-Type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        match request.body(body).send().await {
            Err(error) if error.is_timeout() => "no answer".to_owned(),
            Err(_) => "connection closed".to_owned(),
            Ok(answer) => {
                let status = answer.status();
                let bytes = answer.bytes().await.map_or(0, |bytes| bytes.len());
                format!("{} with {bytes} bytes", status.as_u16())
            }
        }
    }

    async fn connect(&self) -> Option<TcpStream> {
        TcpStream::connect(self.url.trim_start_matches("http://")).await.ok()
    }

    async fn methods(&self) -> String {
        let requests = (0..20_000).map(|n| {
            let method = reqwest::Method::from_bytes(format!("M{n}").as_bytes()).expect("a token");
            self.http.request(method, &self.url).send()
        });
        let mut requests: Vec<_> = requests.collect();
        while !requests.is_empty() {
            let some = requests.split_off(requests.len().saturating_sub(32));
            join_all(some).await;
        }
        let metrics = self.http.get(format!("{}/metrics", self.url)).send().await;
        match metrics {
            Ok(answer) => format!("/metrics has {} bytes", answer.bytes().await.map_or(0, |bytes| bytes.len())),
            Err(error) => format!("/metrics: {error}"),
        }
    }

    /// Opens connections and sends each the same bytes, and then `drip` ten times a second. Says how many
    /// the server left open for the whole time.
    async fn hold(&self, connections: usize, bytes: &str, drip: Option<&str>) -> String {
        let one = async || {
            let Some(mut stream) = self.connect().await else { return false };
            let held = async {
                let mut tick = tokio::time::interval(Duration::from_millis(100));
                stream.write_all(bytes.as_bytes()).await?;
                loop {
                    tick.tick().await;
                    match (drip, stream.try_read(&mut [0; 1024])) {
                        (_, Ok(0)) => return Ok(()),
                        (_, Err(error)) if error.kind() != std::io::ErrorKind::WouldBlock => return Err(error),
                        (Some(drip), _) => stream.write_all(drip.as_bytes()).await?,
                        (None, _) => {}
                    }
                }
            };
            let ended: Result<std::io::Result<()>, _> = tokio::time::timeout(self.hold, held).await;
            ended.is_err()
        };
        let open = join_all((0..connections).map(|_| one())).await.into_iter().filter(|open| *open).count();
        format!("{open} of {connections} connections were open for {} s", self.hold.as_secs())
    }

    async fn open_zstd(&self) -> String {
        let body = zstd::bulk::compress(&vec![b' '; 64 << 20], 3).expect("it compresses");
        let one = async || {
            let Some(mut stream) = self.connect().await else { return "no connection".to_owned() };
            let head = format!(
                "POST /events HTTP/1.1\r\nhost: x\r\nX-API-Key: {KEY}\r\ncontent-encoding: zstd\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n",
                body.len()
            );
            let mut answer = [0; 12];
            let sent = async {
                stream.write_all(head.as_bytes()).await?;
                stream.write_all(&body).await?;
                stream.write_all(b"\r\n").await?;
                stream.read_exact(&mut answer).await
            };
            match tokio::time::timeout(self.hold, sent).await {
                Err(_) => format!("open for {} s", self.hold.as_secs()),
                Ok(Err(_)) => "closed".to_owned(),
                Ok(Ok(_)) => String::from_utf8_lossy(&answer[9..]).into_owned(),
            }
        };
        tally(join_all((0..2).map(|_| one())).await)
    }

    async fn large_bodies(&self) -> String {
        let body = bytes_of_events(self.body_bytes);
        let bodies = join_all((0..self.clients).map(|_| {
            let request = self.http.post(format!("{}/events", self.url)).header("X-API-Key", KEY).timeout(ANSWER_TIMEOUT);
            let request = request.header("Content-Type", "application/x-ndjson").body(body.clone());
            async {
                match request.send().await {
                    Ok(answer) => answer.status().as_u16().to_string(),
                    Err(error) if error.is_timeout() => "no answer".to_owned(),
                    Err(_) => "closed".to_owned(),
                }
            }
        }));
        tally(bodies.await)
    }
}

/// One event with conflicting times, compressed.
fn many_times() -> Vec<u8> {
    let mut event = "{\"event_type\":\"t\",\"user_id\":1".to_owned();
    for n in 0..400_000 {
        let _ = write!(event, ",\"ts\":{}", n % 2);
    }
    event.push('}');
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(event.as_bytes()).expect("memory");
    encoder.finish().expect("memory")
}

/// One event a line, of nearly this many bytes in all.
fn bytes_of_events(bytes: usize) -> Bytes {
    let line =
        format!("{{\"event_type\":\"large\",\"user_id\":1,\"properties\":{{\"x\":\"{}\"}}}}\n", "x".repeat(LARGE_EVENT_BYTES));
    line.repeat(bytes / line.len()).into()
}

/// How often each outcome came.
pub(crate) fn tally(outcomes: Vec<String>) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for outcome in outcomes {
        *counts.entry(outcome).or_default() += 1;
    }
    counts.iter().map(|(outcome, count)| format!("{count} x {outcome}")).collect::<Vec<_>>().join(", ")
}
