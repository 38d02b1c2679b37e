//! Projects and keys, made over HTTP as administrators make them.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{App, KEY};

/// A key that was made.
#[derive(Debug, Clone)]
pub struct MadeKey {
    /// Its number.
    pub id: i64,
    /// What requests send.
    pub key: String,
}

impl App {
    /// Sends a request with a key and a body, and returns the status and the JSON of the answer.
    ///
    /// # Panics
    /// If there is no answer or it is not JSON.
    pub async fn admin_as(&self, key: &str, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let request = self.http.request(method, format!("{}{path}", self.url)).header("X-API-Key", key);
        let response = request.json(body).send().await.expect("an answer");
        (response.status().as_u16(), response.json().await.expect("JSON"))
    }

    /// The same with the key of the installation.
    ///
    /// # Panics
    /// As [`Self::admin_as`].
    pub async fn admin(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        self.admin_as(KEY, method, path, body).await
    }

    /// Makes a project in a time zone.
    ///
    /// # Panics
    /// Unless it is made.
    pub async fn make_project(&self, name: &str, zone: &str) {
        let (status, answer) = self.admin(Method::POST, "/admin/projects", &json!({"name": name, "time_zone": zone})).await;
        assert_eq!(status, 201, "{answer}");
    }

    /// Makes a key of a project.
    ///
    /// # Panics
    /// Unless it is made.
    pub async fn make_key(&self, project: &str, scopes: &[&str]) -> MadeKey {
        self.make_key_with(json!({"project": project, "name": "made", "scopes": scopes})).await
    }

    /// Makes a key of these fields.
    ///
    /// # Panics
    /// Unless it is made.
    pub async fn make_key_with(&self, fields: Value) -> MadeKey {
        let (status, answer) = self.admin(Method::POST, "/admin/keys", &fields).await;
        assert_eq!(status, 201, "{answer}");
        MadeKey { id: answer["key_id"].as_i64().expect("a number"), key: answer["key"].as_str().expect("a key").to_owned() }
    }

    /// The status of a query with a key, from the API at this address.
    ///
    /// # Panics
    /// If there is no answer.
    pub async fn status_of(&self, url: &str, key: &str) -> u16 {
        let request = self.http.get(format!("{url}/stats/top-events")).header("X-API-Key", key);
        request.send().await.expect("an answer").status().as_u16()
    }
}
