//! What browsers may do with the dashboard: load its own files, talk to its own service, and nothing else.

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;

/// Scripts come only from this program, and no text ever becomes HTML or a script: `trusted-types 'none'` makes browsers
/// refuse the functions that would do so. Exports are saved from `blob:` addresses, which a policy does not govern;
/// images may be such.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; \
                                       connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
                                       require-trusted-types-for 'script'; trusted-types 'none'";

/// Adds the headers of pages.
pub(crate) async fn secure(mut response: Response) -> Response {
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
