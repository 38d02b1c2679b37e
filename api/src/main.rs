//! The API as a separate program. `rollcall api` does the same.

use rollcall_api::ApiSettings;
use rollcall_shared::settings::Environment;
use rollcall_shared::telemetry::LogSettings;
use rollcall_shared::{dotenv, shutdown};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    dotenv::load()?;
    let mut environment = Environment::of_process();
    let logs = LogSettings::from_env(&mut environment);
    let settings = ApiSettings::from_env(&mut environment);
    environment.finish()?;
    logs.start();
    let listener = TcpListener::bind(settings.listen).await?;
    rollcall_api::run(settings, listener, shutdown::on_signal()?).await
}
