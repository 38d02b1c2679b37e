//! Pages for people: `/` leads to the dashboard or lists addresses, and `/docs` shows the description of the API and can send requests.
//!
//! `/docs` is Swagger UI with `/openapi.json`. All its files come from this program, and its headers forbid
//! the browser to contact any other server.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use serde::Serialize;
use swagger_ui_dist::{ApiDefinition, OpenApiSource};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::openapi::{self, Document};

const WELCOME: &str = include_str!("assets/welcome.html");
const DOCS: &str = include_str!("assets/docs.html");
const DOCS_SCRIPT: &str = include_str!("assets/docs.js");

/// Where the files of Swagger UI are.
const SWAGGER_UI: &str = "/docs/swagger-ui";
/// The page may not load from, or send to, another server. Swagger UI sets styles in elements and has images
/// in its style sheet.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                                       object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Swagger UI has a file of more than a megabyte. After an upgrade, browsers use the old files for ten minutes at most.
const CACHE_CONTROL: &str = "private, max-age=600";

/// The paths that are part of the description.
pub(crate) fn described() -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(welcome)).routes(routes!(docs)).routes(routes!(openapi::openapi_document))
}

/// All pages.
pub(crate) fn router(described: Router, document: Document, has_dashboard: bool) -> Router {
    let definition =
        ApiDefinition { uri_prefix: SWAGGER_UI, api_definition: OpenApiSource::Uri("/openapi.json"), title: Some("Rollcall") };
    described
        .route("/docs/docs.js", get(async || ([(header::CONTENT_TYPE, "text/javascript")], DOCS_SCRIPT)))
        .merge(swagger_ui_dist::generate_routes(definition))
        .layer(axum::Extension(document))
        .layer(axum::Extension(HasDashboard(has_dashboard)))
        .layer(from_fn(secure))
}

/// Adds the headers of pages. They keep the browser from other servers, and let it keep the files for a while.
async fn secure(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (header::CACHE_CONTROL, CACHE_CONTROL),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Whether `/` leads to a dashboard.
#[derive(Debug, Clone, Copy)]
struct HasDashboard(bool);

/// The addresses of the service, for programs.
#[derive(Debug, Serialize, ToSchema)]
struct Welcome {
    name: &'static str,
    version: &'static str,
    /// The dashboard; null if it is switched off.
    dashboard: Option<&'static str>,
    docs: &'static str,
    openapi: &'static str,
    health: &'static str,
}

/// `GET /`
#[utoipa::path(
    get,
    path = "/",
    operation_id = "welcome",
    tag = "service",
    summary = "Addresses of the service",
    description = "Lists the addresses of the service. Browsers, which accept HTML, are led to the dashboard, or get a page if it is \
                   switched off.",
    responses(
        (status = 200, description = "The addresses.", content((Welcome = "application/json"), (String = "text/html"))),
        (status = 303, description = "For browsers: the dashboard."),
    ),
)]
async fn welcome(Extension(HasDashboard(has_dashboard)): Extension<HasDashboard>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let mut response = if accept.contains("text/html") && has_dashboard {
        // Relative, because a proxy may have put a prefix in front.
        (StatusCode::SEE_OTHER, [(header::LOCATION, "ui/")]).into_response()
    } else if accept.contains("text/html") {
        Html(WELCOME).into_response()
    } else {
        let version = env!("CARGO_PKG_VERSION");
        let dashboard = has_dashboard.then_some(rollcall_web::PATH);
        let welcome =
            Welcome { name: "rollcall", version, dashboard, docs: "/docs", openapi: "/openapi.json", health: "/health" };
        Json(welcome).into_response()
    };
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    response
}

/// `GET /docs`
#[utoipa::path(
    get,
    path = "/docs",
    operation_id = "docs",
    tag = "service",
    summary = "This description as a page",
    responses((status = 200, description = "A page that shows this description and can send requests.", body = String, content_type = "text/html")),
)]
async fn docs() -> Html<&'static str> {
    Html(DOCS)
}
