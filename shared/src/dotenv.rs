//! The file `.env`: sets variables that are not set otherwise.
//!
//! The file is searched in the working folder and then in the folders above it. All of it is checked before the
//! first variable is set. A line that is not valid stops the start, because the lines after it would be ignored
//! without a message.

use std::cell::Cell;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Why `.env` cannot be used. No message repeats a value: most of them are secrets.
#[derive(Debug, thiserror::Error)]
pub enum DotenvError {
    /// The file exists but cannot be read.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not. One reason is text that is not UTF-8.
        #[source]
        source: io::Error,
    },
    /// A line is not a setting.
    #[error("{}, line {line}: {problem}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1. For a value of several lines this is the first.
        line: usize,
        /// What is wrong, and how to write it.
        problem: String,
    },
}

/// Sets the variables of `.env` that are not set yet. Usually there is no file.
///
/// # Errors
/// The file cannot be read, or a line in it is not a setting. Then no variable is set.
pub fn load() -> Result<(), DotenvError> {
    let folder = std::env::current_dir().unwrap_or_default();
    let Some(path) = folder.ancestors().map(|folder| folder.join(".env")).find(|path| path.is_file()) else { return Ok(()) };
    let text = fs::read_to_string(&path).map_err(|source| DotenvError::Unreadable { path: path.clone(), source })?;
    check(&path, text.trim_start_matches('\u{feff}'))?;
    dotenvy::from_path(&path).map_err(|_| DotenvError::Line { path, line: 0, problem: "it changed while it was read".to_owned() })
}

fn check(path: &Path, text: &str) -> Result<(), DotenvError> {
    let lines_read = Cell::new(0);
    for item in dotenvy::from_read_iter(LineByLine { rest: text.as_bytes(), lines_read: &lines_read }) {
        let Err(error) = item else { continue };
        let lines_of_value = match &error {
            dotenvy::Error::LineParse(part, _) => part.trim_end().matches('\n').count(),
            _ => 0,
        };
        let line = lines_read.get().saturating_sub(lines_of_value).max(1);
        let first = text.lines().nth(line - 1).unwrap_or_default();
        return Err(DotenvError::Line { path: path.to_owned(), line, problem: problem(first) });
    }
    Ok(())
}

/// Describes what is wrong with a line, without the value, which may be secret.
fn problem(line: &str) -> String {
    let name = line.split_once('=').map(|(name, _)| name.trim().trim_start_matches("export ").trim());
    match name {
        Some(name) if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') => format!(
            "the value of {name} cannot be read; one with spaces, quotation marks, $ or \\ in it is written in 'single quotes'"
        ),
        _ => "it is neither NAME=value nor a comment that begins with #".to_owned(),
    }
}

/// Returns one line per call, so that `lines_read` is the number of the line that is being parsed.
struct LineByLine<'a> {
    rest: &'a [u8],
    lines_read: &'a Cell<usize>,
}

impl Read for LineByLine<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let line = self.rest.iter().position(|&byte| byte == b'\n').map_or(self.rest.len(), |end| end + 1);
        let taken = line.min(buffer.len());
        buffer[..taken].copy_from_slice(&self.rest[..taken]);
        self.rest = &self.rest[taken..];
        if taken > 0 && (buffer[taken - 1] == b'\n' || self.rest.is_empty()) {
            self.lines_read.set(self.lines_read.get() + 1);
        }
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        check(Path::new(".env"), text).unwrap_err().to_string()
    }

    #[test]
    fn the_usual_lines_are_taken() {
        let text = "# a comment\n\nexport A=1\nB='x y'\nC=\"two\nlines\" # why\nD=\nE=a#b\n";
        check(Path::new(".env"), text).unwrap();
    }

    #[test]
    fn a_line_without_a_name_is_named_by_its_number() {
        assert_eq!(message("A=1\n\nhush hush\nB=2\n"), ".env, line 3: it is neither NAME=value nor a comment that begins with #");
    }

    #[test]
    fn a_value_that_cannot_be_read_is_not_repeated() {
        let message = message("A='hush hush'\n# a comment\nAPI_KEY=hush hush\nB=2\n");
        assert!(message.starts_with(".env, line 3: the value of API_KEY cannot be read"), "{message}");
        assert!(!message.contains("hush"), "{message}");
    }

    #[test]
    fn a_quotation_mark_that_is_never_closed_is_found_where_it_opens() {
        assert!(message("A=1\nB=\"hush\nC=2\nD=3\n").starts_with(".env, line 2: the value of B"));
    }
}
