//! A client of the endpoints below `/admin`.

use anyhow::{Context, bail};
use indicatif::ProgressBar;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;

use crate::send::{Sender, Target};

/// Entries of a list that one request gets.
const PAGE: &str = "1000";

/// Sends requests to one service, with one key.
pub(crate) struct Client {
    sender: Sender,
}

impl Client {
    pub(crate) fn new(target: Target) -> anyhow::Result<Self> {
        Ok(Self { sender: Sender::new(target, ProgressBar::hidden())? })
    }

    /// Sends a request that may be repeated, and repeats it while the service does not answer.
    ///
    /// # Errors
    /// The service refuses, or does not answer after many attempts.
    pub(crate) async fn call(&self, method: &Method, path: &str, parameters: &[(&str, String)]) -> anyhow::Result<Value> {
        let request = |http: &reqwest::Client| self.request(http, method, path).query(parameters);
        read(self.sender.answer(request).await?).await
    }

    /// The same with a body.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub(crate) async fn call_with(
        &self,
        method: &Method,
        path: &str,
        parameters: &[(&str, String)],
        body: &Value,
    ) -> anyhow::Result<Value> {
        let request = |http: &reqwest::Client| self.request(http, method, path).query(parameters).json(body);
        read(self.sender.answer(request).await?).await
    }

    /// Makes something. The request is sent once: if its answer were lost, another would make a second one.
    ///
    /// # Errors
    /// The service refuses or does not answer.
    pub(crate) async fn make(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let request = |http: &reqwest::Client| self.request(http, &Method::POST, path).json(body);
        read(self.sender.answer_once(request).await?).await
    }

    /// All entries of a list.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub(crate) async fn list(&self, path: &str, parameters: &[(&str, String)]) -> anyhow::Result<Vec<Value>> {
        let mut entries = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut parameters = parameters.to_vec();
            parameters.push(("limit", PAGE.to_owned()));
            parameters.extend(cursor.map(|cursor| ("cursor", cursor)));
            let page = self.call(&Method::GET, path, &parameters).await?;
            entries.extend(page["data"].as_array().into_iter().flatten().cloned());
            cursor = page["next_cursor"].as_str().map(str::to_owned);
            if cursor.is_none() {
                return Ok(entries);
            }
        }
    }

    fn request(&self, http: &reqwest::Client, method: &Method, path: &str) -> RequestBuilder {
        let target = &self.sender.target;
        http.request(method.clone(), target.url(path)).header("X-API-Key", &target.api_key)
    }
}

/// The JSON of an answer.
///
/// # Errors
/// The service refuses, with its message.
async fn read(response: Response) -> anyhow::Result<Value> {
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

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
