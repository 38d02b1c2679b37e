//! Upkeep: what the API does beside answering requests.
//!
//! Other replicas send notices when a key or a project has changed, and the key ring then forgets what it knew.
//! The project of `API_KEY` is read again and again, and the times at which keys were used are written.

use std::time::Duration;

use rollcall_shared::project::ProjectId;
use rollcall_shared::queue::notice::{Notice, NoticeKind};
use sqlx::PgPool;
use tokio::time::MissedTickBehavior;

use crate::auth::KeyRing;
use crate::queue::notices::Notices;

/// Time between two rounds. A change of the project of `API_KEY` is seen after this time at the latest.
const INTERVAL: Duration = Duration::from_secs(4);

/// Keeps the keys up to date. Returns only if the connection to NATS is closed for good.
pub(crate) async fn run(keys: &KeyRing, notices: &Notices, pool: &PgPool) {
    tokio::join!(notices.follow(|notice| received(keys, notice)), rounds(keys, pool));
}

async fn received(keys: &KeyRing, notice: Notice) {
    let Notice { kind, id } = notice;
    let Ok(id) = id.parse() else { return };
    match kind {
        NoticeKind::Keys => keys.forget_key(id).await,
        NoticeKind::Projects => keys.doubt_project(ProjectId(id)),
        NoticeKind::Schemas => {}
    }
}

async fn rounds(keys: &KeyRing, pool: &PgPool) {
    let mut tick = tokio::time::interval(INTERVAL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = keys.default_project_doubted() => {}
        }
        // While the database is away, everything stays as it was. Requests and health checks tell why.
        if let Err(error) = keys.read_default_project().await {
            tracing::debug!(error = &error as &dyn std::error::Error, "the project of API_KEY was not read again");
        }
        if let Err(error) = keys.write_last_uses(pool).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "the last uses of keys were not written");
        }
    }
}
