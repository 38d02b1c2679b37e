//! GraphQL: every question at one path, `POST /graphql`, with only the fields that a client selects.
//!
//! The `schema` is generated from the questions: `argument` turns arguments into the parameters of the REST
//! API, and `output` generates types from the schemas of the answers. So both APIs have the same answers,
//! limits and errors (`error`). `brackets` and `limits` restrict the size of a query, and `room` the size of
//! its answers. `endpoint` accepts queries over HTTP; a WebSocket (`socket`) also has the `subscription` of
//! live events. `page` is a page on which people try queries.
//!
//! Each field of the type `Query` is one question, which is answered as a whole. No other field reads from
//! the database.

mod argument;
mod brackets;
pub(crate) mod endpoint;
mod error;
mod limits;
mod name;
mod output;
pub(crate) mod page;
mod request;
mod room;
mod schema;
mod socket;
mod subscription;

use std::sync::Arc;

use async_graphql::dynamic::Schema;
use async_graphql::parser::types::{ExecutableDocument, OperationType};
use async_graphql::{Name, Request, Response, Value};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use self::limits::Limits;
use self::room::Room;
use self::schema::Caller;
use self::socket::Places;
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
    /// The places of WebSockets.
    places: Arc<Places>,
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
        let places = Arc::new(Places::new(max_connections));
        Ok(Self { schema, limits: Arc::new(limits), answering, live, places, has_page: settings.graphiql })
    }

    /// Answers a query.
    async fn answer(&self, request: Request, access: &Access<Read>) -> Response {
        match self.prepared(request, access) {
            Ok(Prepared { request, questions, .. }) => finished(self.schema.execute(request).await, &questions),
            Err(error) => error::response(error),
        }
    }

    /// Answers a query once, or a subscription with each event. Queries take turns; the answer to a query holds
    /// its turn.
    fn answers(&self, request: Request, access: &Access<Read>, turn: Arc<Semaphore>) -> BoxStream<'static, InTurn> {
        let Prepared { request, questions, is_subscription } = match self.prepared(request, access) {
            Ok(prepared) => prepared,
            Err(error) => return stream::once(std::future::ready((error::response(error), None))).boxed(),
        };
        let responses = self.schema.execute_stream(request).map(move |response| finished(response, &questions));
        if is_subscription {
            return responses.map(|response| (response, None)).boxed();
        }
        // The semaphore is never closed, so acquiring a permit cannot fail.
        let begin = async move { (turn.acquire_owned().await.ok(), responses) };
        stream::once(begin).flat_map(|(mut turn, responses)| responses.map(move |response| (response, turn.take()))).boxed()
    }

    /// Checks a request before it is run.
    fn prepared(&self, mut request: Request, access: &Access<Read>) -> Result<Prepared, ApiError> {
        brackets::check(&request.query)?;
        let variables = std::mem::take(&mut request.variables);
        let name = request.operation_name.clone();
        // A query that cannot be parsed is refused when it is run, because that error contains its position.
        let (questions, is_subscription) = match request.parsed_query() {
            Ok(document) => (self.limits.check(document, &variables)?, is_subscription(document, name.as_deref())),
            Err(_) => (Vec::new(), false),
        };
        let (answering, live) = (self.answering.clone(), self.live.clone());
        let caller = Caller {
            answering,
            live,
            project: access.project.clone(),
            key: access.credential.key,
            room: Arc::new(Room::default()),
        };
        Ok(Prepared { request: request.variables(variables).data(caller), questions, is_subscription })
    }
}

/// A request that may be run.
struct Prepared {
    request: Request,
    /// The names of the answers in the order of the query.
    questions: Vec<Name>,
    is_subscription: bool,
}

/// A response and its turn, which ends when it is dropped.
type InTurn = (Response, Option<OwnedSemaphorePermit>);

/// Whether the operation of this name, or the only one, is a subscription.
fn is_subscription(document: &ExecutableDocument, name: Option<&str>) -> bool {
    let is_meant = |found: Option<&Name>| name.is_none() || found.map(Name::as_str) == name;
    document.operations.iter().any(|(name, operation)| operation.node.ty == OperationType::Subscription && is_meant(name))
}

/// The response as clients get it. Questions are answered concurrently, so this sorts the answers.
fn finished(mut response: Response, questions: &[Name]) -> Response {
    if let Value::Object(answers) = &mut response.data {
        answers.sort_by_cached_key(|name, _| questions.iter().position(|question| question == name));
    }
    error::with_codes(response)
}
