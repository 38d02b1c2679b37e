//! Retention: projects that keep their events for some days, and the command that deletes the others.

use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{App, KEY, binary};

/// The day in UTC that was so many days ago.
#[must_use]
pub fn days_ago(days: i64) -> Date {
    jiff::Timestamp::now().to_zoned(TimeZone::UTC).date().saturating_sub(days.days())
}

/// An instant of that day.
#[must_use]
pub fn at(days: i64, time: &str) -> String {
    format!("{}T{time}Z", days_ago(days))
}

/// A history in three projects: `shop` keeps 30 days, `news` 60 days, and `default` everything.
///
/// Each has three events on each of its days. What happened 200 days ago happened only in projects that do not keep it.
pub struct History {
    /// A key of `shop`.
    pub shop: String,
    /// A key of `news`.
    pub news: String,
}

impl History {
    /// For each project, its name and how many days ago it has events.
    pub const DAYS: [(&'static str, &'static [i64]); 3] =
        [("default", &[100, 45, 20, 3]), ("shop", &[200, 100, 45, 20, 3]), ("news", &[200, 100, 45, 20, 3])];

    /// How many events there are of each project before anything is deleted, in the order of numbers.
    pub const BEFORE: [i64; 3] = [12, 15, 15];
    /// How many there are afterwards.
    pub const AFTER: [i64; 3] = [12, 6, 9];

    /// Sends it and waits until it is stored. The projects keep everything yet.
    ///
    /// # Panics
    /// If it is not stored.
    pub async fn send(app: &App) -> Self {
        let mut keys = vec![KEY.to_owned()];
        for (name, zone) in [("shop", "Europe/Berlin"), ("news", "UTC")] {
            app.make_project(name, zone).await;
            keys.push(app.make_key(name, &["ingest", "read", "admin"]).await.key);
        }
        for ((name, days), key) in Self::DAYS.iter().zip(&keys) {
            let events: Vec<_> = days.iter().flat_map(|days| (0..3).map(|user| Self::event(name, *days, user))).collect();
            let (status, answer) = app.admin_as(key, Method::POST, "/events", &json!(events)).await;
            assert_eq!(status, 202, "{answer}");
        }
        app.wait_until_stored().await;
        app.wait_until_compacted().await;
        let [_, shop, news] = <[String; 3]>::try_from(keys).expect("three keys");
        Self { shop, news }
    }

    /// The event of one user on one day.
    #[must_use]
    pub fn event(project: &str, days: i64, user: usize) -> Value {
        let event_type = if user == 1 { "buy" } else { "visit" };
        json!({
            "event_id": format!("{project}-{days}-{user}"), "user_id": format!("u{user}"), "event_type": event_type,
            "session_id": format!("s{days}-{user}"), "account_id": "acme", "timestamp": at(days, "10:00:00"),
            "properties": {"plan": "pro"},
        })
    }
}

impl App {
    /// Sets how many days a project keeps its events.
    ///
    /// # Panics
    /// Unless it is set.
    pub async fn keep_for(&self, project: &str, days: Option<u32>) {
        let body = json!({"retention_days": days});
        let (status, answer) = self.admin(Method::PATCH, &format!("/admin/projects/{project}"), &body).await;
        assert_eq!((status, &answer["retention_days"]), (200, &json!(days)), "{answer}");
    }

    /// Sets what the projects of the [`History`] keep.
    ///
    /// # Panics
    /// Unless it is set.
    pub async fn keep_as_in_history(&self) {
        self.keep_for("shop", Some(30)).await;
        self.keep_for("news", Some(60)).await;
    }

    /// Runs `rollcall expire` with these arguments; returns whether it succeeded, and what it printed.
    ///
    /// # Panics
    /// If it cannot be run.
    pub async fn expire(&self, arguments: &[&str]) -> (bool, String, String) {
        let mut command = std::process::Command::new(binary("rollcall"));
        command.arg("expire").args(arguments).env("DATABASE_URL", &self.database_url).env("LOG_LEVEL", "warn");
        let output = tokio::task::spawn_blocking(move || command.output()).await.expect("no panic").expect("it runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.success(), text(&output.stdout), text(&output.stderr))
    }

    /// The same with `--json`, when it must succeed: what went of each project.
    ///
    /// # Panics
    /// Unless it succeeds.
    pub async fn expired(&self, arguments: &[&str]) -> Vec<Value> {
        let (succeeded, printed, errors) = self.expire(&[arguments, &["--json"]].concat()).await;
        assert!(succeeded, "{printed}{errors}");
        printed.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// How many rows of each project a table has, for the projects of the [`History`].
    ///
    /// # Panics
    /// If the database does not answer.
    pub async fn rows_by_project(&self, table: &str) -> [i64; 3] {
        let statement = format!(
            "select array(select (select count(*) from {table} t where t.project_id = p.id) from projects p order by id)"
        );
        let rows: Vec<i64> = sqlx::query_scalar(sqlx::AssertSqlSafe(statement)).fetch_one(&self.pool).await.expect("counts");
        rows.try_into().expect("three projects")
    }
}
