//! Secrets: texts that never appear in logs, and the files that may contain them.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Most bytes of a file with a secret. Keys, passwords and the credentials of NATS are far smaller; a larger file is
/// most likely another one.
const MAX_FILE_BYTES: usize = 64 * 1024;

/// A text that never appears in logs or debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// Why a file does not contain a secret. No message repeats the content.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    /// The file cannot be opened or read.
    #[error("cannot be read ({0})")]
    Unreadable(#[from] io::Error),
    /// The file has more than 64 KiB.
    #[error("has more than {MAX_FILE_BYTES} bytes")]
    TooLarge,
    /// The file has nothing in it.
    #[error("is empty")]
    Empty,
    /// The file is not text.
    #[error("is not UTF-8 text")]
    NotText,
}

impl Secret {
    /// Wraps a secret.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The content of a file, without the line end that editors put after the last line.
    ///
    /// # Errors
    /// The file cannot be read, is too large, is empty, or is not UTF-8.
    pub fn in_file(path: &Path) -> Result<Self, SecretFileError> {
        let mut content = Vec::new();
        File::open(path)?.take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut content)?;
        if content.len() > MAX_FILE_BYTES {
            return Err(SecretFileError::TooLarge);
        }
        let mut text = String::from_utf8(content).map_err(|_| SecretFileError::NotText)?;
        if text.ends_with('\n') {
            text.pop();
            if text.ends_with('\r') {
                text.pop();
            }
        }
        if text.is_empty() { Err(SecretFileError::Empty) } else { Ok(Self(text)) }
    }

    /// The secret itself, for the one place that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// The variable that names the file of a secret.
pub(super) fn file_variable(name: &str) -> String {
    format!("{name}_FILE")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a file with this content is as a secret.
    fn read(content: &[u8]) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, content).unwrap();
        Secret::in_file(&path).map(|secret| secret.expose().to_owned()).map_err(|error| error.to_string())
    }

    #[test]
    fn one_line_end_is_removed_and_nothing_else() {
        for (content, secret) in [("hush", "hush"), ("hush\n", "hush"), ("hush\r\n", "hush"), (" hush \n\n", " hush \n")] {
            assert_eq!(read(content.as_bytes()), Ok(secret.to_owned()));
        }
    }

    #[test]
    fn a_file_that_cannot_be_a_secret_is_refused() {
        let large = vec![b'x'; MAX_FILE_BYTES + 1];
        let cases =
            [(&b""[..], "is empty"), (b"\n", "is empty"), (b"\xff", "is not UTF-8 text"), (&large, "has more than 65536 bytes")];
        for (content, problem) in cases {
            assert_eq!(read(content), Err(problem.to_owned()));
        }
        assert!(read(&large[1..]).is_ok());
        assert!(Secret::in_file(Path::new("/")).unwrap_err().to_string().starts_with("cannot be read"));
    }
}
