//! Dead letters: `/admin/dead-letters` lists, redrives and purges what could not be stored.
//!
//! `stream` reads and removes the letters of one project; a `letter` is one of them, decoded; a
//! `filter` selects letters. Lists and mass changes read the stream a page at a time, from a cursor to
//! the letter that was the newest when the first page was read, so a redriven event that fails again
//! does not appear twice.

mod filter;
mod letter;
mod page;
mod stream;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, TryStreamExt};
use rollcall_shared::project::ProjectId;
use serde::Serialize;
use serde_json::{Value, json};

use self::filter::Filter;
pub(crate) use self::letter::Letter;
use self::page::{Page, Paging};
pub(crate) use self::stream::DeadLetterStream;
use crate::auth::{Access, Admin, Project};
use crate::error::ApiError;
use crate::extract::PathText;
use crate::parameters::{Param, Parameters};
use crate::state::AppState;

const DRY_RUN: Param = Param::new(&["dry_run"], "Say what would be changed, and change nothing.");
const ALL: Param = Param::new(&["all"], "Whether to purge every letter, where no filter is sent.");

/// Letters changed at once.
const IN_FLIGHT: usize = 32;

/// `GET /admin/dead-letters`: a page of letters, oldest first.
pub(crate) async fn list(
    State(app): State<AppState>,
    access: Access<Admin>,
    mut parameters: Parameters,
) -> Result<Json<Value>, ApiError> {
    let filter = Filter::of(&mut parameters);
    let paging = Paging::of(&mut parameters);
    parameters.finish()?;
    let stream = DeadLetterStream::open(&app.nats, access.project.id).await?;
    let page = Page::read(&stream, &access.project, &filter, paging).await?;
    let data: Vec<_> = page.letters.iter().map(Letter::summary).collect();
    Ok(Json(json!({ "data": data, "next_cursor": page.next_cursor })))
}

/// `GET /admin/dead-letters/{id}`: a letter with its events.
pub(crate) async fn show(
    State(app): State<AppState>,
    access: Access<Admin>,
    PathText(id): PathText,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    parameters.finish()?;
    let letter = find(&app, access.project.id, &id).await?.1;
    Ok(Json(letter.in_full()).into_response())
}

/// What is done to letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    /// They are sent again.
    Redrive,
    /// They are thrown away.
    Purge,
}

/// What a change did.
#[derive(Debug, Default, Serialize)]
struct Change {
    /// Letters that were meant.
    matched: usize,
    /// Letters that are changed; none in a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    redriven: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purged: Option<usize>,
    /// Their events.
    events_count: u64,
    next_cursor: Option<String>,
}

/// `POST /admin/dead-letters/redrive`: sends a page of letters again.
pub(crate) async fn redrive(
    State(app): State<AppState>,
    access: Access<Admin>,
    parameters: Parameters,
) -> Result<Json<Value>, ApiError> {
    change_page(&app, &access.project, parameters, Act::Redrive).await
}

/// `POST /admin/dead-letters/{id}/redrive`: sends one letter again.
pub(crate) async fn redrive_one(
    State(app): State<AppState>,
    access: Access<Admin>,
    PathText(id): PathText,
    parameters: Parameters,
) -> Result<Json<Value>, ApiError> {
    change_one(&app, access.project.id, &id, parameters, Act::Redrive).await
}

/// `DELETE /admin/dead-letters`: throws a page of letters away. Without a filter it asks for `all=true`.
pub(crate) async fn purge(
    State(app): State<AppState>,
    access: Access<Admin>,
    parameters: Parameters,
) -> Result<Json<Value>, ApiError> {
    change_page(&app, &access.project, parameters, Act::Purge).await
}

/// `DELETE /admin/dead-letters/{id}`: throws one letter away.
pub(crate) async fn purge_one(
    State(app): State<AppState>,
    access: Access<Admin>,
    PathText(id): PathText,
    parameters: Parameters,
) -> Result<Json<Value>, ApiError> {
    change_one(&app, access.project.id, &id, parameters, Act::Purge).await
}

async fn change_page(app: &AppState, project: &Project, mut parameters: Parameters, act: Act) -> Result<Json<Value>, ApiError> {
    let filter = Filter::of(&mut parameters);
    let filter = if act == Act::Purge { filter.for_purge() } else { filter };
    let paging = Paging::of(&mut parameters);
    let dry_run = parameters.flag(DRY_RUN);
    if act == Act::Purge && !parameters.flag(ALL) && filter.is_empty() {
        parameters.problem(ALL.name(), "required", "must be true to purge every dead letter; or send a filter");
    }
    parameters.finish()?;
    let stream = DeadLetterStream::open(&app.nats, project.id).await?;
    let page = Page::read(&stream, project, &filter, paging).await?;
    change(app, &stream, page, act, dry_run).await
}

async fn change_one(
    app: &AppState,
    project: ProjectId,
    id: &str,
    mut parameters: Parameters,
    act: Act,
) -> Result<Json<Value>, ApiError> {
    let dry_run = parameters.flag(DRY_RUN);
    parameters.finish()?;
    let (stream, letter) = find(app, project, id).await?;
    change(app, &stream, Page::of_one(letter), act, dry_run).await
}

/// Changes the letters of a page, several at a time, and stops at the first error.
async fn change(app: &AppState, stream: &DeadLetterStream, page: Page, act: Act, dry_run: bool) -> Result<Json<Value>, ApiError> {
    if !dry_run {
        let changes: Vec<_> = page.letters.iter().map(|letter| change_letter(app, stream, letter, act)).collect();
        futures::stream::iter(changes).buffer_unordered(IN_FLIGHT).try_collect::<()>().await?;
        tracing::info!(letters = page.letters.len(), project = %stream.project(), ?act, "dead letters were changed");
    }
    let changed = Some(if dry_run { 0 } else { page.letters.len() });
    let change = page.change();
    Ok(Json(json!(match act {
        Act::Redrive => Change { redriven: changed, ..change },
        Act::Purge => Change { purged: changed, ..change },
    })))
}

/// A letter to be redriven is removed once its events are durable: a crash in between leaves a letter
/// whose events are stored or on their way, and sending them again stores nothing twice.
async fn change_letter(app: &AppState, stream: &DeadLetterStream, letter: &Letter, act: Act) -> Result<(), ApiError> {
    if act == Act::Redrive {
        let (payload, headers) = letter.to_send_again();
        app.publisher.publish_again(stream.project(), payload, headers).await?;
    }
    stream.remove(letter).await
}

async fn find(app: &AppState, project: ProjectId, id: &str) -> Result<(DeadLetterStream, Letter), ApiError> {
    let none = || ApiError::NoSuch("dead letter");
    let sequence = id.parse().map_err(|_| none())?;
    let stream = DeadLetterStream::open(&app.nats, project).await?;
    let letter = stream.get(sequence).await?.ok_or_else(none)?;
    Ok((stream, letter))
}
