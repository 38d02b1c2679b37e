//! Writing rows: by COPY for many of them, by INSERT for few.

pub(crate) mod copy;
pub(crate) mod delta;
pub(crate) mod insert;
pub(crate) mod timestamp;

/// How the rows of a batch are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Write {
    /// By INSERT or COPY, whichever is quicker for their number.
    Quickest,
    /// By INSERT, whose errors say more than those of a COPY.
    Insert,
}

impl Write {
    /// Whether this number of rows is written by COPY.
    pub(crate) const fn copies(self, rows: usize) -> bool {
        matches!(self, Self::Quickest) && rows > insert::INSERT_MAX_ROWS
    }
}
