//! Upkeep: what the API does beside answering requests.
//!
//! Other replicas send notices when a key, a project or a schema has changed, and the key ring then forgets what it
//! knew. The project of `API_KEY` is read again and again, and the times at which keys were used are written, as are the
//! events that did not match their schemas.

use std::sync::Arc;
use std::time::Duration;

use rollcall_shared::project::ProjectId;
use rollcall_shared::queue::notice::{Notice, NoticeKind};
use sqlx::PgPool;
use tokio::time::MissedTickBehavior;

use crate::auth::KeyRing;
use crate::event_rules::RuleBook;
use crate::queue::notices::Notices;

/// Time between two rounds. A change of the project of `API_KEY` is seen after this time at the latest.
const INTERVAL: Duration = Duration::from_secs(4);
/// Time between two times of writing what did not match a schema.
const VIOLATIONS_INTERVAL: Duration = Duration::from_secs(1);

/// What is kept up to date, and with which connections.
pub(crate) struct Upkeep {
    pub(crate) keys: Arc<KeyRing>,
    pub(crate) rule_book: Arc<RuleBook>,
    pub(crate) pool: PgPool,
}

impl Upkeep {
    /// Keeps everything up to date, for ever.
    pub(crate) async fn run(&self, notices: &Notices) {
        tokio::join!(notices.follow(|notice| self.received(notice)), self.rounds(), self.violations());
    }

    async fn received(&self, notice: Notice) {
        let Notice { kind, id } = notice;
        let Ok(id) = id.parse() else { return };
        match kind {
            NoticeKind::Keys => self.keys.forget_key(id).await,
            // The version of the schemas is read with the key.
            NoticeKind::Projects | NoticeKind::Schemas => self.keys.doubt_project(ProjectId(id)),
        }
    }

    async fn rounds(&self) {
        let mut tick = tokio::time::interval(INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = self.keys.default_project_doubted() => {}
            }
            // While the database is away, everything stays as it was. Requests and health checks tell why.
            if let Err(error) = self.keys.read_default_project().await {
                tracing::debug!(error = &error as &dyn std::error::Error, "the project of API_KEY was not read again");
            }
            if let Err(error) = self.keys.write_last_uses(&self.pool).await {
                tracing::debug!(error = &error as &dyn std::error::Error, "the last uses of keys were not written");
            }
        }
    }

    async fn violations(&self) {
        let mut tick = tokio::time::interval(VIOLATIONS_INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            write_violations(&self.rule_book, &self.pool).await;
        }
    }
}

/// Writes what did not match a schema, if there is something. If that fails, it remains to be written.
pub(crate) async fn write_violations(rule_book: &RuleBook, pool: &PgPool) {
    if let Err(error) = rule_book.violations.write(pool).await {
        tracing::debug!(error = &error as &dyn std::error::Error, "violations of schemas were not written");
    }
}
