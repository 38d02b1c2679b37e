//! `/graphql`: `POST` answers queries; `GET` opens a WebSocket or shows a page.

use std::time::Duration;

use async_graphql::Request;
use axum::Extension;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequest, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, Span};

use super::GraphQl;
use super::page;
use super::request::{DescribedResponse, SentRequest};
use super::socket::{self, Connection};
use crate::auth::{self, Access, KeyCheck, Read, Ticket};
use crate::error::ApiError;
use crate::openapi::refusal;
use crate::parameters::Parameters;
use crate::under_way::ConnectionPlace;

/// Maximum size of a request or a WebSocket message in bytes. The query that tools send for the whole schema
/// has 2 KiB.
pub(crate) const MAX_BYTES: usize = 64 * 1024;
/// Timeout for the arrival of a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

const JSON: &str = "application/json";
/// The content type with which a client gets the status 400 if the query was not run.
const GRAPHQL_JSON: &str = "application/graphql-response+json";

/// Answers a query.
#[utoipa::path(
    post,
    path = "/graphql",
    operation_id = "graphql",
    tag = "questions",
    summary = "Questions in GraphQL",
    description = "Answers several questions at once, with just the fields that the query selects. A query that is not valid, and \
                   questions that cannot be answered, are errors in the answer; with `Accept: application/graphql-response+json`, \
                   the former have the status 400.",
    request_body(content = SentRequest, example = json!({ "query": "{ latestEvents(limit: 2) { eventId eventType timestamp payload } }" })),
    security(("api_key" = ["read"]), ("bearer" = ["read"])),
    responses(
        (status = 200, description = "The answer.", content(
            (DescribedResponse = "application/json"),
            (DescribedResponse = "application/graphql-response+json"),
        )),
        refusal::WithKey,
        refusal::WithQuery,
    ),
)]
pub(crate) async fn graphql(
    State(graphql): State<GraphQl>,
    access: Access<Read>,
    parameters: Parameters,
    request: axum::extract::Request,
) -> Result<Response, ApiError> {
    parameters.finish()?;
    let headers = request.headers().clone();
    check_media_type(&headers)?;
    let body = tokio::time::timeout(BODY_TIMEOUT, Bytes::from_request(request, &())).await.map_err(|_| ApiError::BodyTimeout)?;
    let request = parse(&body.map_err(|rejection| unreadable(&rejection))?)?;
    let answer = graphql.answer(request, &access).await;
    let body = serde_json::to_vec(&answer).map_err(ApiError::internal)?;
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if !accept.contains(GRAPHQL_JSON) {
        return Ok(([(header::CONTENT_TYPE, HeaderValue::from_static(JSON))], body).into_response());
    }
    let was_run = answer.data != async_graphql::Value::Null;
    let status = if was_run { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    Ok((status, [(header::CONTENT_TYPE, HeaderValue::from_static(GRAPHQL_JSON))], body).into_response())
}

/// Opens a WebSocket if the client requests an upgrade, and shows a page otherwise.
#[utoipa::path(
    get,
    path = "/graphql",
    operation_id = "graphql_page",
    tag = "service",
    summary = "A page to try GraphQL, or a WebSocket",
    description = "A client that asks for a WebSocket with the protocol `graphql-transport-ws` can send queries, and the subscription \
                   `events`. Its key is in the headers or in the payload of `connection_init`.",
    responses((status = 200, description = "A page on which queries can be tried.", body = String, content_type = "text/html")),
)]
pub(crate) async fn page_or_socket(
    State(graphql): State<GraphQl>,
    check: KeyCheck,
    ticket: Ticket,
    State(stop): State<CancellationToken>,
    State(requests): State<TaskTracker>,
    Extension(place): Extension<ConnectionPlace>,
    request: axum::extract::Request,
) -> Result<Response, ApiError> {
    if !request.headers().contains_key(header::UPGRADE) {
        return page::page(&graphql);
    }
    // A client that cannot set headers, such as a browser, sends its key in its first message.
    let (parts, body) = request.into_parts();
    let access = match auth::credentials(&parts) {
        Some(credentials) => Some(check.access(credentials, ticket).await?),
        None => None,
    };
    let request = axum::extract::Request::from_parts(parts, body);
    let no_socket =
        || ApiError::Unsupported(format!("connect with version 13 of WebSockets and the protocol {}", socket::PROTOCOL));
    let upgrade = WebSocketUpgrade::from_request(request, &()).await.map_err(|_| no_socket())?;
    let upgrade = upgrade.protocols([socket::PROTOCOL]).max_message_size(MAX_BYTES).max_frame_size(MAX_BYTES);
    upgrade.selected_protocol().ok_or_else(no_socket)?;
    let mut socket_place = graphql.places.take()?;
    if let Some(access) = &access {
        socket_place.belongs_to(access.project.id)?;
    }
    let (token, span) = (requests.token(), Span::current());
    Ok(upgrade.on_upgrade(move |socket| {
        let serving = async move {
            Connection::new(graphql, check, access, socket_place).serve(socket, stop).await;
            drop((place, token));
        };
        serving.instrument(span)
    }))
}

fn check_media_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !media_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(JSON) {
        return Err(ApiError::Unsupported("send the query as application/json".to_owned()));
    }
    if headers.contains_key(header::CONTENT_ENCODING) {
        return Err(ApiError::Unsupported("send the query without a content encoding".to_owned()));
    }
    Ok(())
}

fn unreadable(rejection: &BytesRejection) -> ApiError {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::BodyTooLarge { limit: MAX_BYTES },
        _ => ApiError::Body("the body ended early".to_owned()),
    }
}

fn parse(body: &Bytes) -> Result<Request, ApiError> {
    let sent: SentRequest = serde_json::from_slice(body)
        .map_err(|error| ApiError::Body(format!("the body must be an object with query, and perhaps variables: {error}")))?;
    Ok(sent.into())
}
