//! A filter: which dead letters a request is about.

use jiff::civil::Date;
use rollcall_shared::event::identity;
use rollcall_shared::project::ProjectId;
use rollcall_shared::queue::dead_letter::Code;
use rollcall_shared::queue::subject::{subjects_of, subjects_of_event, subjects_of_messages};
use serde_json::json;
use strum::VariantNames;

use crate::auth::Project;
use crate::error::ApiError;
use crate::parameters::{Param, Parameters};
use crate::queue::letter::Letter;

const CODE: Param = Param::new(&["code"], "Only letters with this code.");
const EVENT_TYPE: Param = Param::new(&["event_type"], "Only letters with an event of this type.");
const EVENT_ID: Param = Param::new(&["event_id"], "Only letters with this event.");
const FROM: Param = Param::new(&["from", "from_date"], "The first day of the failures, in the project's time zone.");
const TO: Param = Param::new(&["to", "to_date"], "The last day of the failures.");

/// A letter matches if it meets every condition that is given.
#[derive(Debug, Default)]
pub(super) struct Filter {
    code: Option<Code>,
    event_type: Option<String>,
    event_id: Option<String>,
    /// First and last day of the failure, in the project's time zone.
    from: Option<Date>,
    to: Option<Date>,
    /// Whether a condition on the event id excludes letters that are whole messages.
    is_for_purge: bool,
}

impl Filter {
    /// Reads `code`, `event_type`, `event_id`, `from` and `to`.
    pub(super) fn of(parameters: &mut Parameters) -> Self {
        let codes = Code::VARIANTS.join(", ");
        Self {
            code: parameters.parsed(CODE, &format!("one of {codes}"), || json!({ "type": "string", "enum": Code::VARIANTS })),
            event_type: parameters.text(EVENT_TYPE),
            event_id: parameters.text(EVENT_ID),
            from: parameters.date(FROM),
            to: parameters.date(TO),
            is_for_purge: false,
        }
    }

    /// The same filter for a purge. A letter that is a whole message contains other events too, so an event
    /// id does not match it.
    pub(super) fn for_purge(self) -> Self {
        Self { is_for_purge: true, ..self }
    }

    /// Whether every letter matches.
    pub(super) fn is_empty(&self) -> bool {
        self.code.is_none() && self.event_type.is_none() && self.event_id.is_none() && self.from.is_none() && self.to.is_none()
    }

    /// The subjects of all letters that may match. With an event id these are the letters of that event, and
    /// the letters that are whole messages, of which there are few.
    pub(super) fn subjects(&self, project: ProjectId) -> Vec<String> {
        match &self.event_id {
            Some(id) if self.is_for_purge => vec![subjects_of_event(project, identity(id))],
            Some(id) => vec![subjects_of_event(project, identity(id)), subjects_of_messages(project)],
            None => vec![subjects_of(project)],
        }
    }

    /// Whether a letter of these subjects matches.
    ///
    /// # Errors
    /// [`ApiError::DatabaseUnavailable`] if a day is given and the project's calendar is not known yet.
    pub(super) fn matches(&self, letter: &Letter, project: &Project) -> Result<bool, ApiError> {
        let verdict = letter.verdict();
        if self.from.is_some() || self.to.is_some() {
            let day = project.zone()?.calendar.day_of(verdict.failed_at.as_microsecond()).date();
            if self.from.is_some_and(|from| day < from) || self.to.is_some_and(|to| to < day) {
                return Ok(false);
            }
        }
        let has_type = |name: &String| letter.events().any(|event| event.event_type.0 == name.as_str());
        let has_id = |id: &String| letter.has_event(identity(id));
        Ok(self.code.is_none_or(|code| code == verdict.code)
            && self.event_type.as_ref().is_none_or(has_type)
            && self.event_id.as_ref().is_none_or(has_id))
    }
}
