//! The database and the store that the environment names.

use std::time::Duration;

use anyhow::{Context, bail};
use rollcall_archive::{ArchiveSettings, Store};
use rollcall_shared::database::{self, DatabaseSettings};
use rollcall_shared::settings::Environment;
use rollcall_shared::shutdown;
use rollcall_shared::telemetry::LogSettings;
use sqlx::PgPool;

/// What work on the archive needs.
pub(crate) struct Opened {
    pub(crate) pool: PgPool,
    pub(crate) store: Store,
    pub(crate) settings: ArchiveSettings,
}

impl Opened {
    /// Reads the settings and opens both.
    ///
    /// # Errors
    /// A setting is wrong, or the store cannot be opened.
    pub(crate) async fn from_env() -> anyhow::Result<Self> {
        let mut environment = Environment::of_process();
        let logs = LogSettings::from_env(&mut environment);
        let database = DatabaseSettings::from_env(&mut environment);
        let settings = ArchiveSettings::from_env(&mut environment);
        environment.finish()?;
        logs.start();
        // Reading a day takes as long as it takes.
        let pool = database::pool(&database, "rollcall-archive", Duration::ZERO).context("DATABASE_URL")?;
        database::wait_until_reachable(&pool).await;
        Ok(Self { store: Store::open(&settings)?, pool, settings })
    }

    /// Does the work, until the process is asked to stop.
    ///
    /// # Errors
    /// Those of the work; or it was interrupted.
    pub(crate) async fn unless_stopped<T>(&self, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        let stop = shutdown::on_signal()?;
        tokio::select! {
            done = work => done,
            () = stop.cancelled() => bail!("interrupted; the same command goes on from here"),
        }
    }
}
