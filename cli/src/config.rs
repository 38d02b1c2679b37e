//! `rollcall config`: every setting, its value and its meaning.

use rollcall_api::ApiSettings;
use rollcall_archive::ArchiveSettings;
use rollcall_shared::settings::Environment;
use rollcall_shared::telemetry::LogSettings;
use rollcall_worker::WorkerSettings;

use crate::durability::MonitorSettings;

/// Prints the settings; fails after printing if one of them is wrong.
pub(crate) fn run() -> anyhow::Result<()> {
    let mut environment = Environment::of_process();
    LogSettings::from_env(&mut environment);
    ApiSettings::from_env(&mut environment);
    WorkerSettings::from_env(&mut environment);
    ArchiveSettings::from_env(&mut environment);
    MonitorSettings::from_env(&mut environment);
    for setting in environment.listed() {
        let origin = match (setting.is_set, setting.default.as_str()) {
            (false, _) => "default".to_owned(),
            (true, "") => "set; empty by default".to_owned(),
            (true, default) => format!("set; {default} by default"),
        };
        println!("{}={}\n    {} [{origin}]", setting.name, setting.value, setting.meaning);
    }
    environment.finish()?;
    Ok(())
}
