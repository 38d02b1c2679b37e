//! `rollcall migrate`: brings schema, streams and consumers up to date, for installations whose services
//! have no permission to do so.

use std::time::Duration;

use anyhow::Context;
use rollcall_shared::database::{self, DatabaseSettings};
use rollcall_shared::queue::connect::NatsSettings;
use rollcall_shared::queue::stream;
use rollcall_shared::settings::Environment;
use rollcall_shared::telemetry::LogSettings;

use crate::durability::MonitorSettings;

/// Migrates the servers that the environment names.
pub(crate) async fn run() -> anyhow::Result<()> {
    let mut environment = Environment::of_process();
    let logs = LogSettings::from_env(&mut environment);
    let database = DatabaseSettings::from_env(&mut environment);
    let nats = NatsSettings::from_env(&mut environment);
    let monitor = MonitorSettings::from_env(&mut environment);
    environment.finish()?;
    logs.start();
    migrate(&database, &nats).await?;
    monitor.report().await;
    println!("schema, streams and consumers are up to date");
    Ok(())
}

/// Migrates the servers that the settings name.
pub(crate) async fn migrate(database: &DatabaseSettings, nats: &NatsSettings) -> anyhow::Result<()> {
    let pool = database::pool(database, "rollcall-migrate", Duration::ZERO).context("DATABASE_URL")?;
    database::wait_until_reachable(&pool).await;
    database::migrate(&pool).await.context("the schema cannot be brought up to date")?;
    stream::ensure_as_admin(nats).await?;
    pool.close().await;
    Ok(())
}
