//! A question: what every query has in common, from its parameters to its answer.
//!
//! Each question is a type in a file of its own that reads its parameters ([`Question::take`]) and
//! answers ([`Question::answer`]). The route, the description of the API and everything else that
//! offers questions are made from [`each`].

use std::sync::Arc;

use axum::extract::{RawPathParams, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::cursor::{Cursors, List};
use super::format::{Format, Table};
use super::recent::RecentAnswers;
use super::turn::Turns;
use crate::auth::{Access, Project, Read, Zone};
use crate::error::ApiError;
use crate::parameters::Parameters;
use crate::read_pool::ReadPool;

/// A question that clients with the scope `read` may send.
pub(crate) trait Question: Sized + Send + 'static {
    /// What it is answered with.
    type Answer: Answer;
    /// Its name for programs, such as `daily_active_users`.
    const ID: &'static str;
    /// Its path. A part in braces is the parameter of that name.
    const PATH: &'static str;
    /// Further paths, with the same parameters.
    const OTHER_PATHS: &'static [&'static str] = &[];
    /// What it asks, in a few words.
    const SUMMARY: &'static str;
    /// What a reader must know to understand the answer.
    const ABOUT: &'static str;

    /// Takes its parameters. What is wrong with them is recorded there; a question whose parameters
    /// have problems is never answered.
    fn take(parameters: &mut Parameters, zone: &Zone) -> Self;

    /// Answers it.
    ///
    /// # Errors
    /// Those of the database, and [`ApiError::NoSuch`] for questions about one thing that does not exist.
    fn answer(self, asker: &Asker) -> impl Future<Output = Result<Self::Answer, ApiError>> + Send;
}

/// An answer as clients get it.
pub(crate) trait Answer: Serialize + ToSchema + Send + 'static {
    /// Whether it can be had as CSV: it is a list or a series.
    const IS_TABLE: bool = false;

    /// The answer as a table, if it is one.
    fn table(&self) -> Option<Table> {
        None
    }

    /// Where the next page begins, if the answer is a page of a longer list.
    fn next_cursor(&self) -> Option<&str> {
        None
    }
}

/// What all questions are answered from. Clones share everything.
#[derive(Clone)]
pub(crate) struct Answering {
    pub(crate) reads: ReadPool,
    pub(crate) cursors: Cursors,
    /// What took long to compute.
    pub(crate) recent: RecentAnswers,
    /// What must not be computed many times at once.
    pub(crate) turns: Turns,
}

/// Who asks, and what the question may use.
pub(crate) struct Asker {
    pub(crate) answering: Answering,
    pub(crate) project: Arc<Project>,
    /// Identifies the question with its filters, whichever page of the answer is asked for.
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

    /// The list that this question pages through.
    pub(crate) fn list(&self) -> List<'_> {
        self.answering.cursors.list(self.project.id, &self.fingerprint)
    }
}

/// The handler of a question.
pub(crate) async fn ask<Q: Question>(
    State(answering): State<Answering>,
    access: Access<Read>,
    path: RawPathParams,
    headers: HeaderMap,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    let mut parameters = parameters.with_path(&path);
    let format = if Q::Answer::IS_TABLE { Format::take(&mut parameters, &headers) } else { Format::Json };
    let answer = answer::<Q>(answering, access.project, parameters).await?;
    Ok(format.respond(&answer))
}

/// Answers a question about a project, whoever brings it.
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

/// Something that is done with each question.
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
