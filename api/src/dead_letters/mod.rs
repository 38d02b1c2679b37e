//! Dead letters: `/admin/dead-letters`, where what could not be stored is looked at, sent again, or
//! thrown away.
//!
//! A `shelf` holds the letters of one project; a `letter` is one of them, read; a `filter` says which
//! are meant. Lists and mass changes go through the shelf a page at a time, from a cursor to the
//! letter that was the last when the first page was asked for: what fails again meanwhile is not
//! met twice.

mod filter;
mod letter;
mod page;
mod shelf;

use axum::Json;
use axum::extract::{Path, State};
use futures::stream::{self, StreamExt, TryStreamExt};
use rollcall_shared::project::ProjectId;
use serde::Serialize;
use serde_json::{Value, json};

use self::filter::Filter;
pub(crate) use self::letter::Letter;
use self::page::{Page, Paging};
pub(crate) use self::shelf::Shelf;
use crate::auth::{Access, Admin};
use crate::error::ApiError;
use crate::extract::Parameters;
use crate::state::AppState;

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
    let shelf = Shelf::open(&app, access.project.id).await?;
    let page = Page::read(&shelf, &access.project, &filter, paging).await?;
    let data: Vec<_> = page.letters.iter().map(Letter::summary).collect();
    Ok(Json(json!({ "data": data, "next_cursor": page.next_cursor })))
}

/// `GET /admin/dead-letters/{id}`: a letter with its events.
pub(crate) async fn show(
    State(app): State<AppState>,
    access: Access<Admin>,
    Path(id): Path<String>,
    parameters: Parameters,
) -> Result<Json<Value>, ApiError> {
    parameters.finish()?;
    let letter = find(&app, access.project.id, &id).await?.1;
    Ok(Json(letter.in_full()))
}

/// What a mass change did.
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
    mut parameters: Parameters,
) -> Result<Json<Value>, ApiError> {
    let filter = Filter::of(&mut parameters);
    let paging = Paging::of(&mut parameters);
    let dry_run = parameters.flag("dry_run");
    parameters.finish()?;
    let shelf = Shelf::open(&app, access.project.id).await?;
    let page = Page::read(&shelf, &access.project, &filter, paging).await?;
    if !dry_run {
        all(page.letters.iter().map(|letter| redrive_letter(&app, &shelf, letter)).collect()).await?;
    }
    Ok(Json(json!(Change { redriven: Some(if dry_run { 0 } else { page.letters.len() }), ..page.change() })))
}

/// `POST /admin/dead-letters/{id}/redrive`: sends one letter again.
pub(crate) async fn redrive_one(
    State(app): State<AppState>,
    access: Access<Admin>,
    Path(id): Path<String>,
    mut parameters: Parameters,
) -> Result<Json<Value>, ApiError> {
    let dry_run = parameters.flag("dry_run");
    parameters.finish()?;
    let (shelf, letter) = find(&app, access.project.id, &id).await?;
    if !dry_run {
        redrive_letter(&app, &shelf, &letter).await?;
    }
    let change = Change { redriven: Some(usize::from(!dry_run)), ..Page::of_one(letter).change() };
    Ok(Json(json!(change)))
}

/// `DELETE /admin/dead-letters`: throws a page of letters away. Without a filter it asks for `all=true`.
pub(crate) async fn purge(
    State(app): State<AppState>,
    access: Access<Admin>,
    mut parameters: Parameters,
) -> Result<Json<Value>, ApiError> {
    let filter = Filter::of(&mut parameters);
    let paging = Paging::of(&mut parameters);
    let (dry_run, is_for_all) = (parameters.flag("dry_run"), parameters.flag("all"));
    if filter.is_empty() && !is_for_all {
        parameters.problem("all", "required", "must be true to purge every dead letter; or send a filter");
    }
    parameters.finish()?;
    let shelf = Shelf::open(&app, access.project.id).await?;
    let page = Page::read(&shelf, &access.project, &filter, paging).await?;
    if !dry_run {
        all(page.letters.iter().map(|letter| shelf.remove(letter)).collect()).await?;
        tracing::warn!(letters = page.letters.len(), project = %access.project.id, "dead letters were purged");
    }
    Ok(Json(json!(Change { purged: Some(if dry_run { 0 } else { page.letters.len() }), ..page.change() })))
}

/// `DELETE /admin/dead-letters/{id}`: throws one letter away.
pub(crate) async fn purge_one(
    State(app): State<AppState>,
    access: Access<Admin>,
    Path(id): Path<String>,
    mut parameters: Parameters,
) -> Result<Json<Value>, ApiError> {
    let dry_run = parameters.flag("dry_run");
    parameters.finish()?;
    let (shelf, letter) = find(&app, access.project.id, &id).await?;
    if !dry_run {
        shelf.remove(&letter).await?;
        tracing::warn!(letter = id, project = %access.project.id, "a dead letter was purged");
    }
    Ok(Json(json!(Change { purged: Some(usize::from(!dry_run)), ..Page::of_one(letter).change() })))
}

async fn find(app: &AppState, project: ProjectId, id: &str) -> Result<(Shelf, Letter), ApiError> {
    let none = || ApiError::NoSuch("dead letter");
    let sequence = id.parse().map_err(|_| none())?;
    let shelf = Shelf::open(app, project).await?;
    let letter = shelf.get(sequence).await?.ok_or_else(none)?;
    Ok((shelf, letter))
}

/// Sends a letter's events again and removes the letter once they are durable: a crash in between
/// leaves a letter whose events are stored or on their way, and sending them again stores nothing
/// twice.
async fn redrive_letter(app: &AppState, shelf: &Shelf, letter: &Letter) -> Result<(), ApiError> {
    let (payload, headers) = letter.to_send_again();
    app.publisher.publish_again(shelf.project(), payload, headers).await?;
    shelf.remove(letter).await
}

/// Makes changes, several at a time, and stops at the first error.
async fn all(changes: Vec<impl Future<Output = Result<(), ApiError>>>) -> Result<(), ApiError> {
    stream::iter(changes).buffer_unordered(IN_FLIGHT).try_collect().await
}
