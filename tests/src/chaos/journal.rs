//! The journal: when each fault began and ended, in the folder of the processes' logs.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;

use jiff::Timestamp;

/// Where a run writes down what it does.
#[derive(Debug)]
pub(crate) struct Journal(Mutex<File>);

impl Journal {
    /// A new `journal.log` in the folder.
    pub(crate) fn open(folder: &Path) -> Self {
        Self(Mutex::new(File::create(folder.join("journal.log")).expect("a journal can be written")))
    }

    /// One line, with the time.
    pub(crate) fn note(&self, line: &str) {
        let mut file = self.0.lock().expect("no panic");
        writeln!(file, "{:.3} {line}", Timestamp::now()).expect("a journal can be written");
    }
}
