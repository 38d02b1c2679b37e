//! The stream of dead letters, as one project sees it.

use std::time::Duration;

use async_nats::jetstream::stream::{DirectGetErrorKind, Stream};
use async_nats::{Client, StatusCode, jetstream};
use rollcall_shared::project::ProjectId;
use rollcall_shared::queue::stream::DLQ_STREAM;
use rollcall_shared::queue::subject::subjects_of;
use serde_json::json;

use crate::queue::letter::Letter;

/// In the answer to a request for a batch of messages: how many more there are.
const NUM_PENDING: &str = "Nats-Num-Pending";

/// How long the queue may take to answer one request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(3);

/// The stream of dead letters does not answer, or not in time. The log has the cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the dead letters cannot be read")]
pub(crate) struct Unreadable;

/// Reads and removes the dead letters of one project.
pub(crate) struct DeadLetterStream {
    client: Client,
    stream: Stream<()>,
    project: ProjectId,
}

impl DeadLetterStream {
    /// The dead letters of a project.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub(crate) async fn open(client: &Client, project: ProjectId) -> Result<Self, Unreadable> {
        let mut context = jetstream::new(client.clone());
        context.set_timeout(REQUEST_TIMEOUT);
        let stream = context.get_stream_no_info(DLQ_STREAM).await.map_err(|error| unreadable(&error))?;
        Ok(Self { client: client.clone(), stream, project })
    }

    pub(crate) fn project(&self) -> ProjectId {
        self.project
    }

    /// The sequence of the newest letter of all projects; 0 if there was none.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub(crate) async fn last_sequence(&self) -> Result<u64, Unreadable> {
        let info = in_time(self.stream.get_info()).await?.map_err(|error| unreadable(&error))?;
        Ok(info.state.last_sequence)
    }

    /// The number of the project's letters; `None` if the server is older than 2.11 and does not count them.
    ///
    /// The state of the stream has the numbers too, but one for each letter, because each has its own subject.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub(crate) async fn count(&self) -> Result<Option<u64>, Unreadable> {
        let request = json!({ "seq": 1, "batch": 1, "next_by_subj": subjects_of(self.project) }).to_string();
        let first = self.client.request(format!("$JS.API.DIRECT.GET.{DLQ_STREAM}"), request.into());
        let first = in_time(first).await?.map_err(|error| unreadable(&error))?;
        if first.status == Some(StatusCode::NOT_FOUND) {
            return Ok(Some(0));
        }
        let pending = first.headers.as_ref().and_then(|headers| headers.get(NUM_PENDING)?.as_str().parse::<u64>().ok());
        Ok(pending.map(|others| others + 1))
    }

    /// The letter with this sequence, if there is one and it belongs to the project.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub(crate) async fn get(&self, sequence: u64) -> Result<Option<Letter>, Unreadable> {
        let letter = self.next(&subjects_of(self.project), sequence).await?;
        Ok(letter.filter(|letter| letter.sequence() == sequence))
    }

    /// The first letter, from this sequence on, whose subject matches `subjects`.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub(crate) async fn next(&self, subjects: &str, sequence: u64) -> Result<Option<Letter>, Unreadable> {
        match in_time(self.stream.direct_get_next_for_subject(subjects, Some(sequence.max(1)))).await? {
            Ok(message) => Ok(Some(Letter::read(message))),
            Err(error) if error.kind() == DirectGetErrorKind::NotFound => Ok(None),
            Err(error) => Err(unreadable(&error)),
        }
    }

    /// The first letter, from this sequence on, whose subject matches any of `subjects`.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub(crate) async fn next_of(&self, subjects: &[String], sequence: u64) -> Result<Option<Letter>, Unreadable> {
        let mut first: Option<Letter> = None;
        for subjects in subjects {
            let letter = self.next(subjects, sequence).await?;
            first = [first, letter].into_iter().flatten().min_by_key(Letter::sequence);
        }
        Ok(first)
    }

    /// Removes a letter. It is no error if somebody else has removed it.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub(crate) async fn remove(&self, letter: &Letter) -> Result<(), Unreadable> {
        let Err(error) = in_time(self.stream.delete_message(letter.sequence())).await? else { return Ok(()) };
        // The server has several errors for a letter that somebody else has removed, so this checks whether
        // it still exists.
        if self.get(letter.sequence()).await?.is_none() { Ok(()) } else { Err(unreadable(&error)) }
    }
}

/// Limits the time of a whole request. The NATS client's own timeout begins when the request is sent, which
/// can take long without a connection.
async fn in_time<T>(answer: impl Future<Output = T>) -> Result<T, Unreadable> {
    tokio::time::timeout(REQUEST_TIMEOUT, answer).await.map_err(|late| unreadable(&late))
}

fn unreadable(error: &(dyn std::error::Error + 'static)) -> Unreadable {
    tracing::warn!(error, "the dead letters cannot be read");
    Unreadable
}
