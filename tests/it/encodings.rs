//! Content types and content encodings.

use std::io::Write;

use rollcall_tests::App;
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
    ];
    for (encoding, body) in bodies {
        let (status, answer) = app.post("/events", &[("Content-Encoding", encoding)], body).await;
        assert_eq!(status, 202, "{encoding}: {answer}");
    }
    app.drained().await;
    assert_eq!(app.stored().await, 5);
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
async fn what_cannot_be_decoded_is_refused() {
    let app = App::start().await;
    for (headers, body, status, code) in [
        (vec![("Content-Encoding", "gzip")], b"no gzip".to_vec(), 400, "invalid_body"),
        (vec![("Content-Encoding", "gzip")], gzip(BODY)[..20].to_vec(), 400, "invalid_body"),
        (vec![("Content-Encoding", "compress")], BODY.to_vec(), 415, "unsupported_media_type"),
        (vec![("Content-Type", "application/x-www-form-urlencoded")], BODY.to_vec(), 415, "unsupported_media_type"),
        (vec![], b"\xff\xfe{}".to_vec(), 400, "invalid_body"),
        (vec![], br#"{"event_type":"t","user_id":1"#.to_vec(), 400, "invalid_body"),
        (vec![], br#"{"event_type":"t","user_id":1}{}"#.to_vec(), 400, "invalid_body"),
        (vec![], b"17".to_vec(), 400, "invalid_body"),
    ] {
        let (got, answer): (u16, Value) = app.post("/events", &headers, body.clone()).await;
        assert_eq!((got, &answer["code"]), (status, &json!(code)), "{headers:?} {}", String::from_utf8_lossy(&body));
    }
}
