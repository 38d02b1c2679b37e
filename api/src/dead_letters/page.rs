//! A page of dead letters.

use std::fmt;
use std::str::FromStr;

use serde_json::json;

use super::Change;
use super::filter::Filter;
use crate::auth::Project;
use crate::error::ApiError;
use crate::parameters::{Param, Parameters};
use crate::queue::dead_letters::DeadLetterStream;
use crate::queue::letter::Letter;

const LIMIT: Param = Param::new(&["limit"], "The maximum number of letters in a page.");
const CURSOR: Param = Param::new(&["cursor"], "The `next_cursor` of the previous page.");

/// At most this many letters are read for one page. If few of them match the filter, the page may be short
/// or empty although there is a next one.
const MAX_SCANNED: usize = 5_000;

/// A page is full once its letters take this many bytes. A letter that is a whole message can take megabytes
/// after decompression.
const MAX_PAGE_BYTES: usize = 16 * 1024 * 1024;

/// Where a page begins and how long it is.
#[derive(Debug)]
pub(super) struct Paging {
    limit: usize,
    cursor: Option<Cursor>,
}

/// The first sequence of this page and the last sequence of all pages.
#[derive(Debug, Clone, Copy)]
struct Cursor {
    next: u64,
    last: u64,
}

/// Letters that match, oldest first.
pub(super) struct Page {
    pub(super) letters: Vec<Letter>,
    /// Where the next page begins, if there may be one.
    pub(super) next_cursor: Option<String>,
}

impl Paging {
    /// Reads `limit` and `cursor`.
    pub(super) fn of(parameters: &mut Parameters) -> Self {
        let limit = parameters.number(LIMIT, 100, 1..=1000) as usize;
        Self { limit, cursor: parameters.parsed(CURSOR, "a cursor from an answer", || json!({ "type": "string" })) }
    }
}

impl Page {
    /// Reads a page from the stream.
    ///
    /// # Errors
    /// [`ApiError::DeadLettersUnavailable`].
    pub(super) async fn read(
        stream: &DeadLetterStream,
        project: &Project,
        filter: &Filter,
        paging: Paging,
    ) -> Result<Self, ApiError> {
        let mut cursor = match paging.cursor {
            Some(cursor) => cursor,
            None => Cursor { next: 1, last: stream.last_sequence().await? },
        };
        let subjects = filter.subjects(project.id);
        let (mut letters, mut bytes) = (Vec::new(), 0);
        for _ in 0..MAX_SCANNED {
            if cursor.next > cursor.last {
                return Ok(Self { letters, next_cursor: None });
            }
            if letters.len() == paging.limit || bytes >= MAX_PAGE_BYTES {
                break;
            }
            match stream.next_of(&subjects, cursor.next).await?.filter(|letter| letter.sequence() <= cursor.last) {
                None => return Ok(Self { letters, next_cursor: None }),
                Some(letter) => {
                    cursor.next = letter.sequence() + 1;
                    if filter.matches(&letter, project)? {
                        bytes += letter.bytes();
                        letters.push(letter);
                    }
                }
            }
        }
        Ok(Self { letters, next_cursor: Some(cursor.to_string()) })
    }

    /// A page of one letter.
    pub(super) fn of_one(letter: Letter) -> Self {
        Self { letters: vec![letter], next_cursor: None }
    }

    /// The answer to a change of these letters, without the number of changed letters.
    pub(super) fn change(self) -> Change {
        Change {
            matched: self.letters.len(),
            events_count: self.letters.iter().map(Letter::events_count).sum(),
            next_cursor: self.next_cursor,
            ..Change::default()
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.next, self.last)
    }
}

impl FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (next, last) = text.split_once('-').ok_or(())?;
        Ok(Self { next: next.parse().map_err(drop)?, last: last.parse().map_err(drop)? })
    }
}
