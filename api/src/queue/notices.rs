//! Notices: tells the other replicas that something which they cache has changed, and hears it from them.

use std::time::Duration;

use async_nats::Client;
use futures::StreamExt;
use rollcall_shared::queue::notice::{NOTICE_SUBJECTS, Notice};

/// How long a notice waits for a connection. After that, the others notice the change by themselves.
const SEND_TIMEOUT: Duration = Duration::from_secs(2);

/// Sends and receives notices. Clones share the connection.
#[derive(Clone)]
pub(crate) struct Notices(Client);

impl Notices {
    pub(crate) fn new(client: Client) -> Self {
        Self(client)
    }

    /// Sends a notice without waiting for it.
    pub(crate) fn send(&self, notice: Notice) {
        let client = self.0.clone();
        tokio::spawn(async move {
            let subject = notice.subject();
            let sent = tokio::time::timeout(SEND_TIMEOUT, client.publish(subject.clone(), notice.id.into())).await;
            if !matches!(sent, Ok(Ok(()))) {
                tracing::warn!(subject, "a notice was not sent; other replicas see the change a few seconds later");
            }
        });
    }

    /// Passes every notice to `receive`, those of this process too. Returns only if the connection is closed for
    /// good.
    pub(crate) async fn follow<F: Future<Output = ()>>(&self, receive: impl Fn(Notice) -> F) {
        let Ok(mut messages) = self.0.subscribe(NOTICE_SUBJECTS).await else { return };
        while let Some(message) = messages.next().await {
            if let Some(notice) = Notice::read(&message.subject, &message.payload) {
                receive(notice).await;
            }
        }
    }
}
