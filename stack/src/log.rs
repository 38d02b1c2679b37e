//! A server's log file, and the part of it that the latest run wrote.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::StackError;

/// A log larger than this is renamed when the server starts, so a folder keeps at most two of about
/// this size.
const MAX_BYTES: u64 = 16 << 20;

/// Number of lines in an error message. A server that cannot start gives the reason in fewer.
const TAIL_LINES: usize = 15;

/// The log file of one server.
#[derive(Debug)]
pub(crate) struct ServerLog {
    path: PathBuf,
    /// Where the latest run began to write.
    begin: u64,
}

impl ServerLog {
    /// The log at this path. [`ServerLog::begin_run`] creates the file.
    pub(crate) fn at(path: PathBuf) -> Self {
        Self { path, begin: 0 }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the file for the output of a new run. Only its owner may read it.
    ///
    /// # Errors
    /// Only if the file cannot be opened or the old file cannot be renamed.
    pub(crate) fn begin_run(&mut self) -> Result<File, StackError> {
        self.begin = fs::metadata(&self.path).map_or(0, |metadata| metadata.len());
        if self.begin > MAX_BYTES {
            fs::rename(&self.path, self.path.with_extension("log.old")).map_err(StackError::file("rename", &self.path))?;
            self.begin = 0;
        }
        OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path).map_err(StackError::file("open", &self.path))
    }

    /// Everything that the latest run has written so far.
    pub(crate) fn of_this_run(&self) -> String {
        let mut bytes = Vec::new();
        if let Ok(mut file) = File::open(&self.path)
            && file.seek(SeekFrom::Start(self.begin)).is_ok()
            && let Err(error) = file.read_to_end(&mut bytes)
        {
            return format!("(cannot read the log: {error})");
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The last lines of the latest run, for an error message.
    pub(crate) fn tail(&self) -> String {
        let text = self.of_this_run();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
    }
}
