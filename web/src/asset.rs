//! The files of the dashboard, and which variant of each a browser gets.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// A page is asked for again whenever it is opened, so that an upgrade is seen at once.
const REVALIDATED: HeaderValue = HeaderValue::from_static("no-cache");
/// The address of a file changes with its content.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// A file and its compressed variants.
struct Asset {
    /// Below the folder with the hash.
    path: &'static str,
    media_type: &'static str,
    plain: &'static [u8],
    brotli: &'static [u8],
    gzip: &'static [u8],
}

// `HASH`, `PAGE`, and `ASSETS` in the order of their paths, all made by build/main.rs.
include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// The document of every page; without a body if the browser has it already.
pub(crate) fn page(request: &HeaderMap) -> Response {
    // Weak, because the variants differ in their bytes and not in what they say.
    let tag = format!("W/\"{HASH}\"");
    let caching = [(header::CACHE_CONTROL, REVALIDATED), (header::ETAG, value(&tag))];
    if lists(request, &header::IF_NONE_MATCH).any(|known| known == tag || known == "*") {
        return (StatusCode::NOT_MODIFIED, caching).into_response();
    }
    (caching, PAGE.response(request)).into_response()
}

/// A file of this version; `None` if there is none, or if it is one of another version.
pub(crate) fn file(hash: &str, path: &str, request: &HeaderMap) -> Option<Response> {
    let index = ASSETS.binary_search_by(|asset| asset.path.cmp(path)).ok().filter(|_| hash == HASH)?;
    Some(([(header::CACHE_CONTROL, IMMUTABLE)], ASSETS[index].response(request)).into_response())
}

impl Asset {
    /// The smallest variant that the browser can read.
    fn response(&self, request: &HeaderMap) -> Response {
        let (encoding, bytes) = if accepts(request, "br") {
            (Some("br"), self.brotli)
        } else if accepts(request, "gzip") {
            (Some("gzip"), self.gzip)
        } else {
            (None, self.plain)
        };
        let media_type = [(header::CONTENT_TYPE, self.media_type), (header::VARY, "accept-encoding")];
        let mut response = (media_type, bytes).into_response();
        if let Some(encoding) = encoding {
            response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        response
    }
}

/// Whether a client names an encoding and does not exclude it with `q=0`.
fn accepts(request: &HeaderMap, encoding: &str) -> bool {
    lists(request, &header::ACCEPT_ENCODING).any(|entry| {
        let mut parts = entry.split(';').map(str::trim);
        let is_named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(encoding));
        let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |weight| weight.parse::<f32>().ok());
        is_named && weight.is_some_and(|weight| weight > 0.0)
    })
}

/// The entries of a header that lists things separated by commas.
fn lists<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    let lines = headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim)
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static("W/\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoding(accepted: &str) -> Option<HeaderValue> {
        let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, value(accepted))]);
        page(&headers).headers().get(header::CONTENT_ENCODING).cloned()
    }

    #[test]
    fn the_smallest_variant_that_a_client_accepts_is_chosen() {
        for (accepted, chosen) in [
            ("gzip, deflate, br, zstd", Some("br")),
            ("GZIP;q=0.5", Some("gzip")),
            ("br;q=0, gzip", Some("gzip")),
            ("br; q=0", None),
            ("identity", None),
            ("", None),
            ("brotli", None),
        ] {
            assert_eq!(encoding(accepted), chosen.map(HeaderValue::from_static), "{accepted}");
        }
    }

    #[test]
    fn only_files_of_this_version_are_found() {
        let found = |hash, path| file(hash, path, &HeaderMap::new()).is_some();
        assert!(found(HASH, "app.js") && found(HASH, "vendor/preact.js") && found(HASH, "vendor/LICENSES"));
        for (hash, path) in [("0000000000000000", "app.js"), (HASH, "types.d.ts"), (HASH, "index.html"), (HASH, "../app.js")] {
            assert!(!found(hash, path), "{path}");
        }
    }
}
