//! The horizon: the first day, in UTC, whose events a project keeps. Earlier events are not stored.
//!
//! The identities of earlier events are deleted, so nobody would recognise one of them that was stored before, and it
//! would be counted twice. Who deletes moves the horizon first, and for that waits for the locks that are taken here
//! ([`crate::maintenance::expire`]). So either a batch is committed before the horizon moves, and what is too old in it
//! is deleted then; or the batch sees the new horizon, and stores nothing that is too old.

use std::collections::BTreeMap;

use jiff::civil::Date;
use rollcall_shared::day::Day;
use rollcall_shared::project::ProjectId;
use sqlx::PgConnection;

use crate::error::StoreError;
use crate::store::new_event::NewEvent;
use crate::store::rollup::sql_date;

/// Checks that no event of the batch is older than its project keeps events. This comes last in the transaction, because
/// whoever moves a horizon waits until it ends.
///
/// # Errors
/// [`StoreError::Expired`] for the first project with such events, and those of the database.
pub(super) async fn check(connection: &mut PgConnection, events: &[NewEvent<'_, '_>]) -> Result<(), StoreError> {
    let mut oldest: BTreeMap<ProjectId, Day> = BTreeMap::new();
    for row in events.iter().map(|event| event.row) {
        let day = oldest.entry(row.identity.project).or_insert_with(|| row.day());
        *day = row.day().min(*day);
    }
    let (projects, days): (Vec<_>, Vec<_>) = oldest.iter().map(|(project, day)| (project.0, sql_date(*day))).unzip();
    let horizons = sqlx::query_file!("sql/store/lock_horizons.sql", &projects, &days as _).fetch_all(connection).await?;
    for row in horizons {
        let project = ProjectId(row.project_id);
        let Some(horizon) = row.horizon.map(|date| Day::from(Date::from(date))) else { continue };
        if oldest.get(&project).is_some_and(|oldest| *oldest < horizon) {
            return Err(StoreError::Expired { project, horizon });
        }
    }
    Ok(())
}
