//! An archive in a folder, and the commands that work with it.

use std::path::{Path, PathBuf};
use std::process::Output;

use rollcall_archive::{ArchiveSettings, Manifest, PartReader, Row, Store};
use rollcall_shared::settings::Environment;
use rollcall_stack::Scratch;
use sqlx::PgPool;

use crate::{App, KEY, binary};

/// Where the archive of a test is.
pub struct TestArchive {
    /// `ARCHIVE_URL`, and what else a store needs.
    variables: Vec<(&'static str, String)>,
    folder: Scratch,
}

/// What a command said.
#[derive(Debug)]
pub struct Said {
    /// Whether it succeeded.
    pub succeeded: bool,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub errors: String,
}

impl TestArchive {
    /// A folder that is removed at the end.
    ///
    /// # Panics
    /// If there can be none.
    #[must_use]
    pub fn in_folder() -> Self {
        let folder = Scratch::make().expect("a temporary folder");
        let url = folder.path().join("archive").display().to_string();
        Self { variables: vec![("ARCHIVE_URL", url)], folder }
    }

    /// The same archive, with a further variable.
    #[must_use]
    pub fn and(mut self, name: &'static str, value: String) -> Self {
        self.variables.push((name, value));
        self
    }

    /// An archive with these variables.
    ///
    /// # Panics
    /// If there can be no temporary folder.
    #[must_use]
    pub fn with(variables: Vec<(&'static str, String)>) -> Self {
        Self { variables, folder: Scratch::make().expect("a temporary folder") }
    }

    /// The folder of a project's date.
    #[must_use]
    pub fn day(&self, project: &str, date: &str) -> PathBuf {
        self.folder.path().join(format!("archive/project={project}/date={date}"))
    }

    /// The paths of the parts of a day, in order.
    ///
    /// # Panics
    /// If the folder cannot be read.
    #[must_use]
    pub fn parts(&self, project: &str, date: &str) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.day(project, date)).expect("a folder");
        let mut parts: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
        parts.retain(|path| path.extension().is_some_and(|extension| extension == "parquet"));
        parts.sort();
        parts
    }

    /// The variables of its commands.
    #[must_use]
    pub fn variables(&self, app: &App) -> Vec<(&'static str, String)> {
        // What the test sets itself comes last and counts.
        let mut variables =
            vec![("DATABASE_URL", app.database_url.clone()), ("ROLLCALL_URL", app.url.clone()), ("API_KEY", KEY.to_owned())];
        variables.extend(self.variables.clone());
        variables
    }

    /// The folder in which its commands run.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs a command to its end.
    ///
    /// # Panics
    /// If it cannot be started.
    pub async fn rollcall(&self, app: &App, arguments: &[&str]) -> Said {
        let mut command = std::process::Command::new(binary("rollcall"));
        command.args(arguments).env_clear().envs(self.variables(app)).current_dir(self.folder.path());
        let output: Output = tokio::task::spawn_blocking(move || command.output().expect("it starts")).await.expect("no panic");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Said { succeeded: output.status.success(), out: text(&output.stdout), errors: text(&output.stderr) }
    }

    /// Runs a command that must succeed, and returns what it said.
    ///
    /// # Panics
    /// If it does not.
    pub async fn must(&self, app: &App, arguments: &[&str]) -> String {
        let said = self.rollcall(app, arguments).await;
        assert!(said.succeeded, "{arguments:?}: {} {}", said.out, said.errors);
        said.out
    }

    /// The store.
    ///
    /// # Panics
    /// If it cannot be opened.
    #[must_use]
    pub fn store(&self) -> Store {
        let mut environment = Environment::from_pairs(self.variables.clone());
        let settings = ArchiveSettings::from_env(&mut environment);
        environment.finish().expect("valid settings");
        Store::open(&settings).expect("a store")
    }

    /// The manifest of a day.
    ///
    /// # Panics
    /// If there is none.
    pub async fn manifest(&self, project: &str, date: &str) -> Manifest {
        let date = date.parse().expect("a date");
        self.store().manifest(project, date).await.expect("the store answers").expect("a manifest")
    }

    /// The rows of a day in the order of the archive, each as one text with all its values.
    ///
    /// # Panics
    /// If they cannot be read.
    pub async fn rows(&self, project: &str, date: &str) -> Vec<String> {
        let (store, manifest) = (self.store(), self.manifest(project, date).await);
        let mut rows = Vec::new();
        for part in &manifest.parts {
            let mut reader = PartReader::open(store.fetch(&manifest, part).await.expect("the part")).expect("a Parquet file");
            while let Some(group) = reader.next_group().expect("a row group") {
                rows.extend(group.rows().map(|row| text_of(&row.expect("a row"))));
            }
        }
        assert_eq!(rows.len() as u64, manifest.rows);
        rows
    }
}

fn text_of(row: &Row<'_>) -> String {
    let ids = [row.user_id, row.anonymous_id, row.session_id, row.account_id].map(|id| id.unwrap_or("-"));
    format!(
        "{} {} {} {} {} {}",
        row.event_id,
        row.event_type,
        ids.join(" "),
        row.occurred_at_us,
        row.received_at_us,
        row.properties
    )
}

/// The rows of a project and UTC date in PostgreSQL, in the order and the form of [`TestArchive::rows`].
///
/// # Panics
/// If the database does not answer.
pub async fn stored_rows(pool: &PgPool, project: &str, date: &str) -> Vec<String> {
    let statement = "select concat_ws(' ', event_id, event_type, coalesce(user_id, '-'), coalesce(anonymous_id, '-'), \
                     coalesce(session_id, '-'), coalesce(account_id, '-'), (extract(epoch from occurred_at) * 1000000)::bigint, \
                     (extract(epoch from received_at) * 1000000)::bigint, properties::text) \
                     from event_log \
                     where project = $1 and (occurred_at at time zone 'UTC')::date = $2::text::date \
                     order by coalesce(user_id, anonymous_id, session_id) collate \"C\", occurred_at, event_id";
    sqlx::query_scalar(statement).bind(project).bind(date).fetch_all(pool).await.expect("rows")
}
