//! `GET /live`: reads headers and parameters, and answers with an endless stream.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use tokio_util::sync::CancellationToken;

use super::event::EventId;
use super::filter::Filter;
use super::hub::Live;
use super::reader::Reader;
use crate::auth::{Access, KeyRing, Read};
use crate::error::ApiError;
use crate::openapi::refusal;
use crate::parameters::Parameters;
use crate::under_way::UnderWay;

/// The header in which a client that reconnects names the last event that it received.
const LAST_EVENT_ID: &str = "last-event-id";
/// Tells nginx not to buffer the answer.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Sends the project's events as they are accepted, until the client disconnects.
#[utoipa::path(
    get,
    path = "/live",
    operation_id = "live",
    tag = "questions",
    summary = "Events as they are accepted",
    description = "Sends server-sent events until the client leaves: `event` with an event as JSON, and `missed` with the number of \
                   events that were left out because the client was too slow or away. A comment is sent while nothing happens.",
    params(Filter, ("Last-Event-ID" = Option<String>, Header, description = "The id of the last event that the client has seen.")),
    security(("api_key" = ["read"]), ("bearer" = ["read"])),
    responses(
        (status = 200, description = "A stream of server-sent events.", body = String, content_type = "text/event-stream"),
        refusal::WithKey,
    ),
)]
pub(crate) async fn live(
    State(live): State<Live>,
    State(keys): State<Arc<KeyRing>>,
    State(stop): State<CancellationToken>,
    access: Access<Read>,
    headers: HeaderMap,
    mut parameters: Parameters,
) -> Result<Response, ApiError> {
    let filter = Filter::take(&mut parameters);
    let seen = last_event_id(&headers, &mut parameters);
    parameters.finish()?;
    let place = live.place(access.project.id, access.credential.key)?;
    let membership = live.join(place, access.project.id, &filter, seen).await?;
    let reader = Reader::new(membership, live.heartbeat(), stop, keys, access.credential);
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (ACCEL_BUFFERING, HeaderValue::from_static("no")),
    ];
    let mut response = (headers, Body::from_stream(reader.frames())).into_response();
    response.extensions_mut().insert(UnderWay);
    Ok(response)
}

/// The last event that the client received. An empty header means that it has received none.
fn last_event_id(headers: &HeaderMap, parameters: &mut Parameters) -> Option<EventId> {
    let sent = headers.get(LAST_EVENT_ID).filter(|id| !id.is_empty())?;
    let id = sent.to_str().ok().and_then(|id| id.parse().ok());
    if id.is_none() {
        parameters.problem("Last-Event-ID", "invalid", "must be the id of an event that this stream has sent");
    }
    id
}
