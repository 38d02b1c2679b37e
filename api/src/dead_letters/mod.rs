//! Dead letters: `/admin/dead-letters` lists, redrives and purges what could not be stored.
//!
//! A `filter` selects letters, and `parameters` reads what a request says. Lists and changes of many letters
//! read the stream a page at a time, from a cursor to the letter that was the newest when the first page was
//! read, so a redriven event that fails again does not appear twice. Each page that is changed has an entry in
//! the audit log (`entry`).

mod entry;
mod filter;
mod page;
mod parameters;

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, TryStreamExt};
use rollcall_shared::project::ProjectId;
use serde::Serialize;
use utoipa::ToSchema;

use self::page::Page;
use self::parameters::{ChangeParameters, ListParameters, OfList, OfOne, OfPurge, OfRedrive, dry_run};
use crate::admin::Administration;
use crate::admin::caller::Caller;
use crate::auth::{Access, Admin};
use crate::error::ApiError;
use crate::extract::PathText;
use crate::openapi::refusal;
use crate::parameters::Parameters;
use crate::queue::dead_letters::DeadLetterStream;
use crate::queue::letter::{InFull, Letter, Summary};
use crate::queue::publish::ChunkPublisher;
use crate::state::AppState;

/// Number of letters that are changed at the same time.
const IN_FLIGHT: usize = 32;

/// A page of dead letters, oldest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeadLetters)]
pub(crate) struct Listed {
    data: Vec<Summary>,
    /// The cursor of the next page. A page may be short, or empty, although there is a next one.
    next_cursor: Option<String>,
}

/// `GET /admin/dead-letters`: a page of letters, oldest first.
#[utoipa::path(
    get,
    path = "/admin/dead-letters",
    operation_id = "dead_letters",
    tag = "dead letters",
    summary = "List dead letters",
    description = "Lists dead letters, oldest first.",
    params(OfList),
    security(("api_key" = ["admin"]), ("bearer" = ["admin"])),
    responses((status = 200, description = "A page of dead letters.", body = Listed), refusal::WithKey),
)]
pub(crate) async fn list(
    State(nats): State<async_nats::Client>,
    access: Access<Admin>,
    mut parameters: Parameters,
) -> Result<Json<Listed>, ApiError> {
    let ListParameters { filter, paging } = ListParameters::take(&mut parameters);
    parameters.finish()?;
    let stream = DeadLetterStream::open(&nats, access.project.id).await?;
    let page = Page::read(&stream, &access.project, &filter, paging).await?;
    Ok(Json(Listed { data: page.letters.iter().map(Letter::summary).collect(), next_cursor: page.next_cursor }))
}

/// `GET /admin/dead-letters/{id}`: a letter with its events.
#[utoipa::path(
    get,
    path = "/admin/dead-letters/{id}",
    operation_id = "dead_letter",
    tag = "dead letters",
    summary = "Show a dead letter with its events",
    params(("id" = String, Path, description = "The `id` from a list.", example = "1")),
    security(("api_key" = ["admin"]), ("bearer" = ["admin"])),
    responses((status = 200, description = "The dead letter.", body = InFull), refusal::WithKey, refusal::NoSuch),
)]
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

/// Who changes letters, and what the change needs.
pub(crate) struct Changer {
    caller: Caller,
    administration: Administration,
    nats: async_nats::Client,
}

impl FromRequestParts<AppState> for Changer {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, app).await?;
        Ok(Self { caller, administration: app.administration.clone(), nats: app.nats.clone() })
    }
}

/// A change of letters.
#[derive(Clone, Copy, strum::Display)]
enum Act<'p> {
    /// Sends them again with this publisher.
    Redrive(&'p ChunkPublisher),
    /// Removes them.
    Purge,
}

/// The result of a change.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = DeadLettersChange)]
pub(crate) struct Change {
    /// The number of letters that matched.
    matched: usize,
    /// The number of letters that were sent again; absent for a purge, 0 in a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    redriven: Option<usize>,
    /// The number of letters that were removed; absent for a redrive, 0 in a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    purged: Option<usize>,
    /// The number of their events.
    events_count: u64,
    /// The cursor of the next page of matching letters.
    next_cursor: Option<String>,
}

/// `POST /admin/dead-letters/redrive`: sends a page of letters again.
#[utoipa::path(
    post,
    path = "/admin/dead-letters/redrive",
    operation_id = "redrive_dead_letters",
    tag = "dead letters",
    summary = "Send dead letters again",
    description = "Sends the events of a page of dead letters to the queue again. Follow `next_cursor` to reach all of them.",
    params(OfRedrive),
    security(("api_key" = ["admin"]), ("bearer" = ["admin"])),
    responses((status = 200, description = "The result of the change.", body = Change), refusal::WithKey),
)]
pub(crate) async fn redrive(
    changer: Changer,
    State(publisher): State<ChunkPublisher>,
    parameters: Parameters,
) -> Result<Json<Change>, ApiError> {
    change_page(&changer, parameters, Act::Redrive(&publisher)).await
}

/// `POST /admin/dead-letters/{id}/redrive`: sends one letter again.
#[utoipa::path(
    post,
    path = "/admin/dead-letters/{id}/redrive",
    operation_id = "redrive_dead_letter",
    tag = "dead letters",
    summary = "Send a dead letter again",
    params(("id" = String, Path, description = "The `id` from a list.", example = "1"), OfOne),
    security(("api_key" = ["admin"]), ("bearer" = ["admin"])),
    responses((status = 200, description = "The result of the change.", body = Change), refusal::WithKey, refusal::NoSuch),
)]
pub(crate) async fn redrive_one(
    changer: Changer,
    State(publisher): State<ChunkPublisher>,
    PathText(id): PathText,
    parameters: Parameters,
) -> Result<Json<Change>, ApiError> {
    change_one(&changer, &id, parameters, Act::Redrive(&publisher)).await
}

/// `DELETE /admin/dead-letters`: removes a page of letters. Without a filter, the request needs `all=true`.
#[utoipa::path(
    delete,
    path = "/admin/dead-letters",
    operation_id = "purge_dead_letters",
    tag = "dead letters",
    summary = "Purge dead letters",
    description = "Removes a page of dead letters. Without a filter, the request needs `all=true`.",
    params(OfPurge),
    security(("api_key" = ["admin"]), ("bearer" = ["admin"])),
    responses((status = 200, description = "The result of the change.", body = Change), refusal::WithKey),
)]
pub(crate) async fn purge(changer: Changer, parameters: Parameters) -> Result<Json<Change>, ApiError> {
    change_page(&changer, parameters, Act::Purge).await
}

/// `DELETE /admin/dead-letters/{id}`: removes one letter.
#[utoipa::path(
    delete,
    path = "/admin/dead-letters/{id}",
    operation_id = "purge_dead_letter",
    tag = "dead letters",
    summary = "Purge a dead letter",
    params(("id" = String, Path, description = "The `id` from a list.", example = "1"), OfOne),
    security(("api_key" = ["admin"]), ("bearer" = ["admin"])),
    responses((status = 200, description = "The result of the change.", body = Change), refusal::WithKey, refusal::NoSuch),
)]
pub(crate) async fn purge_one(
    changer: Changer,
    PathText(id): PathText,
    parameters: Parameters,
) -> Result<Json<Change>, ApiError> {
    change_one(&changer, &id, parameters, Act::Purge).await
}

async fn change_page(changer: &Changer, mut parameters: Parameters, act: Act<'_>) -> Result<Json<Change>, ApiError> {
    let ChangeParameters { filter, paging, dry_run } = match act {
        Act::Redrive(_) => ChangeParameters::take_for_redrive(&mut parameters),
        Act::Purge => ChangeParameters::take_for_purge(&mut parameters),
    };
    parameters.finish()?;
    let project = changer.caller.project();
    let stream = DeadLetterStream::open(&changer.nats, project.id).await?;
    let page = Page::read(&stream, project, &filter, paging).await?;
    if dry_run { Ok(answer(page, act, 0)) } else { change(changer, &stream, page, act).await }
}

async fn change_one(changer: &Changer, id: &str, mut parameters: Parameters, act: Act<'_>) -> Result<Json<Change>, ApiError> {
    let dry_run = dry_run(&mut parameters);
    parameters.finish()?;
    let (stream, letter) = find(&changer.nats, changer.caller.project().id, id).await?;
    let page = Page::of_one(letter);
    if dry_run { Ok(answer(page, act, 0)) } else { change(changer, &stream, page, act).await }
}

/// Changes the letters of a page, several at a time, and stops at the first error. Before that, it writes down what
/// is about to be changed.
async fn change(changer: &Changer, stream: &DeadLetterStream, page: Page, act: Act<'_>) -> Result<Json<Change>, ApiError> {
    entry::record(&page.letters, act, changer).await?;
    let changes: Vec<_> = page.letters.iter().map(|letter| change_letter(stream, letter, act)).collect();
    futures::stream::iter(changes).buffer_unordered(IN_FLIGHT).try_collect::<()>().await?;
    let changed = page.letters.len();
    tracing::info!(letters = changed, project = %stream.project(), %act, "dead letters were changed");
    Ok(answer(page, act, changed))
}

fn answer(page: Page, act: Act<'_>, changed: usize) -> Json<Change> {
    let change = page.change();
    Json(match act {
        Act::Redrive(_) => Change { redriven: Some(changed), ..change },
        Act::Purge => Change { purged: Some(changed), ..change },
    })
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
