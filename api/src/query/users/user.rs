//! A user, and the statements that read users.

use jiff::Timestamp;
use jiff_sqlx::Timestamp as SqlTimestamp;
use serde::Serialize;
use sqlx::{FromRow, PgConnection};
use utoipa::ToSchema;

use crate::query::format::Cell;

/// A person who is counted: the user id of an event, or else its anonymous id, or else its session id.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct User {
    user_id: String,
    /// When the first event happened, in UTC.
    first_seen: Timestamp,
    /// When the latest event happened, in UTC.
    last_seen: Timestamp,
}

/// The columns of [`User::cells`].
pub(super) const COLUMNS: [&str; 3] = ["user_id", "first_seen", "last_seen"];

/// The selection of users.
#[derive(Debug)]
pub(super) enum UserKeys {
    /// The users whose ids begin with a text, after a given id.
    Page { prefix: String, after: Option<String> },
    /// The user with this id.
    One(String),
}

/// A user as the statement returns it.
#[derive(Debug, FromRow)]
pub(super) struct UserRow {
    /// The user's number in bitmaps.
    pub(super) ord: i32,
    pub(super) user_id: String,
    pub(super) first_seen: SqlTimestamp,
    pub(super) last_seen: SqlTimestamp,
    pub(super) events: i64,
}

/// The first users of the selection who have events, sorted by id.
///
/// # Errors
/// Those of the database.
pub(super) async fn read(
    connection: &mut PgConnection,
    project: i32,
    keys: UserKeys,
    limit: usize,
) -> sqlx::Result<Vec<UserRow>> {
    let (from, before, except, one) = match keys {
        UserKeys::Page { prefix, after } => {
            let before = end_of_prefix(&prefix);
            (after.clone().unwrap_or(prefix), before, after, None)
        }
        UserKeys::One(id) => (id.clone(), None, None, Some(id)),
    };
    // PostgreSQL plans the statement for its actual values and drops the conditions that are null.
    sqlx::query_as(include_str!("../../../sql/users/users.sql"))
        .persistent(false)
        .bind(project)
        .bind(from)
        .bind(before)
        .bind(except)
        .bind(one)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await
}

/// The first text in byte order after all texts that begin with `prefix`; `None` if there is none.
fn end_of_prefix(prefix: &str) -> Option<String> {
    let mut end = prefix.to_owned();
    while let Some(last) = end.pop() {
        // The order of characters is that of their bytes in UTF-8.
        if let Some(next) = (last..=char::MAX).nth(1) {
            end.push(next);
            return Some(end);
        }
    }
    None
}

impl From<UserRow> for User {
    fn from(row: UserRow) -> Self {
        Self { user_id: row.user_id, first_seen: row.first_seen.to_jiff(), last_seen: row.last_seen.to_jiff() }
    }
}

impl User {
    /// The position of this user: the id.
    pub(super) fn position(&self) -> String {
        self.user_id.clone()
    }

    /// Its cells in a table with [`COLUMNS`].
    pub(super) fn cells(&self) -> Vec<Cell> {
        vec![Cell::text(Some(&self.user_id)), Cell::plain(self.first_seen), Cell::plain(self.last_seen)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_with_a_prefix_comes_before_its_end_and_nothing_else_does() {
        for (prefix, end) in [
            ("a", Some("b")),
            ("50%", Some("50&")),
            ("\u{d7ff}", Some("\u{e000}")),
            ("a\u{10ffff}", Some("b")),
            ("\u{10ffff}", None),
            ("", None),
        ] {
            assert_eq!(end_of_prefix(prefix).as_deref(), end, "{prefix:?}");
        }
    }
}
