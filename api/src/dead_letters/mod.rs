//! Dead letters: `/admin/dead-letters` lists, redrives and purges what could not be stored.
//!
//! A `filter` selects letters. Lists and changes of many letters read the stream a page at a time, from a cursor
//! to the letter that was the newest when the first page was read, so a redriven event that fails again
//! does not appear twice.

mod filter;
mod page;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, TryStreamExt};
use rollcall_shared::project::ProjectId;
use serde::Serialize;
use serde_json::{Value, json};

use self::filter::Filter;
use self::page::{Page, Paging};
use crate::auth::{Access, Admin, Project};
use crate::error::ApiError;
use crate::extract::PathText;
use crate::parameters::{Param, Parameters};
use crate::queue::dead_letters::DeadLetterStream;
use crate::queue::letter::Letter;
use crate::queue::publish::ChunkPublisher;

const DRY_RUN: Param = Param::new(&["dry_run"], "Say what would be changed, and change nothing.");
const ALL: Param = Param::new(&["all"], "Whether to purge every letter, where no filter is sent.");

/// Letters that are changed at the same time.
const IN_FLIGHT: usize = 32;

/// `GET /admin/dead-letters`: a page of letters, oldest first.
pub(crate) async fn list(
    State(nats): State<async_nats::Client>,
    access: Access<Admin>,
    mut parameters: Parameters,
) -> Result<Json<Value>, ApiError> {
    let filter = Filter::of(&mut parameters);
    let paging = Paging::of(&mut parameters);
    parameters.finish()?;
    let stream = DeadLetterStream::open(&nats, access.project.id).await?;
    let page = Page::read(&stream, &access.project, &filter, paging).await?;
    let data: Vec<_> = page.letters.iter().map(Letter::summary).collect();
    Ok(Json(json!({ "data": data, "next_cursor": page.next_cursor })))
}

/// `GET /admin/dead-letters/{id}`: a letter with its events.
pub(crate) async fn show(
    State(nats): State<async_nats::Client>,
    access: Access<Admin>,
    PathText(id): PathText,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    parameters.finish()?;
    let letter = find(&nats, access.project.id, &id).await?.1;
    Ok(Json(letter.in_full()).into_response())
}

/// What is done to letters.
#[derive(Clone, Copy, strum::Display)]
enum Act<'p> {
    /// Sends them again with this publisher.
    Redrive(&'p ChunkPublisher),
    /// Throws them away.
    Purge,
}

/// What a change did.
#[derive(Debug, Default, Serialize)]
struct Change {
    /// Letters that match the filter.
    matched: usize,
    /// Letters that were changed: 0 in a dry run.
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
    State(nats): State<async_nats::Client>,
    State(publisher): State<ChunkPublisher>,
    access: Access<Admin>,
    parameters: Parameters,
) -> Result<Json<Value>, ApiError> {
    change_page(&nats, &access.project, parameters, Act::Redrive(&publisher)).await
}

/// `POST /admin/dead-letters/{id}/redrive`: sends one letter again.
pub(crate) async fn redrive_one(
    State(nats): State<async_nats::Client>,
    State(publisher): State<ChunkPublisher>,
    access: Access<Admin>,
    PathText(id): PathText,
    parameters: Parameters,
) -> Result<Json<Value>, ApiError> {
    change_one(&nats, access.project.id, &id, parameters, Act::Redrive(&publisher)).await
}

/// `DELETE /admin/dead-letters`: throws a page of letters away. Without a filter it asks for `all=true`.
pub(crate) async fn purge(
    State(nats): State<async_nats::Client>,
    access: Access<Admin>,
    parameters: Parameters,
) -> Result<Json<Value>, ApiError> {
    change_page(&nats, &access.project, parameters, Act::Purge).await
}

/// `DELETE /admin/dead-letters/{id}`: throws one letter away.
pub(crate) async fn purge_one(
    State(nats): State<async_nats::Client>,
    access: Access<Admin>,
    PathText(id): PathText,
    parameters: Parameters,
) -> Result<Json<Value>, ApiError> {
    change_one(&nats, access.project.id, &id, parameters, Act::Purge).await
}

async fn change_page(
    nats: &async_nats::Client,
    project: &Project,
    mut parameters: Parameters,
    act: Act<'_>,
) -> Result<Json<Value>, ApiError> {
    let is_purge = matches!(act, Act::Purge);
    let filter = Filter::of(&mut parameters);
    let filter = if is_purge { filter.for_purge() } else { filter };
    let paging = Paging::of(&mut parameters);
    let dry_run = parameters.flag(DRY_RUN);
    if is_purge && !parameters.flag(ALL) && filter.is_empty() {
        parameters.problem(ALL.name(), "required", "must be true to purge every dead letter; or send a filter");
    }
    parameters.finish()?;
    let stream = DeadLetterStream::open(nats, project.id).await?;
    let page = Page::read(&stream, project, &filter, paging).await?;
    change(&stream, page, act, dry_run).await
}

async fn change_one(
    nats: &async_nats::Client,
    project: ProjectId,
    id: &str,
    mut parameters: Parameters,
    act: Act<'_>,
) -> Result<Json<Value>, ApiError> {
    let dry_run = parameters.flag(DRY_RUN);
    parameters.finish()?;
    let (stream, letter) = find(nats, project, id).await?;
    change(&stream, Page::of_one(letter), act, dry_run).await
}

/// Changes the letters of a page, several at a time, and stops at the first error.
async fn change(stream: &DeadLetterStream, page: Page, act: Act<'_>, dry_run: bool) -> Result<Json<Value>, ApiError> {
    if !dry_run {
        let changes: Vec<_> = page.letters.iter().map(|letter| change_letter(stream, letter, act)).collect();
        futures::stream::iter(changes).buffer_unordered(IN_FLIGHT).try_collect::<()>().await?;
        tracing::info!(letters = page.letters.len(), project = %stream.project(), %act, "dead letters were changed");
    }
    let changed = Some(if dry_run { 0 } else { page.letters.len() });
    let change = page.change();
    Ok(Json(json!(match act {
        Act::Redrive(_) => Change { redriven: changed, ..change },
        Act::Purge => Change { purged: changed, ..change },
    })))
}

/// A redrive removes the letter only after its events are durable. A crash in between leaves a letter whose
/// events are in the queue or stored. If they are sent again, they are not stored twice.
async fn change_letter(stream: &DeadLetterStream, letter: &Letter, act: Act<'_>) -> Result<(), ApiError> {
    if let Act::Redrive(publisher) = act {
        let (payload, headers) = letter.to_send_again();
        publisher.publish_again(stream.project(), payload, headers).await?;
    }
    Ok(stream.remove(letter).await?)
}

async fn find(nats: &async_nats::Client, project: ProjectId, id: &str) -> Result<(DeadLetterStream, Letter), ApiError> {
    let none = || ApiError::NoSuch("dead letter");
    let sequence = id.parse().map_err(|_| none())?;
    let stream = DeadLetterStream::open(nats, project).await?;
    let letter = stream.get(sequence).await?.ok_or_else(none)?;
    Ok((stream, letter))
}
