//! Paging: which page of a list is asked for.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::PgConnection;

use super::cursor::SentCursor;
use super::question::Asker;
use crate::error::ApiError;
use crate::parameters::{Param, Parameters};

const LIMIT: Param = Param::new(&["limit"], "How many entries a page has at most.");

/// Which page.
pub(super) struct Paging {
    pub(super) limit: usize,
    cursor: Option<SentCursor>,
}

impl Paging {
    /// Takes `limit` and `cursor`.
    pub(super) fn take(parameters: &mut Parameters) -> Self {
        Self { limit: parameters.number(LIMIT, 100, 1..=1000) as usize, cursor: SentCursor::take(parameters) }
    }

    /// The position after which the page begins; `None` for the first page.
    ///
    /// # Errors
    /// [`ApiError::Parameters`] if the cursor is none of this list, and those of the database.
    pub(super) async fn position<P: DeserializeOwned>(
        &self,
        asker: &Asker,
        connection: &mut PgConnection,
    ) -> Result<Option<P>, ApiError> {
        match &self.cursor {
            Some(cursor) => Ok(Some(asker.list().position(cursor, connection).await?)),
            None => Ok(None),
        }
    }

    /// Cuts the entries, of which one more than the page takes were read, to the page. Returns the cursor
    /// of the next page if there is one.
    ///
    /// # Errors
    /// Those of the database.
    pub(super) async fn next_cursor<T, P: Serialize>(
        &self,
        asker: &Asker,
        entries: &mut Vec<T>,
        position: impl Fn(&T) -> P,
        connection: &mut PgConnection,
    ) -> Result<Option<String>, ApiError> {
        if entries.len() <= self.limit {
            return Ok(None);
        }
        entries.truncate(self.limit);
        match entries.last().map(position) {
            Some(last) => Ok(Some(asker.list().cursor(&last, connection).await?)),
            None => Ok(None),
        }
    }
}
