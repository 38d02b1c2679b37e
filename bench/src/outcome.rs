//! The result of a run.

use crate::row::Row;

/// The rows of the report in order, and remarks about them.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) rows: Vec<Row>,
    pub(crate) notes: Vec<String>,
}

impl Outcome {
    /// Adds a remark, unless it is there already.
    pub(crate) fn note(&mut self, note: impl Into<String>) {
        let note = note.into();
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}
