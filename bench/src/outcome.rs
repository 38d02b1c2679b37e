//! What a run found out.

use crate::row::Row;

/// The rows in order, and what must be known to read them.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) rows: Vec<Row>,
    pub(crate) notes: Vec<String>,
}

impl Outcome {
    /// Adds a remark, unless it was made before.
    pub(crate) fn note(&mut self, note: impl Into<String>) {
        let note = note.into();
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}
