//! Paging: the page of a list that a client requests.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::PgConnection;

use crate::cursor::{List, SentCursor};
use crate::error::ApiError;
use crate::parameters::{Param, Parameters};

const LIMIT: Param = Param::new(&["limit"], "How many entries a page has at most.");

/// The requested page.
pub(crate) struct Paging {
    pub(crate) limit: usize,
    cursor: Option<SentCursor>,
}

impl Paging {
    /// Reads `limit` and `cursor`.
    pub(crate) fn take(parameters: &mut Parameters) -> Self {
        Self { limit: parameters.number(LIMIT, 100, 1..=1000) as usize, cursor: SentCursor::take(parameters) }
    }

    /// The position after which the page begins; `None` for the first page.
    ///
    /// # Errors
    /// [`ApiError::Parameters`] if the cursor is not one of this list, and those of the database.
    pub(crate) async fn position<P: DeserializeOwned>(
        &self,
        list: &List<'_>,
        connection: &mut PgConnection,
    ) -> Result<Option<P>, ApiError> {
        match &self.cursor {
            Some(cursor) => Ok(Some(list.position(cursor, connection).await?)),
            None => Ok(None),
        }
    }

    /// Removes the entry beyond the page, which the caller reads in addition. Returns the cursor of the next
    /// page if there is such an entry.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) async fn next_cursor<T, P: Serialize>(
        &self,
        list: &List<'_>,
        entries: &mut Vec<T>,
        position: impl Fn(&T) -> P,
        connection: &mut PgConnection,
    ) -> Result<Option<String>, ApiError> {
        if entries.len() <= self.limit {
            return Ok(None);
        }
        entries.truncate(self.limit);
        match entries.last().map(position) {
            Some(last) => Ok(Some(list.cursor(&last, connection).await?)),
            None => Ok(None),
        }
    }
}
