//! The dictionaries: numbers for actors and event types, read through a bounded cache.
//!
//! New entries are created in short transactions before the batch's transaction. A batch that fails
//! leaves a number without events, which is harmless, and workers never wait for each other's
//! batches. Numbers never change, so the cache is never stale. `event_types` makes types, up to the project's limit.
//!
//! A project's time zone is final once the project has an event type: whoever changes the zone locks the row
//! from which numbers are taken, and finds that there is no type yet. So the zone is read after the numbers, and
//! then it never changes either. Types are never deleted.

use std::sync::Arc;

use foldhash::{HashMap, HashSet};
use quick_cache::sync::Cache;
use rollcall_shared::database::Lease;
use rollcall_shared::day::Calendar;
use rollcall_shared::project::{EventTypeLimit, ProjectId};
use sqlx::{Connection, PgPool};

use crate::error::StoreError;
use crate::store::event_types;
use crate::store::row::Row;

/// Actors in the cache of one worker: about 60 MB when full.
const MAX_ACTORS: usize = 500_000;
/// Event types in the cache of one worker.
const MAX_EVENT_TYPES: usize = 20_000;

type Key = (ProjectId, Box<str>);

/// Numbers of actors and event types, and the calendars of projects.
pub(crate) struct Dictionary {
    actors: Cache<Key, i32>,
    event_types: Cache<Key, i32>,
    calendars: Cache<ProjectId, Arc<Calendar>>,
    /// For projects that have no limit of their own.
    default_limit: EventTypeLimit,
}

/// The numbers of everything in one batch.
pub(crate) struct Numbers<'a> {
    pub(crate) actors: HashMap<(ProjectId, &'a str), i32>,
    pub(crate) event_types: HashMap<(ProjectId, &'a str), i32>,
    pub(crate) calendars: HashMap<ProjectId, Arc<Calendar>>,
}

impl Dictionary {
    pub(crate) fn new(default_limit: EventTypeLimit) -> Self {
        let (actors, event_types) = (Cache::new(MAX_ACTORS), Cache::new(MAX_EVENT_TYPES));
        Self { actors, event_types, calendars: Cache::new(1_000), default_limit }
    }

    /// Looks up, or creates, the number of every actor and event type of the rows.
    ///
    /// # Errors
    /// [`StoreError::EventTypeLimit`] if a project may not have all of its types,
    /// [`StoreError::UnknownProject`] or [`StoreError::TimeZone`] if there is no such project or zone, and
    /// [`StoreError::Dictionary`].
    pub(crate) async fn resolve<'a>(&self, pool: &PgPool, rows: &'a [Row<'_>]) -> Result<Numbers<'a>, StoreError> {
        let mut numbers = Numbers { actors: HashMap::default(), event_types: HashMap::default(), calendars: HashMap::default() };
        let mut new_actors: HashMap<ProjectId, HashSet<&str>> = HashMap::default();
        let mut new_types: HashMap<ProjectId, HashSet<&str>> = HashMap::default();
        let mut projects: HashSet<ProjectId> = HashSet::default();
        for row in rows {
            let project = row.identity.project;
            look_up(&self.actors, project, row.event.actor(), &mut numbers.actors, &mut new_actors);
            look_up(&self.event_types, project, &row.event.event_type.0, &mut numbers.event_types, &mut new_types);
            projects.insert(project);
        }
        for (project, names) in new_types {
            let found = event_types::find_or_make(pool, project, sorted(&names), self.default_limit).await;
            let found = found.map_err(StoreError::Dictionary)?.ok_or(StoreError::UnknownProject(project))?;
            let (names, beyond): (HashSet<_>, HashSet<_>) = names.into_iter().partition(|name| found.numbers.contains_key(*name));
            remember(&self.event_types, project, names, &found.numbers, &mut numbers.event_types)?;
            if !beyond.is_empty() {
                let types = beyond.into_iter().map(str::to_owned).collect();
                return Err(StoreError::EventTypeLimit { project, limit: found.limit, types });
            }
        }
        for (project, actors) in new_actors {
            let found = users(pool, project, sorted(&actors)).await.map_err(StoreError::Dictionary)?;
            remember(&self.actors, project, actors, &found, &mut numbers.actors)?;
        }
        for project in projects {
            numbers.calendars.insert(project, self.calendar(pool, project).await?);
        }
        Ok(numbers)
    }

    /// The calendar of a project that has an event type.
    async fn calendar(&self, pool: &PgPool, project: ProjectId) -> Result<Arc<Calendar>, StoreError> {
        if let Some(calendar) = self.calendars.get(&project) {
            return Ok(calendar);
        }
        let row = sqlx::query_file!("sql/store/select_project.sql", project.0)
            .fetch_optional(pool)
            .await
            .map_err(StoreError::Dictionary)?;
        let time_zone = row.ok_or(StoreError::UnknownProject(project))?.time_zone;
        let calendar = Arc::new(Calendar::of_zone(&time_zone).map_err(|source| StoreError::TimeZone { project, source })?);
        self.calendars.insert(project, calendar.clone());
        Ok(calendar)
    }
}

/// Takes the number from the cache, or adds the text to those to look up in the database.
fn look_up<'a>(
    cache: &Cache<Key, i32>,
    project: ProjectId,
    text: &'a str,
    known: &mut HashMap<(ProjectId, &'a str), i32>,
    wanted: &mut HashMap<ProjectId, HashSet<&'a str>>,
) {
    if known.contains_key(&(project, text)) {
        return;
    }
    match cache.get(&(project, Box::from(text))) {
        Some(number) => drop(known.insert((project, text), number)),
        None => drop(wanted.entry(project).or_default().insert(text)),
    }
}

/// Adds the numbers that the database returned to the cache and to the batch.
fn remember<'a>(
    cache: &Cache<Key, i32>,
    project: ProjectId,
    wanted: HashSet<&'a str>,
    found: &HashMap<String, i32>,
    known: &mut HashMap<(ProjectId, &'a str), i32>,
) -> Result<(), StoreError> {
    for text in wanted {
        let number = *found.get(text).ok_or(StoreError::DictionaryIncomplete)?;
        cache.insert((project, text.into()), number);
        known.insert((project, text), number);
    }
    Ok(())
}

fn sorted(texts: &HashSet<&str>) -> Vec<String> {
    let mut texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
    texts.sort_unstable();
    texts
}

/// The numbers of these actors. New ones are created only for those that have none, because numbers that are reserved
/// and not used are lost.
async fn users(pool: &PgPool, project: ProjectId, actors: Vec<String>) -> Result<HashMap<String, i32>, sqlx::Error> {
    let mut known = known_users(pool, project, &actors).await?;
    let fresh: Vec<String> = actors.into_iter().filter(|actor| !known.contains_key(actor)).collect();
    let Some(count) = count(&fresh) else { return Ok(known) };
    let mut lease = Lease::acquire(pool).await?;
    let mut transaction = lease.begin().await?;
    let end = sqlx::query_file!("sql/store/update_projects_next_user_ord.sql", project.0, count)
        .fetch_one(&mut *transaction)
        .await?
        .next_user_ord;
    let ords: Vec<i32> = (end - count..end).collect();
    sqlx::query_file!("sql/store/insert_users.sql", project.0, &fresh, &ords).execute(&mut *transaction).await?;
    transaction.commit().await?;
    lease.give_back();
    known.extend(known_users(pool, project, &fresh).await?);
    Ok(known)
}

async fn known_users(pool: &PgPool, project: ProjectId, actors: &[String]) -> Result<HashMap<String, i32>, sqlx::Error> {
    let rows = sqlx::query_file!("sql/store/select_users.sql", project.0, actors).fetch_all(pool).await?;
    Ok(rows.into_iter().map(|row| (row.actor, row.ord)).collect())
}

/// How many numbers to reserve; `None` if none is needed.
fn count(fresh: &[String]) -> Option<i32> {
    i32::try_from(fresh.len()).ok().filter(|count| *count > 0)
}
