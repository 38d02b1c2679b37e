//! The worker as a separate program. `rollcall worker` does the same.

use rollcall_shared::settings::Environment;
use rollcall_shared::telemetry::LogSettings;
use rollcall_shared::{dotenv, shutdown};
use rollcall_worker::WorkerSettings;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    dotenv::load()?;
    let mut environment = Environment::of_process();
    let logs = LogSettings::from_env(&mut environment);
    let settings = WorkerSettings::from_env(&mut environment);
    environment.finish()?;
    logs.start();
    let listener = TcpListener::bind(settings.listen).await?;
    rollcall_worker::run(settings, listener, shutdown::on_signal()?).await
}
