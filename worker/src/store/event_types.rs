//! Event types: their numbers in the dictionary, for as many types as a project may have.
//!
//! Workers make types under a lock on the project's row, so together they keep exactly to the limit. A type that
//! exists keeps its number when the limit is lowered.

use foldhash::HashMap;
use rollcall_shared::database::Lease;
use rollcall_shared::project::{EventTypeLimit, ProjectId};
use sqlx::{Connection, PgConnection, PgExecutor, PgPool};

/// The numbers of event types. A type that has none is beyond the limit.
pub(super) struct Found {
    pub(super) numbers: HashMap<String, i32>,
    /// How many types the project may have, if some of them were new.
    pub(super) limit: i32,
}

/// The numbers of these types, sorted by name. New ones are made only for names that have none: numbers that are
/// reserved and not used are lost, and the counter has 32 bits. `None` if there is no such project.
///
/// # Errors
/// Those of the database.
pub(super) async fn find_or_make(
    pool: &PgPool,
    project: ProjectId,
    names: Vec<String>,
    default_limit: EventTypeLimit,
) -> Result<Option<Found>, sqlx::Error> {
    let mut found = Found { numbers: known(pool, project, &names).await?, limit: default_limit.0 };
    let unknown = without(names, &found.numbers);
    if unknown.is_empty() {
        return Ok(Some(found));
    }
    let mut lease = Lease::acquire(pool).await?;
    let mut transaction = lease.begin().await?;
    let limit = sqlx::query_file_scalar!("sql/store/lock_project.sql", project.0, default_limit.0)
        .fetch_optional(&mut *transaction)
        .await?;
    if let Some(limit) = limit {
        make(&mut transaction, project, &unknown, limit).await?;
    }
    transaction.commit().await?;
    lease.give_back();
    let Some(limit) = limit else { return Ok(None) };
    found.limit = limit;
    found.numbers.extend(known(pool, project, &unknown).await?);
    Ok(Some(found))
}

/// Makes those of the types that there are not, until the limit. The caller has locked the project.
async fn make(connection: &mut PgConnection, project: ProjectId, names: &[String], limit: i32) -> Result<(), sqlx::Error> {
    // Another worker may have made some of them before it released the lock.
    let known = known(&mut *connection, project, names).await?;
    let mut fresh = without(names.to_vec(), &known);
    let Some(wanted) = i32::try_from(fresh.len()).ok().filter(|wanted| *wanted > 0) else { return Ok(()) };
    let reserved = sqlx::query_file!("sql/store/update_projects_next_event_type_id.sql", project.0, wanted, limit)
        .fetch_optional(&mut *connection)
        .await?;
    let Some(reserved) = reserved.filter(|reserved| reserved.made > 0) else { return Ok(()) };
    fresh.truncate(reserved.made.unsigned_abs() as usize);
    let end = reserved.next_event_type_id;
    let ids: Vec<i32> = (end - reserved.made..end).collect();
    sqlx::query_file!("sql/store/insert_event_types.sql", project.0, &fresh, &ids).execute(connection).await.map(drop)
}

async fn known(executor: impl PgExecutor<'_>, project: ProjectId, names: &[String]) -> Result<HashMap<String, i32>, sqlx::Error> {
    let rows = sqlx::query_file!("sql/store/select_event_types.sql", project.0, names).fetch_all(executor).await?;
    Ok(rows.into_iter().map(|row| (row.name, row.id)).collect())
}

fn without(mut names: Vec<String>, known: &HashMap<String, i32>) -> Vec<String> {
    names.retain(|name| !known.contains_key(name));
    names
}
