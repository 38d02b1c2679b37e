//! The progress of work on the archive.

use indicatif::ProgressBar;
use rollcall_archive::Progress;

use crate::progress;

/// A bar that counts rows, with a line above it for each day.
pub(crate) struct Bar(ProgressBar);

impl Bar {
    pub(crate) fn new() -> Self {
        Self(progress::of_events(0))
    }

    /// Removes the bar; lines stay.
    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}

impl Progress for Bar {
    fn expect(&self, rows: u64) {
        self.0.inc_length(rows);
    }

    fn advance(&self, rows: u64) {
        self.0.inc(rows);
    }

    fn say(&self, message: &str) {
        self.0.suspend(|| println!("{message}"));
    }
}
