//! The files of the dashboard, as browsers get them.

use std::path::Path;

use reqwest::{Response, StatusCode};
use rollcall_tests::App;

/// All that is sent together, compressed by gzip. A phone on a slow network loads it in a few seconds, once.
const BUDGET_BYTES: usize = 150_000;

async fn get(app: &App, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = app.http.get(format!("{}{path}", app.url));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

/// The folder of this version, from the page.
async fn folder(app: &App) -> String {
    let page = get(app, "/ui/", &[]).await.text().await.unwrap();
    let hash = page.split("src=\"a/").nth(1).unwrap().split('/').next().unwrap().to_owned();
    format!("/ui/a/{hash}")
}

/// The files of the folder `web/assets` that browsers may load, by their paths in it.
fn files(folder: &Path, prefix: &str, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        if entry.path().is_dir() {
            files(&entry.path(), &format!("{path}/"), found);
        } else if !path.ends_with(".d.ts") && !path.ends_with("VERSIONS") && path != "index.html" {
            found.push(path);
        }
    }
}

fn assets() -> Vec<String> {
    let mut found = Vec::new();
    files(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../web/assets")), "", &mut found);
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_are_led_to_the_dashboard_by_relative_addresses() {
    let app = App::start_without_workers(Vec::new()).await;
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    for (path, status) in [("/", StatusCode::SEE_OTHER), ("/ui", StatusCode::PERMANENT_REDIRECT)] {
        let response = http.get(format!("{}{path}", app.url)).header("Accept", "text/html,*/*").send().await.unwrap();
        assert_eq!((response.status(), &response.headers()["location"]), (status, &"ui/".parse().unwrap()), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_the_same_document_and_is_asked_for_again() {
    let app = App::start_without_workers(Vec::new()).await;
    let page = get(&app, "/ui/", &[]).await;
    let tag = page.headers()["etag"].to_str().unwrap().to_owned();
    let text = page.text().await.unwrap();
    for path in ["/ui/overview", "/ui/retention?window_type=month", "/ui/no-such-page"] {
        let other = get(&app, path, &[]).await;
        assert_eq!((other.status(), &other.headers()["cache-control"]), (StatusCode::OK, &"no-cache".parse().unwrap()), "{path}");
        assert_eq!(other.text().await.unwrap(), text, "{path}");
        let again = get(&app, path, &[("If-None-Match", &tag)]).await;
        assert_eq!((again.status(), again.text().await.unwrap()), (StatusCode::NOT_MODIFIED, String::new()), "{path}");
    }
    let links: Vec<_> = text.split("href=\"").chain(text.split("src=\"")).skip(1).collect();
    assert!(!links.is_empty() && links.iter().all(|link| !link.starts_with('/') && !link.starts_with("http")), "{links:?}");
    for deeper in ["/ui/users/42", "/ui/a", "/ui/a/", "/ui/a/app.js"] {
        let status = get(&app, deeper, &[]).await.status();
        assert!(status == StatusCode::NOT_FOUND || deeper == "/ui/a", "{deeper}: {status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_may_be_kept_for_ever_and_those_of_another_version_do_not_exist() {
    let app = App::start_without_workers(Vec::new()).await;
    let folder = folder(&app).await;
    for (path, media_type) in [
        ("app.js", "text/javascript; charset=utf-8"),
        ("style.css", "text/css; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
        ("vendor/LICENSES", "text/plain; charset=utf-8"),
    ] {
        let file = get(&app, &format!("{folder}/{path}"), &[]).await;
        assert_eq!(file.status(), StatusCode::OK, "{path}");
        for (name, value) in [
            ("content-type", media_type),
            ("cache-control", "public, max-age=31536000, immutable"),
            ("vary", "accept-encoding"),
            ("x-content-type-options", "nosniff"),
        ] {
            assert_eq!(file.headers()[name], value, "{path}");
        }
        let head = app.http.head(format!("{}{folder}/{path}", app.url)).send().await.unwrap();
        assert_eq!(head.headers()["content-type"], media_type);
        assert_eq!(head.text().await.unwrap(), "");
    }
    for path in ["/ui/a/0000000000000000/app.js".to_owned(), format!("{folder}/nothing.js"), format!("{folder}/types.d.ts")] {
        assert_eq!(get(&app, &path, &[]).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_variant_of_a_file_has_its_content() {
    let app = App::start_without_workers(Vec::new()).await;
    let folder = folder(&app).await;
    for path in assets() {
        let plain = get(&app, &format!("{folder}/{path}"), &[]).await.bytes().await.unwrap();
        let source = std::fs::read(format!("{}/../web/assets/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        if path.starts_with("vendor/") {
            assert_eq!(plain, source, "{path}");
        } else {
            assert!(!plain.is_empty() && plain.len() <= source.len(), "{path}");
        }
        for encoding in ["br", "gzip", ""] {
            let file = get(&app, &format!("{folder}/{path}"), &[("Accept-Encoding", encoding)]).await;
            let sent = file.headers().get("content-encoding").map_or("", |encoding| encoding.to_str().unwrap()).to_owned();
            assert_eq!(sent, encoding, "{path}");
            let bytes = file.bytes().await.unwrap();
            assert_eq!(decoded(&bytes, encoding), plain, "{path} {encoding}");
        }
    }
}

fn decoded(bytes: &[u8], encoding: &str) -> Vec<u8> {
    let mut decoded = Vec::new();
    match encoding {
        "br" => brotli::BrotliDecompress(&mut &*bytes, &mut decoded).unwrap(),
        "gzip" => drop(std::io::copy(&mut flate2::read::GzDecoder::new(bytes), &mut decoded).unwrap()),
        _ => decoded.extend_from_slice(bytes),
    }
    decoded
}

#[tokio::test(flavor = "multi_thread")]
async fn all_files_together_keep_to_the_budget() {
    let app = App::start_without_workers(Vec::new()).await;
    let folder = folder(&app).await;
    let mut sizes = Vec::new();
    // The licences are there to be read and not loaded by any page.
    for path in assets().into_iter().filter(|path| path != "vendor/LICENSES") {
        let file = get(&app, &format!("{folder}/{path}"), &[("Accept-Encoding", "gzip")]).await;
        sizes.push((file.bytes().await.unwrap().len(), path));
    }
    sizes.sort_unstable_by(|one, other| other.cmp(one));
    let all: usize = sizes.iter().map(|(bytes, _)| bytes).sum();
    println!("{all} bytes in {} files; the largest: {:?}", sizes.len(), &sizes[..5]);
    assert!(all <= BUDGET_BYTES, "{all} bytes: {sizes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_allows_nothing_from_elsewhere() {
    let app = App::start_without_workers(Vec::new()).await;
    let policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; \
                  form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
                  trusted-types 'none'";
    for path in ["/ui/".to_owned(), "/ui/overview".to_owned(), format!("{}/app.js", folder(&app).await)] {
        let response = get(&app, &path, &[]).await;
        assert_eq!(response.headers()["content-security-policy"], policy, "{path}");
        assert_eq!(response.headers()["cross-origin-opener-policy"], "same-origin", "{path}");
    }
}

#[test]
fn vendored_files_are_those_that_were_written_down() {
    for (folder, list) in [("../web/assets/vendor", "VERSIONS"), ("assets", "axe.VERSIONS")] {
        let folder = format!("{}/{folder}", env!("CARGO_MANIFEST_DIR"));
        let list = std::fs::read_to_string(format!("{folder}/{list}")).unwrap();
        let entries: Vec<_> = list.lines().filter_map(|line| line.split_once("  ")).collect();
        assert!(entries.len() >= 2, "{list}");
        for (hash, name) in entries {
            let digest = sha256(&std::fs::read(format!("{folder}/{name}")).unwrap());
            assert_eq!(digest, hash, "{name}: run web/vendor.sh");
        }
    }
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
