//! Credentials: what a request shows to be let in, a key or the cookie of a session.

use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

use super::key_ring::KeyHash;
use super::session::{TokenHash, same_origin, token};

/// What a client sent.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Credentials<'request> {
    /// A key, as text.
    Key(&'request str),
    /// The token of a session.
    Session(TokenHash),
}

/// What a client was let in with. It is looked up again as long as a stream lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Credential {
    /// The key, also that of a session.
    pub(crate) key: KeyHash,
    /// The session, if the client did not send the key itself.
    pub(crate) session: Option<TokenHash>,
}

/// The credentials of a request: its key, or else the session in its cookie, provided that a page of this service sent
/// the request.
pub(crate) fn credentials(parts: &Parts) -> Option<Credentials<'_>> {
    if let Some(key) = key(&parts.headers) {
        return Some(Credentials::Key(key));
    }
    let session = token::of_cookies(&parts.headers)?;
    same_origin::is_request_of_own_page(parts).then_some(Credentials::Session(session))
}

/// The key of a request: `X-API-Key`, or `Authorization: Bearer`.
pub(crate) fn key(headers: &HeaderMap) -> Option<&str> {
    if let Some(key) = headers.get("x-api-key") {
        return key.to_str().ok();
    }
    bearer(headers.get(header::AUTHORIZATION)?.to_str().ok()?)
}

/// The key in a value of `Authorization`.
pub(crate) fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}
