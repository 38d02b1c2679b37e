//! The key of a replay.

use anyhow::Context;
use jiff::{Timestamp, ToSpan};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::Client;
use crate::send::Target;

const PATH: &str = "/admin/keys";

/// If nobody revokes the key, because the process was killed, it expires after so many hours.
const EXPIRES_AFTER_HOURS: i64 = 7 * 24;

/// A key that may send events into one project.
pub(super) struct ReplayKey {
    client: Client,
    id: i64,
    /// The key itself.
    pub(super) secret: String,
}

impl ReplayKey {
    /// Makes a key for a project.
    ///
    /// # Errors
    /// The target's key may not, there is no such project, or nobody answers.
    pub(super) async fn make(target: &Target, project: &str) -> anyhow::Result<Self> {
        let client = Client::new(target.clone())?;
        let expires_at = Timestamp::now().saturating_add(EXPIRES_AFTER_HOURS.hours())?;
        let wanted = json!({ "project": project, "name": "rollcall replay", "scopes": ["ingest"], "expires_at": expires_at });
        let made = client.make(PATH, &wanted).await.context("no key could be made for the replay")?;
        let (Some(id), Some(secret)) = (made["key_id"].as_i64(), made["key"].as_str()) else {
            anyhow::bail!("the service made a key and did not show it");
        };
        Ok(Self { client, id, secret: secret.to_owned() })
    }

    /// Revokes the key.
    ///
    /// # Errors
    /// Nobody answers.
    pub(super) async fn revoke(self) -> anyhow::Result<()> {
        let revoked: anyhow::Result<Value> = self.client.call(&Method::DELETE, &format!("{PATH}/{}", self.id), &[]).await;
        revoked
            .with_context(|| format!("key {} could not be revoked; rollcall keys revoke {} does it", self.id, self.id))
            .map(drop)
    }
}
