//! Problems: what is wrong with one event or parameter, as answers list it.

use std::borrow::Cow;

use serde::Serialize;

/// One thing that is wrong with an event or a parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Problem {
    /// The event; absent for parameters.
    #[serde(flatten)]
    pub(crate) event: Option<EventPlace>,
    /// The field as the client named it, with the path inside it.
    pub(crate) field: String,
    /// Stable, for programs.
    pub(crate) code: &'static str,
    /// For people.
    pub(crate) message: String,
}

/// Which event of a batch has a problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct EventPlace {
    /// Its place in the batch, from 0.
    pub(crate) index: usize,
    /// Its id, if it could be read.
    pub(crate) event_id: Option<String>,
}

impl Problem {
    /// A problem with something that belongs to no event.
    pub(crate) fn of_parameter(field: &str, code: &'static str, message: impl Into<String>) -> Self {
        Self { event: None, field: clipped(field).into_owned(), code, message: message.into() }
    }
}

/// Longest name or path that an answer repeats, in characters: as long as any that could be right.
pub(crate) const MAX_REPEATED_CHARACTERS: usize = 200;

/// A text that a client chose, cut to a length that an answer can repeat.
pub(crate) fn clipped(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(MAX_REPEATED_CHARACTERS) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
    }
}
