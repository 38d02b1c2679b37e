//! A filter: which dead letters are meant.

use jiff::civil::Date;
use rollcall_shared::dead_letter::{Code, subjects_of, subjects_of_event};
use rollcall_shared::event::identity;
use rollcall_shared::project::ProjectId;

use super::letter::Letter;
use crate::auth::Project;
use crate::extract::Parameters;

/// Every condition that is given must hold.
#[derive(Debug, Default)]
pub(super) struct Filter {
    code: Option<Code>,
    event_type: Option<String>,
    event_id: Option<String>,
    /// First and last day of the failure, in the project's time zone.
    from: Option<Date>,
    to: Option<Date>,
}

impl Filter {
    /// Reads `code`, `event_type`, `event_id`, `from` and `to`.
    pub(super) fn of(parameters: &mut Parameters) -> Self {
        let codes = Code::ALL.map(Code::name).join(", ");
        Self {
            code: parameters.parsed(&["code"], &format!("one of {codes}")),
            event_type: parameters.text(&["event_type"]),
            event_id: parameters.text(&["event_id"]),
            from: parameters.date(&["from", "from_date"]),
            to: parameters.date(&["to", "to_date"]),
        }
    }

    /// Whether it means every letter.
    pub(super) fn is_empty(&self) -> bool {
        self.code.is_none() && self.event_type.is_none() && self.event_id.is_none() && self.from.is_none() && self.to.is_none()
    }

    /// The subjects among which all that are meant can be found.
    pub(super) fn subjects(&self, project: ProjectId) -> String {
        match &self.event_id {
            Some(id) => subjects_of_event(project, identity(id)),
            None => subjects_of(project),
        }
    }

    /// Whether a letter of these subjects is meant.
    pub(super) fn matches(&self, letter: &Letter, project: &Project) -> bool {
        let verdict = letter.verdict();
        let day = project.calendar.day_of(verdict.failed_at.as_microsecond()).date();
        let is_type = |name: &String| letter.events().any(|event| event.event_type.0 == name.as_str());
        self.code.is_none_or(|code| code == verdict.code)
            && self.from.is_none_or(|from| from <= day)
            && self.to.is_none_or(|to| day <= to)
            && self.event_type.as_ref().is_none_or(is_type)
    }
}
