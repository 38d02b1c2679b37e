//! The dashboard: a web application whose files are in this program.
//!
//! `assets/` holds what browsers load, which `build/main.rs` embeds. `asset` answers with one of these files, and `headers`
//! says what browsers may do with it. This crate serves bytes and knows nothing of the API, which the application calls
//! like any other client.
//!
//! Every page of the application is the same document; its scripts read from the address which one to show. All
//! addresses in it are relative, so it works under whatever prefix a proxy puts in front of the service.

mod asset;
mod headers;
#[cfg(test)]
#[path = "../build/strip.rs"]
mod strip;

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

/// Where the application is mounted. The service has its other paths beside it.
pub const PATH: &str = "/ui/";

/// The routes of the dashboard: the page at `/ui/` and at every path directly below it, and its files.
pub fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/ui", get(with_slash))
        .route("/ui/", get(page))
        .route("/ui/{page}", get(page))
        .route("/ui/a/{hash}/{*path}", get(file))
        .layer(map_response(headers::secure))
}

/// Relative addresses in the page need the slash.
async fn with_slash() -> Response {
    (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, HeaderValue::from_static("ui/"))]).into_response()
}

async fn page(headers: HeaderMap) -> Response {
    asset::page(&headers)
}

async fn file(Path((hash, path)): Path<(String, String)>, headers: HeaderMap) -> Response {
    asset::file(&hash, &path, &headers).unwrap_or_else(|| StatusCode::NOT_FOUND.into_response())
}
