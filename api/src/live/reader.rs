//! A reader: the event stream for one client.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use super::hub::Membership;
use crate::auth::{Credential, KeyRing, Read, RequiredScope};

/// The first bytes of the stream. They show the client, and proxies in between, that the stream has begun.
const BEGINNING: Bytes = Bytes::from_static(b": live\n\n");
/// A comment, which clients ignore. It keeps proxies from closing an idle connection.
const HEARTBEAT: Bytes = Bytes::from_static(b": heartbeat\n\n");
/// Interval at which a reader's key, or session, is checked. The key ring trusts a look-up for four seconds, and a revoked
/// key must stop working within five.
const KEY_INTERVAL: Duration = Duration::from_millis(500);

/// Sends frames until the process stops, the key is revoked or expires, or the client disconnects.
pub(super) struct Reader {
    membership: Membership,
    heartbeat: Interval,
    stop: CancellationToken,
    /// Completes when the key is revoked or expires.
    key_ended: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Reader {
    pub(super) fn new(
        membership: Membership,
        heartbeat: Duration,
        stop: CancellationToken,
        keys: Arc<KeyRing>,
        credential: Credential,
    ) -> Self {
        let mut heartbeat = interval_at(Instant::now() + heartbeat, heartbeat);
        // Comments that were skipped while events were sent are not sent later.
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { membership, heartbeat, stop, key_ended: Box::pin(key_ended(keys, credential)) }
    }

    /// The stream of frames for the client.
    pub(super) fn frames(self) -> impl Stream<Item = Result<Bytes, Infallible>> {
        futures::stream::unfold((self, Some(BEGINNING)), async |(mut reader, first)| {
            let frames = match first {
                Some(frames) => frames,
                None => reader.next().await?,
            };
            Some((Ok(frames), (reader, None)))
        })
    }

    async fn next(&mut self) -> Option<Bytes> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            () = &mut self.key_ended => None,
            frames = self.membership.mailbox.next() => Some(frames),
            _ = self.heartbeat.tick() => Some(HEARTBEAT),
        }
    }
}

/// Returns once the key no longer has the scope `read`, or the session has ended. While the database does not answer,
/// both stay valid.
pub(crate) async fn key_ended(keys: Arc<KeyRing>, credential: Credential) {
    let allows = async || keys.current_grant(&credential).await.map(|grant| grant.is_some_and(|grant| grant.allows(Read::SCOPE)));
    while allows().await.unwrap_or(true) {
        tokio::time::sleep(KEY_INTERVAL).await;
    }
}
