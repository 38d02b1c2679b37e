//! `rollcall config`: every setting, its value and its meaning.

use rollcall_api::ApiSettings;
use rollcall_shared::settings::Environment;
use rollcall_shared::telemetry::LogSettings;
use rollcall_worker::WorkerSettings;

/// Prints the settings; fails after printing if one of them is wrong.
pub(crate) fn run() -> anyhow::Result<()> {
    let mut environment = Environment::of_process();
    LogSettings::from_env(&mut environment);
    ApiSettings::from_env(&mut environment);
    WorkerSettings::from_env(&mut environment);
    for setting in environment.listed() {
        let origin = if setting.is_set { "set" } else { "default" };
        println!("{}={}\n    {} [{origin}]", setting.name, setting.value, setting.meaning);
    }
    environment.finish()?;
    Ok(())
}
