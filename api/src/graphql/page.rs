//! A page on which people try queries and subscriptions, and read the schema.
//!
//! We wrote a small page, because GraphiQL would add four megabytes to every program. All its files come from
//! this program, and its headers forbid the browser to contact any other server. The page itself needs no
//! key; its queries use the key that the user enters.

use axum::extract::State;
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Response};

use super::GraphQl;
use crate::error::ApiError;

const PAGE: &str = include_str!("assets/page.html");
const SCRIPT: &str = include_str!("assets/page.js");
const STYLE: &str = include_str!("assets/page.css");

const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'";

/// `GET /graphql`
///
/// # Errors
/// [`ApiError::MethodNotAllowed`] if there is no page.
pub(super) fn page(graphql: &GraphQl) -> Result<Response, ApiError> {
    part(graphql, "text/html; charset=utf-8", PAGE).ok_or(ApiError::MethodNotAllowed)
}

/// `GET /graphql/page.js`
///
/// # Errors
/// [`ApiError::NotFound`] if there is no page.
pub(crate) async fn script(graphql: State<GraphQl>) -> Result<Response, ApiError> {
    part(&graphql, "text/javascript; charset=utf-8", SCRIPT).ok_or(ApiError::NotFound)
}

/// `GET /graphql/page.css`
///
/// # Errors
/// [`ApiError::NotFound`] if there is no page.
pub(crate) async fn style(graphql: State<GraphQl>) -> Result<Response, ApiError> {
    part(&graphql, "text/css; charset=utf-8", STYLE).ok_or(ApiError::NotFound)
}

fn part(graphql: &GraphQl, media_type: &'static str, text: &'static str) -> Option<Response> {
    let headers = [
        (header::CONTENT_TYPE, media_type),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    graphql.has_page.then(|| (headers, text).into_response())
}
