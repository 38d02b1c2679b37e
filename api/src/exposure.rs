//! Exposure: who may use the parts of the service that not every installation wants to show.
//!
//! A part that is off answers 404 to everybody, as if it did not exist. What needs a key anyway can only be switched
//! off. The health checks and metrics of workers have an address of their own.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::Response;
use rollcall_shared::settings::{Environment, Secret};
use strum::VariantNames;

use crate::auth::{self, Access, KeyCheck, KeyHash, Read, Ticket};
use crate::error::ApiError;
use crate::settings::ApiSettings;

/// Who may use a part of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display, strum::EnumString, strum::VariantNames)]
#[strum(serialize_all = "snake_case", parse_err_ty = String, parse_err_fn = no_exposure)]
pub enum Exposure {
    /// Everybody.
    Public,
    /// Whoever has a key.
    Key,
    /// Nobody.
    Off,
}

fn no_exposure(_: &str) -> String {
    format!("must be {}", Exposure::VARIANTS.join(", "))
}

/// Who may use each of the parts.
#[derive(Debug, Clone)]
pub struct ExposureSettings {
    /// `/metrics`. With [`Exposure::Key`], whoever has `metrics_key` or `API_KEY`: metrics are about all projects.
    pub metrics: Exposure,
    /// A key for `/metrics` and nothing else.
    pub metrics_key: Option<Secret>,
    /// `/docs` and `/openapi.json`. With [`Exposure::Key`], whoever has a key with the scope `read`.
    pub docs: Exposure,
    /// `/ui/`, whose pages ask for a key.
    pub dashboard: Exposure,
    /// `/graphql`, which needs a key.
    pub graphql: Exposure,
    /// `/mcp`, which needs a key.
    pub mcp: Exposure,
    /// `/pipeline`, which needs a key.
    pub pipeline: Exposure,
}

impl ExposureSettings {
    /// Reads `METRICS_ACCESS`, `METRICS_KEY`, `DOCS_ACCESS`, `DASHBOARD_ACCESS`, `GRAPHQL_ACCESS`, `MCP_ACCESS` and
    /// `PIPELINE_ACCESS`.
    pub(crate) fn from_env(environment: &mut Environment) -> Self {
        Self {
            metrics: environment.read(
                "METRICS_ACCESS",
                Exposure::Public,
                "who may read /metrics of the API: public, key (METRICS_KEY or API_KEY) or off",
            ),
            metrics_key: environment
                .read_optional_secret("METRICS_KEY", "a key that may read /metrics of the API and nothing else"),
            docs: environment.read(
                "DOCS_ACCESS",
                Exposure::Public,
                "who may read /docs and /openapi.json: public, key (any with the scope read) or off",
            ),
            dashboard: read_keyed(
                environment,
                "DASHBOARD_ACCESS",
                "whether there is the dashboard at /ui/, which asks for a key: key or off",
            ),
            graphql: read_keyed(environment, "GRAPHQL_ACCESS", "whether there is /graphql, which needs a key: key or off"),
            mcp: read_keyed(environment, "MCP_ACCESS", "whether there is /mcp, which needs a key: key or off"),
            pipeline: read_keyed(environment, "PIPELINE_ACCESS", "whether there is /pipeline, which needs a key: key or off"),
        }
    }

    /// Whether there is a dashboard.
    pub(crate) fn has_dashboard(&self) -> bool {
        self.dashboard != Exposure::Off
    }

    fn of(&self, part: Part) -> Exposure {
        match part {
            Part::Metrics => self.metrics,
            Part::Docs => self.docs,
            Part::Dashboard => self.dashboard,
            Part::GraphQl => self.graphql,
            Part::Mcp => self.mcp,
            Part::Pipeline => self.pipeline,
        }
    }
}

/// The exposure of a part whose handlers ask for a key.
fn read_keyed(environment: &mut Environment, name: &'static str, meaning: &str) -> Exposure {
    let exposure = environment.read(name, Exposure::Key, meaning);
    if exposure == Exposure::Public {
        environment.report(format!("{name}=public: must be key or off: {meaning}"));
    }
    exposure
}

/// A part of the service with an exposure of its own.
#[derive(Debug, Clone, Copy)]
enum Part {
    Metrics,
    Docs,
    Dashboard,
    GraphQl,
    Mcp,
    Pipeline,
}

impl Part {
    /// The part that the pattern of a route belongs to, by its first segment.
    fn of(route: &str) -> Option<Self> {
        match route.split('/').nth(1)? {
            "metrics" => Some(Self::Metrics),
            "docs" | "openapi.json" => Some(Self::Docs),
            "ui" => Some(Self::Dashboard),
            "graphql" => Some(Self::GraphQl),
            "mcp" => Some(Self::Mcp),
            "pipeline" => Some(Self::Pipeline),
            _ => None,
        }
    }
}

/// Lets a request through if the part that it is for is open to whoever sent it.
///
/// # Errors
/// [`ApiError::NotFound`] if the part is off; [`ApiError::Unauthorized`] and the other errors of keys if it needs one.
pub(crate) async fn restrict(
    State(settings): State<Arc<ApiSettings>>,
    check: KeyCheck,
    ticket: Ticket,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    // The pattern, and not the path: what is not routed to a part cannot get around this.
    let part = request.extensions().get::<MatchedPath>().and_then(|route| Part::of(route.as_str()));
    let Some(part) = part else { return Ok(next.run(request).await) };
    match (settings.exposure.of(part), part) {
        (Exposure::Off, _) => return Err(ApiError::NotFound),
        (Exposure::Key, Part::Metrics) if may_read_metrics(&settings, request.headers()) => {}
        (Exposure::Key, Part::Metrics) => return Err(ApiError::Unauthorized),
        (Exposure::Key, Part::Docs) => {
            let (parts, body) = request.into_parts();
            let credentials = auth::credentials(&parts).ok_or(ApiError::Unauthorized)?;
            let _: Access<Read> = check.access(credentials, ticket).await?;
            request = Request::from_parts(parts, body);
        }
        // The handlers of the others ask for a key, or show a page that does.
        (Exposure::Public, _) | (Exposure::Key, Part::Dashboard | Part::GraphQl | Part::Mcp | Part::Pipeline) => {}
    }
    Ok(next.run(request).await)
}

/// This does not ask the database, whose absence may be what somebody reads the metrics for.
fn may_read_metrics(settings: &ApiSettings, headers: &HeaderMap) -> bool {
    let Some(sent) = auth::key(headers).map(KeyHash::of) else { return false };
    let allowed = [&settings.exposure.metrics_key, &settings.api_key];
    allowed.into_iter().flatten().any(|key| KeyHash::of(key.expose()).is(&sent))
}
