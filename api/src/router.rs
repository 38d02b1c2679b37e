//! The router: every path, and the middleware around every request.
//!
//! Every request gets an id, a log span with this id, a count and a duration by route, and an answer even when
//! its handler panics.

use std::time::Instant;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, Version, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use metrics::{counter, histogram};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::error::ApiError;
use crate::extract::RequestId;
use crate::openapi::Document;
use crate::query::description;
use crate::query::question::{self, Question, Visitor};
use crate::security_headers::HasTls;
use crate::state::AppState;
use crate::unsent::Unsent;
use crate::{
    admin, auth, client_address, dashboard, dead_letters, exposure, graphql, health, ingest, live, mcp, pages, pipeline,
    security_headers, unsent,
};

const REQUEST_ID: &str = "x-request-id";

/// Every path of the API.
pub(crate) fn router(app: AppState) -> Router {
    let (cross_origin, described) = cross_origin().split_for_parts();
    let (same_origin, described_same) = same_origin().split_for_parts();
    let (alive, described_alive) = alive().split_for_parts();
    let (pages, described_pages) = pages::described().split_for_parts();
    let document = Document::of([described, described_same, described_alive, described_pages]);
    let same_origin = same_origin
        .merge(pages::router(pages, document, app.settings.exposure.has_dashboard()).with_state(()))
        // These paths are not in the description: MCP describes itself, and the others are files of a page, or what
        // only its scripts call.
        .merge(dashboard::router())
        .route("/mcp", post(mcp::endpoint))
        .route("/graphql/page.js", get(graphql::page::script))
        .route("/graphql/page.css", get(graphql::page::style))
        .fallback(async || ApiError::NotFound);
    let answering = |paths: Router<AppState>| {
        let paths = paths.method_not_allowed_fallback(async || ApiError::MethodNotAllowed);
        paths.layer(from_fn_with_state(app.clone(), refuse_when_stopping))
    };
    let room = Unsent::default();
    let protected = |paths: Router<AppState>| {
        paths
            .layer(from_fn_with_state(room.clone(), unsent::hold))
            .layer(CatchPanicLayer::custom(|panic: Box<dyn std::any::Any + Send>| panicked(panic.as_ref()).into_response()))
    };
    let mut cross_origin = protected(answering(cross_origin));
    // Around everything that answers for these paths, so that a page can read every refusal.
    if let Some(cors) = app.settings.cors.layer() {
        cross_origin = cross_origin.layer(cors);
    }
    let alive = alive.method_not_allowed_fallback(async || ApiError::MethodNotAllowed);
    cross_origin
        .merge(protected(answering(same_origin).merge(alive)))
        .layer(from_fn_with_state(app.clone(), exposure::restrict))
        .layer(from_fn(auth::announce))
        .layer(from_fn_with_state(app.clone(), client_address::find))
        .layer(from_fn(observe))
        .layer(from_fn_with_state(HasTls(app.settings.tls.is_some()), security_headers::add))
        .with_state(app)
}

/// The description of every path.
pub(crate) fn document() -> Document {
    let paths = [cross_origin(), same_origin(), alive()].map(OpenApiRouter::into_openapi);
    Document::of(paths.into_iter().chain([pages::described().into_openapi()]))
}

/// Paths that need the scope `ingest` or `read`, and that web pages of other origins may call if the settings name the
/// pages. They are served until the process is told to stop.
fn cross_origin() -> OpenApiRouter<AppState> {
    // Handlers limit the bytes after decompression themselves; axum's limit would count them before.
    let ingest = OpenApiRouter::new().routes(routes!(ingest::endpoint::post_events)).layer(DefaultBodyLimit::disable());
    let graphql = OpenApiRouter::new()
        .routes(routes!(graphql::endpoint::graphql, graphql::endpoint::page_or_socket))
        .layer(DefaultBodyLimit::max(graphql::endpoint::MAX_BYTES));
    OpenApiRouter::new()
        .routes(routes!(live::endpoint::live))
        .routes(routes!(pipeline::overview::overview))
        .routes(routes!(pipeline::event::event))
        .merge(questions())
        .merge(graphql)
        .merge(ingest)
}

/// All other paths that are served until the process is told to stop: those that need no key, and administration.
fn same_origin() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(admin::projects::list::list, admin::projects::create::create))
        .routes(routes!(admin::projects::change::change))
        .routes(routes!(admin::keys::list::list, admin::keys::create::create))
        .routes(routes!(admin::keys::revoke::revoke))
        .routes(routes!(admin::keys::rotate::rotate))
        .routes(routes!(admin::schemas::list::list))
        .routes(routes!(admin::schemas::show::show, admin::schemas::set::set, admin::schemas::remove::remove))
        .routes(routes!(admin::audit_log::list::list))
        .routes(routes!(dead_letters::list, dead_letters::purge))
        .routes(routes!(dead_letters::redrive))
        .routes(routes!(dead_letters::show, dead_letters::purge_one))
        .routes(routes!(dead_letters::redrive_one))
        .routes(routes!(health::ready))
        .routes(routes!(render_metrics))
}

/// Paths that are served as long as the process runs.
fn alive() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(health::health)).routes(routes!(health::live))
}

/// The path of every question.
fn questions() -> OpenApiRouter<AppState> {
    struct Routes(OpenApiRouter<AppState>);

    impl Visitor for Routes {
        fn visit<Q: Question>(&mut self) {
            self.0 = std::mem::take(&mut self.0).merge(description::routes::<Q, AppState>());
        }
    }

    let mut routes = Routes(OpenApiRouter::new());
    question::each(&mut routes);
    routes.0
}

/// `GET /metrics`: the metrics of this process in the text format of Prometheus.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "metrics",
    tag = "service",
    summary = "Metrics for Prometheus",
    responses((status = 200, description = "The text format of Prometheus.", body = String, content_type = "text/plain")),
)]
async fn render_metrics(State(metrics): State<PrometheusHandle>) -> String {
    metrics.render()
}

/// Answers 503 once the process has been told to stop, so that clients use another replica. Tracks requests
/// that arrived before, until they are answered.
async fn refuse_when_stopping(
    State(stop): State<CancellationToken>,
    State(requests): State<TaskTracker>,
    request: Request,
    next: Next,
) -> Response {
    if stop.is_cancelled() {
        let mut response = ApiError::Stopping.into_response();
        // HTTP/2 has no such header; the server says goodbye when it closes.
        if request.version() < Version::HTTP_2 {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        return response;
    }
    let _under_way = requests.token();
    next.run(request).await
}

/// Gives the request its id, counts it and measures its duration.
async fn observe(mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(request.headers());
    request.extensions_mut().insert(RequestId(id.clone()));
    // The label is the pattern of the route, because clients could invent any number of paths.
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let method = method_label(request.method());
    let span = tracing::info_span!("request", request_id = %id, method, route);
    let mut response = next.run(request).instrument(span).await;
    let status = response.status().as_u16().to_string();
    counter!("rollcall_http_requests_total", "method" => method, "route" => route.clone(), "status" => status).increment(1);
    histogram!("rollcall_http_request_duration_seconds", "method" => method, "route" => route).record(started.elapsed());
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// The method for labels and logs. Clients could invent methods, and each would remain a value of the label
/// for ever.
fn method_label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "DELETE" => "DELETE",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "HEAD" => "HEAD",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

/// The client's own request id if it is short and plain, or else a new id.
fn request_id(headers: &HeaderMap) -> String {
    let sent = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
    let plain = |id: &&str| {
        (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
    };
    sent.filter(plain).map_or_else(|| Uuid::now_v7().to_string(), str::to_owned)
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> ApiError {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    ApiError::internal(format!("a handler panicked: {}", text.unwrap_or("no message")))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fmt::Debug;

    use super::*;

    /// The paths of a router. A router lists them only in its `Debug` output, together with those of its
    /// fallback.
    fn paths(router: &impl Debug) -> BTreeSet<String> {
        let shown = format!("{router:?}");
        let paths = shown.split('"').filter(|part| part.starts_with('/') && !part.contains("__private"));
        paths.map(str::to_owned).chain(["/".to_owned()]).collect()
    }

    #[test]
    fn every_path_is_described() {
        let (pages, of_pages) = pages::described().split_for_parts();
        let mut routed = paths(&pages);
        let mut described: BTreeSet<_> = of_pages.paths.paths.into_keys().collect();
        for (router, of_router) in [cross_origin(), same_origin(), alive()].map(OpenApiRouter::split_for_parts) {
            routed.extend(paths(&router));
            described.extend(of_router.paths.paths.into_keys());
        }
        assert_eq!(routed, described);
    }
}
