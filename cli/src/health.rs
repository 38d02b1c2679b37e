//! `rollcall health`: for health checks in images that have no other HTTP client.

use std::time::Duration;

use anyhow::{Context, ensure};

use crate::send;

/// Options of `rollcall health`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Address of the health check
    #[arg(long, default_value = "http://127.0.0.1:8000/health/ready")]
    url: String,
    /// Accept any certificate, for a check of the own host, whose certificate has another name
    #[arg(long)]
    insecure: bool,
}

/// Fails unless the service answers with a success.
pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let client = if arguments.insecure { send::client_that_trusts_everybody()? } else { send::client()? };
    let request = client.get(&arguments.url).timeout(Duration::from_secs(5));
    let response = request.send().await.with_context(|| format!("{} does not answer", arguments.url))?;
    let status = response.status();
    println!("{}", response.text().await?);
    ensure!(status.is_success(), "{} answered {status}", arguments.url);
    Ok(())
}
