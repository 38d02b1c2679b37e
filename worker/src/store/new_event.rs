//! New events: the rows of a batch whose identities are new, with the numbers under which they are stored.

use rollcall_shared::day::Hour;

use crate::store::dictionary::Numbers;
use crate::store::row::{Identity, Row};

/// A row that was stored for the first time, with its numbers.
#[derive(Debug)]
pub(crate) struct NewEvent<'r, 'a> {
    pub(crate) row: &'r Row<'a>,
    pub(crate) event_type_id: i32,
    pub(crate) user_ord: i32,
    /// In the project's time zone.
    pub(crate) hour: Hour,
}

/// The rows that are new, with their numbers, sorted by user: a user's rows of one batch are next to each
/// other in the table, so a timeline reads few pages.
pub(crate) fn new_events<'r, 'a>(rows: &'r [Row<'a>], claimed: &[Identity], numbers: &Numbers<'_>) -> Vec<NewEvent<'r, 'a>> {
    let mut claimed = claimed.iter().peekable();
    let mut new = Vec::with_capacity(claimed.len());
    for row in rows {
        if claimed.next_if_eq(&&row.identity).is_none() {
            continue;
        }
        let project = row.identity.project;
        new.push(NewEvent {
            row,
            event_type_id: numbers.event_types[&(project, row.event.event_type.0.as_ref())],
            user_ord: numbers.actors[&(project, row.event.actor())],
            hour: numbers.calendars[&project].hour_of(row.event.occurred_at_us),
        });
    }
    new.sort_unstable_by_key(|event| (event.row.identity.project, event.user_ord, event.row.event.occurred_at_us));
    new
}
