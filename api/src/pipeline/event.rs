//! `GET /pipeline/events/{event_id}`: where is my event?

use axum::Json;
use axum::extract::State;
use jiff::civil::Date;
use rollcall_shared::day::Day;
use rollcall_shared::event::identity;
use rollcall_shared::project::ProjectId;
use rollcall_shared::queue::subject::{subjects_of_event, subjects_of_messages};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::auth::{Access, Read};
use crate::error::ApiError;
use crate::extract::PathText;
use crate::ledger;
use crate::parameters::Parameters;
use crate::queue::dead_letters::{DeadLetterStream, Unreadable};
use crate::queue::letter::Letter;
use crate::read_pool::ReadPool;

/// At most this many letters that are whole messages are searched for an event. Such letters are rare: a
/// message becomes one if it killed its workers or no worker could read it.
const MAX_MESSAGES: usize = 100;

/// Where an event is.
#[derive(Debug, Serialize)]
pub(crate) struct Answer {
    event_id: String,
    #[serde(flatten)]
    place: Place,
}

#[derive(Debug, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
enum Place {
    Stored(Stored),
    DeadLettered {
        dead_letter: Value,
    },
    /// Never seen, or still queued.
    Unknown,
}

/// The events that are stored under one id.
#[derive(Debug, Serialize)]
struct Stored {
    /// The UTC days of the times that were sent. There are several if the id was used again with other times.
    days: Vec<Date>,
    /// Whether an event with this id was sent without a time.
    undated: bool,
}

/// Answers `stored` with the days, `dead_lettered` with the letter, or `unknown`.
pub(crate) async fn event(
    State(reads): State<ReadPool>,
    State(nats): State<async_nats::Client>,
    access: Access<Read>,
    PathText(event_id): PathText,
    parameters: Parameters,
) -> Result<Json<Answer>, ApiError> {
    parameters.finish()?;
    let place = place(&reads, &nats, access.project.id, identity(&event_id)).await?;
    Ok(Json(Answer { event_id, place }))
}

async fn place(reads: &ReadPool, nats: &async_nats::Client, project: ProjectId, id: Uuid) -> Result<Place, ApiError> {
    if let Some(stored) = stored(reads, project, id).await? {
        return Ok(Place::Stored(stored));
    }
    let letter = dead_letter(nats, project, id).await?;
    Ok(letter.map_or(Place::Unknown, |letter| Place::DeadLettered { dead_letter: letter.summary() }))
}

async fn stored(reads: &ReadPool, project: ProjectId, id: Uuid) -> Result<Option<Stored>, ApiError> {
    let mut connection = reads.acquire(project).await?;
    let all = ledger::days_of(&mut connection, project, id).await?;
    connection.answered();
    let found = all.len();
    let days: Vec<_> = all.into_iter().filter(|day| *day != Day::UNDATED).map(Day::date).collect();
    let undated = days.len() < found;
    Ok((found > 0).then_some(Stored { days, undated }))
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
