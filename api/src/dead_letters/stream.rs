//! The stream of dead letters, as one project sees it.

use std::time::Duration;

use async_nats::jetstream;
use async_nats::jetstream::stream::{DirectGetErrorKind, Stream};
use rollcall_shared::project::ProjectId;
use rollcall_shared::queue::stream::DLQ_STREAM;
use rollcall_shared::queue::subject::subjects_of;

use super::letter::Letter;
use crate::error::ApiError;

/// How long the queue may take to answer one request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(3);

/// Reads and removes the dead letters of one project.
pub(crate) struct DeadLetterStream {
    stream: Stream<()>,
    project: ProjectId,
}

impl DeadLetterStream {
    /// The dead letters of a project.
    ///
    /// # Errors
    /// [`ApiError::DeadLettersUnavailable`].
    pub(crate) async fn open(client: &async_nats::Client, project: ProjectId) -> Result<Self, ApiError> {
        let mut context = jetstream::new(client.clone());
        context.set_timeout(REQUEST_TIMEOUT);
        let stream = context.get_stream_no_info(DLQ_STREAM).await.map_err(ApiError::internal)?;
        Ok(Self { stream, project })
    }

    pub(super) fn project(&self) -> ProjectId {
        self.project
    }

    /// The sequence of the newest letter of any project, 0 if there was none.
    ///
    /// # Errors
    /// [`ApiError::DeadLettersUnavailable`].
    pub(super) async fn last_sequence(&self) -> Result<u64, ApiError> {
        let info = in_time(self.stream.get_info()).await?.map_err(|error| unavailable(&error))?;
        Ok(info.state.last_sequence)
    }

    /// The letter of this sequence, if it is there and the project's.
    ///
    /// # Errors
    /// [`ApiError::DeadLettersUnavailable`].
    pub(super) async fn get(&self, sequence: u64) -> Result<Option<Letter>, ApiError> {
        let letter = self.next(&subjects_of(self.project), sequence).await?;
        Ok(letter.filter(|letter| letter.sequence() == sequence))
    }

    /// The first letter of one of these subjects from this sequence on.
    ///
    /// # Errors
    /// [`ApiError::DeadLettersUnavailable`].
    pub(crate) async fn next(&self, subjects: &str, sequence: u64) -> Result<Option<Letter>, ApiError> {
        match in_time(self.stream.direct_get_next_for_subject(subjects, Some(sequence.max(1)))).await? {
            Ok(message) => Ok(Some(Letter::read(message))),
            Err(error) if error.kind() == DirectGetErrorKind::NotFound => Ok(None),
            Err(error) => Err(unavailable(&error)),
        }
    }

    /// The first letter of any of several subjects from this sequence on.
    ///
    /// # Errors
    /// [`ApiError::DeadLettersUnavailable`].
    pub(super) async fn next_of(&self, subjects: &[String], sequence: u64) -> Result<Option<Letter>, ApiError> {
        let mut first: Option<Letter> = None;
        for subjects in subjects {
            let letter = self.next(subjects, sequence).await?;
            first = [first, letter].into_iter().flatten().min_by_key(Letter::sequence);
        }
        Ok(first)
    }

    /// Removes a letter; one that is gone already is no error.
    ///
    /// # Errors
    /// [`ApiError::DeadLettersUnavailable`].
    pub(super) async fn remove(&self, letter: &Letter) -> Result<(), ApiError> {
        let Err(error) = in_time(self.stream.delete_message(letter.sequence())).await? else { return Ok(()) };
        // The server has several errors for a letter that somebody else removed; none is left behind.
        if self.get(letter.sequence()).await?.is_none() { Ok(()) } else { Err(unavailable(&error)) }
    }
}

/// Limits the whole request: the NATS client's own timeout begins only once the request is sent, and
/// without a connection sending can wait.
async fn in_time<T>(answer: impl Future<Output = T>) -> Result<T, ApiError> {
    tokio::time::timeout(REQUEST_TIMEOUT, answer).await.map_err(|late| unavailable(&late))
}

fn unavailable(error: &(dyn std::error::Error + 'static)) -> ApiError {
    tracing::warn!(error, "the dead letters cannot be read");
    ApiError::DeadLettersUnavailable
}
