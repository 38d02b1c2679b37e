//! The dictionaries: numbers for actors and event types, read through a bounded cache.
//!
//! New entries are created in short transactions before the batch's transaction. A batch that fails
//! leaves a number without events, which is harmless, and workers never wait for each other's
//! batches. Numbers never change, so the cache is never stale.
//!
//! A project's time zone is final once the project has an event type: whoever changes the zone locks the row
//! from which numbers are taken, and finds that there is no type yet. So the zone is read after the numbers, and
//! then it never changes either. Types are never deleted.

use std::sync::Arc;

use foldhash::{HashMap, HashSet};
use quick_cache::sync::Cache;
use rollcall_shared::database::Lease;
use rollcall_shared::day::Calendar;
use rollcall_shared::project::ProjectId;
use sqlx::{Connection, PgPool};

use crate::error::StoreError;
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
}

/// The numbers of everything in one batch.
pub(crate) struct Numbers<'a> {
    pub(crate) actors: HashMap<(ProjectId, &'a str), i32>,
    pub(crate) event_types: HashMap<(ProjectId, &'a str), i32>,
    pub(crate) calendars: HashMap<ProjectId, Arc<Calendar>>,
}

impl Dictionary {
    pub(crate) fn new() -> Self {
        Self { actors: Cache::new(MAX_ACTORS), event_types: Cache::new(MAX_EVENT_TYPES), calendars: Cache::new(1_000) }
    }

    /// Looks up, or creates, the number of every actor and event type of the rows.
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
            let found = event_types(pool, project, sorted(&names)).await.map_err(StoreError::Dictionary)?;
            let found = found.ok_or(StoreError::UnknownProject(project))?;
            remember(&self.event_types, project, names, &found, &mut numbers.event_types)?;
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

/// The numbers of these event types. New ones are created only for names that have none: numbers that
/// are reserved and not used are lost, and the counter has 32 bits. `None` if there is no such project.
async fn event_types(pool: &PgPool, project: ProjectId, names: Vec<String>) -> Result<Option<HashMap<String, i32>>, sqlx::Error> {
    let mut known = known_event_types(pool, project, &names).await?;
    let fresh: Vec<String> = names.into_iter().filter(|name| !known.contains_key(name)).collect();
    let Some(count) = count(&fresh) else { return Ok(Some(known)) };
    let mut lease = Lease::acquire(pool).await?;
    let mut transaction = lease.begin().await?;
    let reserved = sqlx::query_file!("sql/store/update_projects_next_event_type_id.sql", project.0, count)
        .fetch_optional(&mut *transaction)
        .await?;
    let Some(reserved) = reserved else {
        transaction.rollback().await?;
        lease.give_back();
        return Ok(None);
    };
    let end = reserved.next_event_type_id;
    let ids: Vec<i32> = (end - count..end).collect();
    sqlx::query_file!("sql/store/insert_event_types.sql", project.0, &fresh, &ids).execute(&mut *transaction).await?;
    transaction.commit().await?;
    lease.give_back();
    // Another worker may have created some of them first; its numbers are used.
    known.extend(known_event_types(pool, project, &fresh).await?);
    Ok(Some(known))
}

async fn known_event_types(pool: &PgPool, project: ProjectId, names: &[String]) -> Result<HashMap<String, i32>, sqlx::Error> {
    let rows = sqlx::query_file!("sql/store/select_event_types.sql", project.0, names).fetch_all(pool).await?;
    Ok(rows.into_iter().map(|row| (row.name, row.id)).collect())
}

/// The numbers of these actors, as for event types.
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
