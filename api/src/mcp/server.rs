//! Answers messages: the description of the server, the list of tools, and calls of tools.

use std::sync::Arc;

use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use tracing::{Instrument, Span};

use super::refusal::Refusal;
use super::{arguments, tool};
use crate::auth::Project;
use crate::error::ApiError;
use crate::problem::clipped;
use crate::query::Answering;

const INSTRUCTIONS: &str = "Rollcall stores the events of one project and answers who was active, what they did and who came back. \
                            The numbers are exact. Ask event_types first for the names of the events, and event_type_properties for \
                            what is known of each. A list names its next page in next_cursor: call the same tool with the same \
                            arguments and this cursor.";

/// How long a client may cache the list of tools. It changes only with a new version of the service.
const TOOLS_TTL_MS: u64 = 300_000;

/// Answers one message about one project.
#[derive(Clone)]
pub(super) struct Server {
    answering: Answering,
    project: Arc<Project>,
    /// The span of the request. Messages are handled in a separate task, and their log lines need the request
    /// id.
    span: Span,
}

impl Server {
    /// A server for a request about this project.
    pub(super) fn new(answering: Answering, project: Arc<Project>) -> Self {
        Self { answering, project, span: Span::current() }
    }

    async fn call(&self, request: CallToolRequestParams) -> Result<CallToolResult, ErrorData> {
        let unknown = || ErrorData::invalid_params(format!("there is no tool {}", clipped(&request.name)), None);
        let ask = tool::named(&request.name).ok_or_else(unknown)?;
        let answer = async {
            let pairs = arguments::pairs(request.arguments.unwrap_or_default())?;
            ask(self.answering.clone(), self.project.clone(), pairs).await
        };
        Ok(answer.await.map_or_else(failed, CallToolResult::structured))
    }
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let rollcall = Implementation::new("rollcall", env!("CARGO_PKG_VERSION")).with_title("Rollcall");
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(rollcall)
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let unavailable = |error: ApiError| ErrorData::internal_error(error.to_string(), Some(error.into_details()));
        let zone = self.span.in_scope(|| self.project.zone().map_err(unavailable))?;
        let mut list = ListToolsResult::with_all_items(tool::all(zone));
        list.ttl_ms = Some(TOOLS_TTL_MS);
        list.cache_scope = Some(CacheScope::Private);
        Ok(list)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        Ok(self.call(request).instrument(self.span.clone()).await?.into())
    }
}

/// The result of a failed call. It has no structured content, because that must have the schema of an answer.
fn failed(refusal: Refusal) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(refusal.into_details().to_string())])
}
