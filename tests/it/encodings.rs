//! Content types and content encodings.

use std::io::Write;

use rollcall_tests::{App, AppOptions};
use serde_json::{Value, json};

const BODY: &[u8] = br#"{"event_type":"t","user_id":1}"#;

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn deflate(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn brotli(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    brotli::BrotliCompress(&mut &*body, &mut out, &brotli::enc::BrotliEncoderParams::default()).unwrap();
    out
}

#[tokio::test(flavor = "multi_thread")]
async fn every_content_encoding_is_read() {
    let app = App::start().await;
    let bodies = [
        ("gzip", gzip(BODY)),
        ("deflate", deflate(BODY)),
        ("br", brotli(BODY)),
        ("zstd", zstd::encode_all(BODY, 3).unwrap()),
        ("identity", BODY.to_vec()),
        ("x-gzip", gzip(BODY)),
        ("GZip", gzip(BODY)),
        ("ZSTD", zstd::encode_all(BODY, 3).unwrap()),
    ];
    for (encoding, body) in bodies {
        let (status, answer) = app.post("/events", &[("Content-Encoding", encoding)], body).await;
        assert_eq!(status, 202, "{encoding}: {answer}");
    }
    app.wait_until_stored().await;
    assert_eq!(app.stored().await, 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_member_of_a_compressed_body_is_read() {
    let app = App::start().await;
    let lines: Vec<u8> = (0..1_000).flat_map(|n| format!("{{\"event_type\":\"t\",\"user_id\":{n}}}\n").into_bytes()).collect();
    let (first, second) = lines.split_at(lines.len() / 3);
    let zstd = |part| zstd::encode_all(part, 3).unwrap();
    for (encoding, body) in [("gzip", [gzip(first), gzip(second)].concat()), ("zstd", [zstd(first), zstd(second)].concat())] {
        let headers = [("Content-Encoding", encoding), ("Content-Type", "application/x-ndjson")];
        let (status, answer) = app.post("/events", &headers, body).await;
        assert_eq!((status, &answer["events_count"]), (202, &json!(1_000)), "{encoding}: {answer}");
    }
    app.wait_until_stored().await;
    assert_eq!(app.stored().await, 2_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn ndjson_is_one_event_a_line() {
    let app = App::start().await;
    let body = "\u{feff}{\"event_type\":\"t\",\"user_id\":1}\r\n\n{\"event_type\":\"t\",\"user_id\":2}";
    let (status, answer) = app.post("/events", &[("Content-Type", "application/x-ndjson; charset=utf-8")], body).await;
    assert_eq!((status, &answer["events_count"]), (202, &json!(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gzip_bomb_is_refused_at_the_limit() {
    let app = App::start().await;
    let bomb = gzip(&vec![b' '; (64 << 20) + 1]);
    assert!(bomb.len() < 100_000);
    let (status, answer) = app.post("/events", &[("Content-Encoding", "gzip")], bomb).await;
    assert_eq!((status, &answer["limit_bytes"]), (413, &json!(64 << 20)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zstd_frame_with_a_huge_window_is_refused() {
    let app = App::start_with(AppOptions { workers: 0, ..AppOptions::default() }).await;
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(27).unwrap();
    encoder.write_all(BODY).unwrap();
    let body = encoder.finish().unwrap();
    let (status, answer) = app.post("/events", &[("Content-Encoding", "zstd")], body).await;
    assert_eq!((status, &answer["code"]), (400, &json!("invalid_body")), "{answer}");
}

/// A brotli stream of one uncompressed block whose header asks for a window of 1 GiB, which only the
/// large-window extension knows and RFC 7932 does not.
fn brotli_with_a_huge_window(body: &[u8]) -> Vec<u8> {
    let window_log = 30;
    let length = u32::try_from(body.len()).unwrap() - 1;
    let is_uncompressed = 1;
    let header: u32 = window_log | length << 9 | is_uncompressed << 25;
    [&[0x11], &header.to_le_bytes()[..], body, &[0x03]].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_br_body_with_a_huge_window_is_refused() {
    let app = App::start_with(AppOptions { workers: 0, ..AppOptions::default() }).await;
    let (status, answer) = app.post("/events", &[("Content-Encoding", "br")], brotli_with_a_huge_window(BODY)).await;
    assert_eq!((status, &answer["code"]), (400, &json!("invalid_body")), "{answer}");
    assert!(answer["detail"].as_str().unwrap().contains("window"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_body_that_unfolds_to_little_is_not_read_for_ever() {
    let variables = vec![("MAX_BODY_BYTES", (1 << 20).to_string())];
    let app = App::start_with(AppOptions { workers: 0, variables, ..AppOptions::default() }).await;
    let body = [gzip(BODY), gzip(b"").repeat(200_000)].concat();
    let (status, answer) = app.post("/events", &[("Content-Encoding", "gzip")], body.clone()).await;
    assert_eq!((status, &answer["limit_bytes"]), (413, &json!(1 << 20)), "{answer}");
    let frames =
        futures::stream::iter(body.chunks(1 << 16).map(|part| Ok::<_, std::io::Error>(part.to_vec())).collect::<Vec<_>>());
    let (status, answer) = app.post("/events", &[("Content-Encoding", "gzip")], reqwest::Body::wrap_stream(frames)).await;
    assert_eq!((status, &answer["limit_bytes"]), (413, &json!(1 << 20)), "of unknown length: {answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_the_end_of_a_compressed_body_is_refused() {
    let app = App::start_with(AppOptions { workers: 0, ..AppOptions::default() }).await;
    for (encoding, body) in
        [("gzip", gzip(BODY)), ("deflate", deflate(BODY)), ("br", brotli(BODY)), ("zstd", zstd::encode_all(BODY, 3).unwrap())]
    {
        for left_over in [&b"x"[..], b"\0\0\0\0", BODY] {
            let body = [&body, left_over].concat();
            let (status, answer) = app.post("/events", &[("Content-Encoding", encoding)], body).await;
            assert_eq!((status, &answer["code"]), (400, &json!("invalid_body")), "{encoding} {left_over:?}: {answer}");
        }
        let (status, _) = app.post("/events", &[("Content-Encoding", encoding)], body[..body.len() - 1].to_vec()).await;
        assert_eq!(status, 400, "{encoding} without its last byte");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_decoded_is_refused() {
    let app = App::start().await;
    for (headers, body, status, code) in [
        (vec![("Content-Encoding", "gzip")], b"no gzip".to_vec(), 400, "invalid_body"),
        (vec![("Content-Encoding", "gzip")], gzip(BODY)[..20].to_vec(), 400, "invalid_body"),
        (vec![("Content-Encoding", "gzip, zstd")], BODY.to_vec(), 415, "unsupported_media_type"),
        (vec![("Content-Encoding", "compress")], BODY.to_vec(), 415, "unsupported_media_type"),
        (vec![("Content-Type", "application/x-www-form-urlencoded")], BODY.to_vec(), 415, "unsupported_media_type"),
        (vec![], b"\xff\xfe{}".to_vec(), 400, "invalid_body"),
        (vec![], br#"{"event_type":"t","user_id":1"#.to_vec(), 400, "invalid_body"),
        (vec![], br#"{"event_type":"t","user_id":1}{}"#.to_vec(), 400, "invalid_body"),
        (vec![], b"17".to_vec(), 422, "invalid_events"),
    ] {
        let (got, answer): (u16, Value) = app.post("/events", &headers, body.clone()).await;
        assert_eq!((got, &answer["code"]), (status, &json!(code)), "{headers:?} {}", String::from_utf8_lossy(&body));
    }
}
