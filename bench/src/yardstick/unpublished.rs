//! Rollcall's API answering 202 without publishing: it checks keys and validates events, but uses no queue.
//!
//! It is the same router in a separate process: this program, started with a hidden option. The shipped
//! programs do not contain the code for it.

use std::net::SocketAddr;

use rollcall_api::ApiSettings;
use rollcall_shared::settings::Environment;
use rollcall_shared::shutdown;
use rollcall_shared::telemetry::LogSettings;
use tokio::net::TcpListener;

use crate::program::{Launch, Program};
use crate::service::{Service, free_address, wait_until_ready};

/// The running program.
pub(crate) struct Unpublished {
    _program: Program,
    pub(crate) address: SocketAddr,
}

impl Unpublished {
    /// Starts the program with the settings of a service's API.
    pub(crate) async fn start(service: &Service, folder: &std::path::Path) -> anyhow::Result<Self> {
        let address = free_address()?;
        let mut variables = service.api_variables();
        variables.push(("API_LISTEN", address.to_string()));
        let program = Program::start(Launch {
            program: std::env::current_exe()?,
            arguments: vec!["--serve-without-publishing".into()],
            variables,
            folder: folder.to_owned(),
            log: folder.join("unpublished.log"),
        })?;
        wait_until_ready(&program, address).await?;
        Ok(Self { _program: program, address })
    }
}

/// Runs that API.
pub(crate) async fn serve() -> anyhow::Result<()> {
    let mut environment = Environment::of_process();
    let logs = LogSettings::from_env(&mut environment);
    let settings = ApiSettings::from_env(&mut environment);
    environment.finish()?;
    logs.start();
    let listener = TcpListener::bind(settings.listen).await?;
    rollcall_api::run_without_publishing(settings, listener, shutdown::on_signal()?).await
}
