//! GraphQL: every question at one path, `POST /graphql`, with just the fields that a client wants.
//!
//! The `schema` is made from the questions themselves: `argument` turns arguments into the parameters of
//! the REST API, and `output` makes types from the schemas of the answers. So both APIs give the same
//! answers, have the same limits and report the same errors (`error`). `limits` bounds what one query may
//! ask for. `endpoint` takes queries over HTTP; over a WebSocket (`socket`) there is the `subscription` of
//! live events too. `page` is for people.
//!
//! There are no resolvers that look up more: each field of a query is one question, which is answered as a
//! whole.

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
    /// WebSockets that may be open.
    sockets: Arc<Semaphore>,
    max_sockets: usize,
    has_page: bool,
}

impl GraphQl {
    /// Prepares the schema, in a process that takes so many connections.
    ///
    /// # Errors
    /// Only if the types of answers do not fit together.
    pub(crate) fn new(
        settings: GraphQlSettings,
        answering: Answering,
        live: Live,
        max_connections: usize,
    ) -> anyhow::Result<Self> {
        let (schema, limits) = schema::build(settings.introspection)?;
        // Each occupies a connection, also where it only waits, and others must be served too.
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

    /// Answers a query, or a subscription again and again.
    fn answers(&self, request: Request, access: &Access<Read>) -> BoxStream<'static, Response> {
        match self.prepared(request, access) {
            Ok(Prepared { request, questions }) => {
                self.schema.execute_stream(request).map(move |response| finished(response, &questions)).boxed()
            }
            Err(error) => stream::once(std::future::ready(error::response(error))).boxed(),
        }
    }

    /// Looks at a request before it is run.
    fn prepared(&self, mut request: Request, access: &Access<Read>) -> Result<Prepared, ApiError> {
        limits::check_brackets(&request.query)?;
        let variables = std::mem::take(&mut request.variables);
        // What cannot be parsed is refused when it is run, with the place of the error.
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
    /// The names of the answers, in the order of the query.
    questions: Vec<Name>,
}

/// A response as clients get it. Questions are answered side by side, so the answers come in any order.
fn finished(mut response: Response, questions: &[Name]) -> Response {
    if let Value::Object(answers) = &mut response.data {
        answers.sort_by_cached_key(|name, _| questions.iter().position(|question| question == name));
    }
    error::with_codes(response)
}
