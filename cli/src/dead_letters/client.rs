//! The API's `/admin/dead-letters`, asked with patience: every change may be repeated.

use anyhow::{Context, bail};
use reqwest::Method;
use serde_json::Value;

use crate::send::{self, Target};

/// Asks one service with one key.
pub(super) struct Client {
    http: reqwest::Client,
    target: Target,
}

impl Client {
    pub(super) fn new(target: Target) -> anyhow::Result<Self> {
        Ok(Self { http: send::client()?, target })
    }

    /// Asks for what is behind `/admin/dead-letters`.
    ///
    /// # Errors
    /// The service refuses, or does not answer after many tries.
    pub(super) async fn call(&self, method: &Method, path: &str, parameters: &[(&str, String)]) -> anyhow::Result<Value> {
        let url = self.target.url(&format!("/admin/dead-letters{path}"));
        let request = || self.http.request(method.clone(), &url).query(parameters).header("X-API-Key", &self.target.api_key);
        let response = send::answer(request).await.with_context(|| format!("{} does not answer", self.target.url))?;
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
