//! GraphQL: every question at one path, `POST /graphql`, with only the fields that a client selects.
//!
//! The `schema` is generated from the questions: `argument` turns arguments into the parameters of the REST
//! API, and `output` generates types from the schemas of the answers. So both APIs have the same answers,
//! limits and errors (`error`). `limits` restricts the size of a query. `endpoint` accepts queries over HTTP;
//! a WebSocket (`socket`) also has the `subscription` of live events. `page` is a page on which people try
//! queries.
//!
//! Each field of the type `Query` is one question, which is answered as a whole. No other field reads from
//! the database.

mod argument;
pub(crate) mod endpoint;
mod error;
mod limits;
mod name;
mod output;
pub(crate) mod page;
mod request;
mod schema;
mod socket;
mod subscription;

use std::sync::Arc;

use async_graphql::dynamic::Schema;
use async_graphql::{Name, Request, Response, Value};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use tokio::sync::Semaphore;

use self::limits::Limits;
use self::schema::Caller;
use crate::auth::{Access, Read};
use crate::error::ApiError;
use crate::live::Live;
use crate::query::Answering;
use crate::settings::GraphQlSettings;

/// Answers GraphQL queries. Clones share everything.
#[derive(Clone)]
pub(crate) struct GraphQl {
    schema: Schema,
    limits: Arc<Limits>,
    answering: Answering,
    live: Live,
    /// Permits for open WebSockets.
    sockets: Arc<Semaphore>,
    max_sockets: usize,
    has_page: bool,
}

impl GraphQl {
    /// Prepares the schema. WebSockets may use a part of the `max_connections` of the process.
    ///
    /// # Errors
    /// Only if the types of answers contradict each other.
    pub(crate) fn new(
        settings: GraphQlSettings,
        answering: Answering,
        live: Live,
        max_connections: usize,
    ) -> anyhow::Result<Self> {
        let (schema, limits) = schema::build(settings.introspection)?;
        // Each WebSocket occupies a connection, even while it is idle, and other requests must be served too.
        let max_sockets = (max_connections / 4).max(1);
        let sockets = Arc::new(Semaphore::new(max_sockets));
        Ok(Self { schema, limits: Arc::new(limits), answering, live, sockets, max_sockets, has_page: settings.graphiql })
    }

    /// Answers a query.
    async fn answer(&self, request: Request, access: &Access<Read>) -> Response {
        match self.prepared(request, access) {
            Ok(Prepared { request, questions }) => finished(self.schema.execute(request).await, &questions),
            Err(error) => error::response(error),
        }
    }

    /// Answers a query once, or a subscription with each event.
    fn answers(&self, request: Request, access: &Access<Read>) -> BoxStream<'static, Response> {
        match self.prepared(request, access) {
            Ok(Prepared { request, questions }) => {
                self.schema.execute_stream(request).map(move |response| finished(response, &questions)).boxed()
            }
            Err(error) => stream::once(std::future::ready(error::response(error))).boxed(),
        }
    }

    /// Checks a request before it is run.
    fn prepared(&self, mut request: Request, access: &Access<Read>) -> Result<Prepared, ApiError> {
        limits::check_brackets(&request.query)?;
        let variables = std::mem::take(&mut request.variables);
        // A query that cannot be parsed is refused when it is run, because that error contains its position.
        let checked = request.parsed_query().map(|document| self.limits.check(document, &variables));
        let questions = checked.unwrap_or_else(|_| Ok(Vec::new()))?;
        let (answering, live) = (self.answering.clone(), self.live.clone());
        let caller = Caller { answering, live, project: access.project.clone(), key: access.key };
        Ok(Prepared { request: request.variables(variables).data(caller), questions })
    }
}

/// A request that may be run.
struct Prepared {
    request: Request,
    /// The names of the answers in the order of the query.
    questions: Vec<Name>,
}

/// The response as clients get it. Questions are answered concurrently, so this sorts the answers.
fn finished(mut response: Response, questions: &[Name]) -> Response {
    if let Value::Object(answers) = &mut response.data {
        answers.sort_by_cached_key(|name, _| questions.iter().position(|question| question == name));
    }
    error::with_codes(response)
}
