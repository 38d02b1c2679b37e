//! Headers that tell browsers what they may not do with an answer.
//!
//! Every answer gets them, unless its handler has set another value. Pages have a Content-Security-Policy of their own,
//! which allows their scripts and styles.

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

/// What is not a page loads nothing and is shown in no frame.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";
/// Browsers that reached the service by TLS use only TLS for the host during the next year.
const STRICT_TRANSPORT_SECURITY: &str = "max-age=31536000";

const ALWAYS: [(HeaderName, &str); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    // Answers contain data of a project, and neither the browser nor a proxy may keep them.
    (header::CACHE_CONTROL, "no-store"),
];

/// Whether the service itself speaks TLS. A proxy that ends TLS sets the header itself, if its operator wants it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HasTls(pub(crate) bool);

/// Adds the headers that the answer does not have.
pub(crate) async fn add(State(HasTls(has_tls)): State<HasTls>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if has_tls {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(STRICT_TRANSPORT_SECURITY));
    }
    response
}
