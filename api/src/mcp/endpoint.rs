//! The HTTP side: the key, the origin, the size of the request.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, header};
use axum::response::Response;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};

use super::server::Server;
use crate::auth::{Access, Read};
use crate::error::ApiError;
use crate::query::Answering;

/// Maximum size of a request in bytes, far more than the arguments of any question need.
const MAX_BODY_BYTES: usize = 64 * 1024;
/// Timeout for the arrival of a body. A client that needs longer for so few bytes is gone.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// `POST /mcp`: one message of the Model Context Protocol.
pub(crate) async fn endpoint(
    State(answering): State<Answering>,
    access: Access<Read>,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let body = tokio::time::timeout(BODY_TIMEOUT, to_bytes(body, MAX_BODY_BYTES)).await.map_err(|_| ApiError::BodyTimeout)?;
    let body = body.map_err(|_| ApiError::BodyTooLarge { limit: MAX_BODY_BYTES })?;
    let settings = transport(&parts.headers);
    let server = Server::new(answering, access.project);
    let service = StreamableHttpService::new(move || Ok(server.clone()), Arc::new(NeverSessionManager::default()), settings);
    Ok(service.handle(Request::from_parts(parts, Body::from(body))).await.map(Body::new))
}

/// The configuration of the protocol: no sessions, and one JSON document as the answer.
///
/// A browser sends the origin of a page in `Origin`. Requests from pages of other hosts are refused. `Host`
/// may have any value, because only the operator knows the names of the service, and a page that makes its
/// own name point to the service has no key.
fn transport(headers: &HeaderMap) -> StreamableHttpServerConfig {
    StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(MAX_BODY_BYTES)
        .disable_allowed_hosts()
        .with_allowed_origins(own_origins(headers))
        .enforce_origin_validation()
}

/// The origins of pages from the host to which the request was sent. A proxy may have ended TLS, so the
/// scheme is unknown.
fn own_origins(headers: &HeaderMap) -> Vec<String> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    let origin = |scheme, default_port, host: &Authority| {
        format!("{scheme}://{}:{}", host.host(), host.port_u16().unwrap_or(default_port))
    };
    host.map_or_else(Vec::new, |host| vec![origin("http", 80, &host), origin("https", 443, &host)])
}
