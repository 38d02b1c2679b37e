//! `GET /pipeline/events/{event_id}`: where is my event?

use axum::Json;
use axum::extract::State;
use jiff::civil::Date;
use rollcall_shared::day::Day;
use rollcall_shared::dead_letter::{subjects_of_event, subjects_of_messages};
use rollcall_shared::event::identity;
use rollcall_shared::project::ProjectId;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::auth::{Access, Read};
use crate::dead_letters::{Letter, Shelf};
use crate::error::ApiError;
use crate::extract::{Parameters, PathText};
use crate::state::AppState;

/// Letters that are whole messages and are looked through for an event. There are few: a message
/// that killed its workers, or that nobody could read.
const MAX_MESSAGES: usize = 100;

/// `stored` with the days, `dead_lettered` with the letter, or `unknown`: never seen, or still queued.
pub(crate) async fn event(
    State(app): State<AppState>,
    access: Access<Read>,
    PathText(event_id): PathText,
    parameters: Parameters,
) -> Result<Json<Value>, ApiError> {
    parameters.finish()?;
    let project = access.project.id;
    let id = identity(&event_id);
    let days = stored_on(&app, project, id).await?;
    if !days.is_empty() {
        return Ok(Json(json!({ "event_id": event_id, "status": "stored", "days": days })));
    }
    if let Some(letter) = dead_letter(&app, project, id).await? {
        return Ok(Json(json!({ "event_id": event_id, "status": "dead_lettered", "dead_letter": letter.summary() })));
    }
    Ok(Json(json!({ "event_id": event_id, "status": "unknown" })))
}

/// UTC days of the times that were sent; `null` stands for an event that was sent without a time.
async fn stored_on(app: &AppState, project: ProjectId, id: Uuid) -> Result<Vec<Option<Date>>, ApiError> {
    let rows = sqlx::query_file!("sql/event_days.sql", project.0, id).fetch_all(&app.database).await?;
    Ok(rows.into_iter().map(|row| Date::from(row.day)).map(|day| (day != Day::UNDATED.date()).then_some(day)).collect())
}

async fn dead_letter(app: &AppState, project: ProjectId, id: Uuid) -> Result<Option<Letter>, ApiError> {
    let shelf = Shelf::open(app, project).await?;
    if let Some(letter) = shelf.next(&subjects_of_event(project, id), 1).await? {
        return Ok(Some(letter));
    }
    let mut sequence = 1;
    for _ in 0..MAX_MESSAGES {
        let Some(letter) = shelf.next(&subjects_of_messages(project), sequence).await? else { break };
        if letter.events().any(|event| identity(&event.id.0) == id) {
            return Ok(Some(letter));
        }
        sequence = letter.sequence() + 1;
    }
    Ok(None)
}
