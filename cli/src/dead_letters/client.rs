//! A client of `/admin/dead-letters`. It retries requests, because every change may be repeated.

use anyhow::{Context, bail};
use indicatif::ProgressBar;
use reqwest::Method;
use serde_json::Value;

use crate::send::{Sender, Target};

/// Sends requests to one service, with one key.
pub(super) struct Client {
    sender: Sender,
}

impl Client {
    pub(super) fn new(target: Target) -> anyhow::Result<Self> {
        Ok(Self { sender: Sender::new(target, ProgressBar::hidden())? })
    }

    /// Sends a request to a path below `/admin/dead-letters`.
    ///
    /// # Errors
    /// The service refuses, or does not answer after many attempts.
    pub(super) async fn call(&self, method: &Method, path: &str, parameters: &[(&str, String)]) -> anyhow::Result<Value> {
        let target = &self.sender.target;
        let url = target.url(&format!("/admin/dead-letters{path}"));
        let request =
            |http: &reqwest::Client| http.request(method.clone(), &url).query(parameters).header("X-API-Key", &target.api_key);
        let response = self.sender.answer(request).await?;
        let status = response.status();
        let text = response.text().await.context("the answer broke off")?;
        let answer: Value = serde_json::from_str(&text).unwrap_or_default();
        if status.is_success() {
            return Ok(answer);
        }
        let mut message = format!("the service answered {status}: {}", answer["message"].as_str().unwrap_or(&text));
        for error in answer["errors"].as_array().into_iter().flatten() {
            message += &format!("\n  {}: {}", text_of(&error["field"]), text_of(&error["message"]));
        }
        bail!(message)
    }
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
