//! TLS: the API encrypts by itself, changes its certificate while it runs, and is not held up by handshakes.

use std::path::Path;

use reqwest::{Client, Version};
use rollcall_tests::{Authority, KEY, TlsApi, event, wait_until};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn send(client: &Client, url: &str) -> (u16, Version) {
    let events = json!([event("one", "u", "t", "2026-03-01T10:00:00Z")]);
    let answer = client.post(format!("{url}/events")).header("X-API-Key", KEY).json(&events).send().await.unwrap();
    (answer.status().as_u16(), answer.version())
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_choose_http_1_or_2_and_are_told_to_keep_to_tls() {
    let authority = Authority::new();
    let api = TlsApi::start(&authority, &[]).await;
    let newest = authority.client().build().unwrap();
    assert_eq!(send(&newest, &api.url).await, (202, Version::HTTP_2));
    assert_eq!(send(&authority.client().http1_only().build().unwrap(), &api.url).await, (202, Version::HTTP_11));
    let answer = newest.get(format!("{}/health", api.url)).send().await.unwrap();
    assert_eq!(answer.headers()["strict-transport-security"], "max-age=31536000");
    let large = newest.get(format!("{}/docs/swagger-ui/swagger-ui-bundle.js", api.url)).send().await.unwrap();
    assert!(large.bytes().await.unwrap().len() > 1_000_000);
    // Nothing is answered without TLS, and to nobody who does not trust the certificate.
    assert!(newest.get(api.url.replace("https://", "http://")).send().await.is_err());
    assert!(!api.is_trusted(&Authority::new()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_is_used_without_a_restart_and_a_bad_one_is_not() {
    let (before, after) = (Authority::new(), Authority::new());
    let api = TlsApi::start(&before, &[]).await;
    let renewed = after.certificate();
    // One file after the other: until both belong together, the old pair serves.
    std::fs::write(&api.key, &renewed.key).unwrap();
    wait_until("the problem is logged", async || api.process.log().contains("the new certificate cannot be used").then_some(()))
        .await;
    assert!(api.is_trusted(&before).await);
    std::fs::write(&api.certificate, &renewed.pem).unwrap();
    wait_until("the new certificate serves", async || api.is_trusted(&after).await.then_some(())).await;
    assert!(!api.is_trusted(&before).await);
    std::fs::remove_file(&api.certificate).unwrap();
    wait_until("the loss is logged", async || {
        (api.process.log().matches("the new certificate cannot be used").count() == 2).then_some(())
    })
    .await;
    assert!(api.is_trusted(&after).await);
    assert!(!api.process.log().contains("PRIVATE KEY"));
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_never_finish_their_handshake_hold_up_nobody() {
    let authority = Authority::new();
    let api = TlsApi::start(&authority, &[("API_MAX_CONNECTIONS", "4")]).await;
    let mut silent = Vec::new();
    for number in 0..20 {
        let mut stream = api.connect().await;
        if number % 2 == 0 {
            // The beginning of a handshake that announces more bytes than ever come.
            stream.write_all(&[22, 3, 1, 2, 0, 1, 0]).await.unwrap();
        }
        silent.push(stream);
        assert!(api.is_trusted(&authority).await, "{number}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_takes_too_long_is_given_up() {
    let authority = Authority::new();
    let api = TlsApi::start(&authority, &[("API_HEADER_TIMEOUT_MS", "300")]).await;
    let mut silent = api.connect().await;
    let end = tokio::time::timeout(rollcall_tests::WAIT_TIMEOUT, silent.read_to_end(&mut Vec::new())).await;
    let _ = end.expect("the server closes the connection");
    let client = authority.client().build().unwrap();
    let metrics = client.get(format!("{}/metrics", api.url)).send().await.unwrap().text().await.unwrap();
    let failed = metrics.lines().find(|line| line.starts_with("rollcall_tls_handshakes_failed_total")).unwrap();
    assert_ne!(failed.rsplit(' ').next(), Some("0"), "{failed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_cannot_be_used_stops_the_start() {
    let authority = Authority::new();
    let api = TlsApi::start(&authority, &[]).await;
    let folder = api.folder.path();
    let (other, _) = authority.certificate().write(folder, "other");
    let path = |path: &Path| path.display().to_string();
    let missing = folder.join("missing").display().to_string();
    for (certificate, key, problem) in [
        (&*path(&other), &*path(&api.key), "the certificate and the key cannot be used together"),
        (&missing, &path(&api.key), "cannot be read"),
        (&path(&api.certificate), &path(&api.certificate), "is not a PEM file of the right kind"),
        (&path(&api.certificate), "", "API_TLS_CERT_FILE and API_TLS_KEY_FILE belong together"),
    ] {
        let files = [("API_TLS_CERT_FILE", certificate), ("API_TLS_KEY_FILE", key)];
        let (mut process, _) = api.app.process_with("api", &files);
        process.start();
        let mut tick = tokio::time::interval(std::time::Duration::from_millis(20));
        let ending = async {
            loop {
                tick.tick().await;
                if let Some(ended) = process.ended() {
                    return ended;
                }
            }
        };
        let ended = tokio::time::timeout(rollcall_tests::WAIT_TIMEOUT, ending).await.expect("the process ends");
        assert!(!ended.success() && process.log().contains(problem), "{}", process.log());
    }
}
