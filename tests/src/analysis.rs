//! Questions about funnels and trends, whose answers say when they were computed.

use jiff::Timestamp;
use serde_json::Value;

use crate::App;

/// A key of a project in Berlin, where clocks change.
pub const BERLIN_KEY: &str = "berlin-key";

impl App {
    /// Adds a project in Berlin, with [`BERLIN_KEY`].
    ///
    /// # Panics
    /// If the database does not answer.
    pub async fn add_berlin(&self) {
        self.add_project_in("Europe/Berlin", BERLIN_KEY).await;
    }

    /// Adds a project in a time zone, which is named like its key.
    ///
    /// # Panics
    /// If the database does not answer.
    pub async fn add_project_in(&self, zone: &str, key: &str) {
        let statement = "insert into projects (name, time_zone) values ($1, $2)";
        sqlx::query(statement).bind(key).bind(zone).execute(&self.pool).await.expect("a project");
        self.add_key(key, key, &["ingest", "read"]).await;
    }

    /// Sends events with a key, and waits until they are stored.
    ///
    /// # Panics
    /// If they are not accepted or not stored in time.
    pub async fn store_as(&self, key: &str, body: &Value) {
        let request = self.http.post(format!("{}/events", self.url)).header("X-API-Key", key);
        assert_eq!(request.json(body).send().await.expect("an answer").status(), 202, "{body}");
        self.wait_until_stored().await;
    }

    /// Asks with a key and these parameters.
    ///
    /// # Panics
    /// If there is no answer or it is not JSON.
    pub async fn get_as(&self, key: &str, path: &str, parameters: &[(&str, &str)]) -> (u16, Value) {
        let request = self.http.get(format!("{}{path}", self.url)).header("X-API-Key", key).query(parameters);
        let response = request.send().await.expect("an answer");
        (response.status().as_u16(), response.json().await.expect("JSON"))
    }

    /// The answer, and when it was computed.
    ///
    /// # Panics
    /// If there is none.
    pub async fn answer_as(&self, key: &str, path: &str, parameters: &[(&str, &str)]) -> (Value, Timestamp) {
        let (status, mut answer) = self.get_as(key, path, parameters).await;
        assert_eq!(status, 200, "{parameters:?}: {answer}");
        let as_of = answer.as_object_mut().and_then(|answer| answer.remove("as_of")).expect("as_of");
        (answer, as_of.as_str().expect("a text").parse().expect("a time"))
    }

    /// Trends from the rollups if they can give them, and from the rows; both must agree.
    ///
    /// # Panics
    /// If they do not.
    pub async fn trends_as(&self, key: &str, parameters: &[(&str, &str)]) -> Value {
        let (answer, _) = self.answer_as(key, "/stats/trends", parameters).await;
        let from_rows = [parameters, &[("source", "events")]].concat();
        let (rows, _) = self.answer_as(key, "/stats/trends", &from_rows).await;
        assert_eq!(answer, rows, "{parameters:?}: rollups and rows differ");
        answer
    }
}
