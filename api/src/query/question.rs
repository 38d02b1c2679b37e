//! The trait of all questions, and how they are answered.
//!
//! Each question is a type in its own file that reads its parameters ([`Question::take`]) and answers
//! ([`Question::answer`]). The routes, the description of the API, GraphQL and MCP are generated from
//! [`each`].

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::format::{Format, Table};
use super::recent::RecentAnswers;
use super::turn::Turns;
use crate::auth::{Access, Project, Read, Zone};
use crate::cursor::{Cursors, List};
use crate::error::ApiError;
use crate::extract::PathParts;
use crate::parameters::Parameters;
use crate::read_pool::ReadPool;

/// A question that clients with the scope `read` may send.
pub(crate) trait Question: Sized + Send + 'static {
    /// The type of the answer.
    type Answer: Answer;
    /// Its name for programs, such as `daily_active_users`.
    const ID: &'static str;
    /// Its path. A part in braces is a parameter with that name.
    const PATH: &'static str;
    /// Further paths, with the same parameters.
    const OTHER_PATHS: &'static [&'static str] = &[];
    /// A summary in a few words.
    const SUMMARY: &'static str;
    /// What a client must know to understand the answer.
    const ABOUT: &'static str;
    /// Whether the answer may need rows, which are not in the database any more if their day is archived.
    const READS_ROWS: bool = false;
    /// Whether it is refused if something of its period was deleted.
    const NEEDS_WHOLE_PERIOD: bool = false;

    /// Reads its parameters. Problems are recorded in `parameters`; a question whose parameters have problems
    /// is never answered.
    fn take(parameters: &mut Parameters, zone: &Zone) -> Self;

    /// Answers the question.
    ///
    /// # Errors
    /// Those of the database, and [`ApiError::NoSuch`] for questions about one thing that does not exist.
    fn answer(self, asker: &Asker) -> impl Future<Output = Result<Self::Answer, ApiError>> + Send;
}

/// An answer as clients get it.
pub(crate) trait Answer: Serialize + ToSchema + Send + 'static {
    /// Whether the answer is a list or a series, which is also available as CSV.
    const IS_TABLE: bool = false;

    /// The answer as a table, if it is one.
    fn table(&self) -> Option<Table> {
        None
    }

    /// The cursor of the next page, if the answer is a page of a longer list.
    fn next_cursor(&self) -> Option<&str> {
        None
    }
}

/// The resources of all questions. Clones share them.
#[derive(Clone)]
pub(crate) struct Answering {
    pub(crate) reads: ReadPool,
    pub(crate) cursors: Cursors,
    /// The cache of answers that take long to compute.
    pub(crate) recent: RecentAnswers,
    /// Limits the number of concurrent computations that need much memory.
    pub(crate) turns: Turns,
}

/// The project of a request, and the resources that its question may use.
pub(crate) struct Asker {
    pub(crate) answering: Answering,
    pub(crate) project: Arc<Project>,
    /// Identifies the question and its filters, without the page.
    pub(crate) fingerprint: [u8; 32],
}

impl Asker {
    /// A connection to the database, for one statement after another.
    ///
    /// # Errors
    /// As [`ReadPool::acquire`].
    pub(crate) async fn connection(&self) -> Result<crate::read_pool::Connection, ApiError> {
        self.answering.reads.acquire(self.project.id).await
    }

    /// The list of this question, for cursors.
    pub(crate) fn list(&self) -> List<'_> {
        self.answering.cursors.list(self.project.id, &self.fingerprint)
    }
}

/// The handler of a question.
pub(crate) async fn ask<Q: Question>(
    State(answering): State<Answering>,
    access: Access<Read>,
    path: PathParts,
    headers: HeaderMap,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    let mut parameters = parameters.with_path(path);
    let format = if Q::Answer::IS_TABLE { Format::take(&mut parameters, &headers) } else { Format::Json };
    let answer = answer::<Q>(answering, access.project, parameters).await?;
    Ok(format.respond(&answer))
}

/// Answers a question about a project, for the endpoint, GraphQL and MCP.
///
/// # Errors
/// [`ApiError::Parameters`] if a parameter is wrong or unknown, and those of [`Question::answer`].
pub(crate) async fn answer<Q: Question>(
    answering: Answering,
    project: Arc<Project>,
    mut parameters: Parameters,
) -> Result<Q::Answer, ApiError> {
    let asker = Asker { answering, project, fingerprint: parameters.fingerprint(Q::ID) };
    let question = Q::take(&mut parameters, asker.project.zone()?);
    parameters.finish()?;
    question.answer(&asker).await
}

/// A function that is called with the type of each question.
pub(crate) trait Visitor {
    fn visit<Q: Question>(&mut self);
}

/// Visits every question, in the order of the description.
pub(crate) fn each(visitor: &mut impl Visitor) {
    visitor.visit::<super::dau::Dau>();
    visitor.visit::<super::top_events::TopEvents>();
    visitor.visit::<super::retention::Retention>();
    visitor.visit::<super::rows::events::Events>();
    visitor.visit::<super::users::Users>();
    visitor.visit::<super::users::OneUser>();
    visitor.visit::<super::rows::events::UserEvents>();
    visitor.visit::<super::sessions::Sessions>();
    visitor.visit::<super::sessions::OneSession>();
    visitor.visit::<super::rows::events::SessionEvents>();
    visitor.visit::<super::accounts::AccountSample>();
    visitor.visit::<super::accounts::AccountSummary>();
    visitor.visit::<super::event_types::EventTypes>();
    visitor.visit::<super::event_types::EventTypeProperties>();
    visitor.visit::<super::funnel::Funnel>();
    visitor.visit::<super::trends::Trends>();
}
