//! `GET /pipeline/events/{event_id}`: whether an event is stored, a dead letter, or unknown.

use axum::Json;
use axum::extract::State;
use jiff::civil::Date;
use rollcall_shared::day::Day;
use rollcall_shared::event::identity;
use rollcall_shared::project::ProjectId;
use rollcall_shared::queue::subject::{subjects_of_event, subjects_of_messages};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::auth::{Access, Read};
use crate::error::ApiError;
use crate::extract::PathText;
use crate::ledger;
use crate::openapi::refusal;
use crate::parameters::Parameters;
use crate::queue::dead_letters::{DeadLetterStream, Unreadable};
use crate::queue::letter::{Letter, Summary};
use crate::read_pool::ReadPool;

/// At most this many letters that are messages are searched for an event. Such letters are rare: a message becomes one
/// if it killed its workers, no worker could read it, or most of its events have types beyond their project's limit.
const MAX_MESSAGES: usize = 100;

/// Where an event is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventStatus)]
#[serde(tag = "status", rename_all = "snake_case")]
pub(crate) enum Answer {
    /// Events with this id are stored.
    Stored {
        event_id: String,
        /// The UTC days of the times that were sent, at most the first 100. There are several if the id was used again
        /// with other times.
        days: Vec<Date>,
        /// Whether an event with this id was sent without a time.
        undated: bool,
    },
    /// It could not be stored.
    DeadLettered { event_id: String, dead_letter: Summary },
    /// The event was never received, or it is still in the queue.
    Unknown { event_id: String },
}

/// Answers `stored` with the days, `dead_lettered` with the letter, or `unknown`.
#[utoipa::path(
    get,
    path = "/pipeline/events/{event_id}",
    operation_id = "event_place",
    tag = "pipeline",
    summary = "State of an event",
    description = "The event is `stored`, `dead_lettered` or `unknown`. An event that is still in the queue is `unknown`, like one that was never sent.",
    params(("event_id" = String, Path, description = "The event id as it was sent, or as the answer to `POST /events` returned it.", example = "evt_001")),
    security(("api_key" = ["read"]), ("bearer" = ["read"])),
    responses((status = 200, description = "The state of the event.", body = Answer), refusal::WithKey),
)]
pub(crate) async fn event(
    State(reads): State<ReadPool>,
    State(nats): State<async_nats::Client>,
    access: Access<Read>,
    PathText(event_id): PathText,
    parameters: Parameters,
) -> Result<Json<Answer>, ApiError> {
    parameters.finish()?;
    let (project, id) = (access.project.id, identity(&event_id));
    let all_days = stored(&reads, project, id).await?;
    if !all_days.is_empty() {
        let days: Vec<_> = all_days.iter().filter(|day| **day != Day::UNDATED).map(|day| day.date()).collect();
        let undated = days.len() < all_days.len();
        return Ok(Json(Answer::Stored { event_id, days, undated }));
    }
    Ok(Json(match dead_letter(&nats, project, id).await? {
        Some(letter) => Answer::DeadLettered { event_id, dead_letter: letter.summary() },
        None => Answer::Unknown { event_id },
    }))
}

/// The identity days of the stored events with this id.
async fn stored(reads: &ReadPool, project: ProjectId, id: Uuid) -> Result<Vec<Day>, ApiError> {
    let mut connection = reads.acquire(project).await?;
    let days = ledger::days_of(&mut connection, project, id).await?;
    connection.answered();
    Ok(days)
}

async fn dead_letter(nats: &async_nats::Client, project: ProjectId, id: Uuid) -> Result<Option<Letter>, Unreadable> {
    let stream = DeadLetterStream::open(nats, project).await?;
    if let Some(letter) = stream.next(&subjects_of_event(project, id), 1).await? {
        return Ok(Some(letter));
    }
    let mut sequence = 1;
    for _ in 0..MAX_MESSAGES {
        let Some(letter) = stream.next(&subjects_of_messages(project), sequence).await? else { break };
        if letter.has_event(id) {
            return Ok(Some(letter));
        }
        sequence = letter.sequence() + 1;
    }
    Ok(None)
}
