//! Room: the total size of the answers to one request.
//!
//! The number of values in an answer is limited before a query is run, but not their size: a payload is one value,
//! and may have 64 KiB.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Serialize;

use crate::error::ApiError;

/// Maximum size of all answers as JSON, in bytes. The largest page of events has as much.
const MAX_BYTES: usize = 16 << 20;

/// The size of the answers so far, in bytes.
#[derive(Debug, Default)]
pub(super) struct Room(AtomicUsize);

impl Room {
    /// Counts an answer. The first one may have any size, because the REST API returns it too.
    ///
    /// # Errors
    /// [`ApiError::QueryTooComplex`].
    pub(super) fn take(&self, answer: &impl Serialize) -> Result<(), ApiError> {
        let mut size = Size(0);
        serde_json::to_writer(&mut size, answer).map_err(ApiError::internal)?;
        let before = self.0.fetch_add(size.0, Ordering::Relaxed);
        if before == 0 || before.saturating_add(size.0) <= MAX_BYTES {
            return Ok(());
        }
        self.0.fetch_sub(size.0, Ordering::Relaxed);
        let message = format!(
            "the answers to the query have more than {MAX_BYTES} bytes together; send several requests, or read lists page by page with `events` and its `cursor`"
        );
        Err(ApiError::QueryTooComplex(message))
    }
}

/// Counts the bytes that are written.
struct Size(usize);

impl io::Write for Size {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_share_the_room_but_the_first_may_have_any_size() {
        let (half, all) = ("x".repeat(MAX_BYTES / 2), "x".repeat(MAX_BYTES));
        let room = Room::default();
        room.take(&half).unwrap();
        assert!(matches!(room.take(&half), Err(ApiError::QueryTooComplex(_))), "the quotes are too much");
        room.take(&&half[4..]).unwrap();
        let room = Room::default();
        room.take(&all).unwrap();
        assert!(room.take(&"").is_err());
    }
}
