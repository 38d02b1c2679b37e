//! Statements about one partition, whose name is computed, so that they cannot be `.sql` files.
//!
//! The names come from the catalog, quoted where that is necessary, and never from input. What varies otherwise is a
//! parameter.

use sqlx::AssertSqlSafe;

use super::partition::Partition;
use crate::maintenance::table::Table;

/// Which of the projects `$1` have rows from before their horizons `$2`: one look-up in an index for each.
pub(super) fn projects_with_expired_rows(partition: &Partition) -> AssertSqlSafe<String> {
    let (name, column) = (&partition.name, partition.table.column());
    AssertSqlSafe(format!(
        "select due.project_id
        from unnest($1::int[], $2::date[]) as due (project_id, horizon)
        where exists (
            select
            from {name} stored
            where stored.project_id = due.project_id
              and stored.{column} < due.horizon
        )"
    ))
}

/// How many rows each project has, and how many of them are from before its horizon, if it is one of the projects `$1`
/// with the horizons `$2`.
pub(super) fn census(partition: &Partition) -> AssertSqlSafe<String> {
    let (name, column) = (&partition.name, partition.table.column());
    AssertSqlSafe(format!(
        "select stored.project_id, count(*), count(*) filter (where stored.{column} < due.horizon)
        from {name} stored
        left join unnest($1::int[], $2::date[]) as due (project_id, horizon) on due.project_id = stored.project_id
        group by stored.project_id"
    ))
}

/// Whether there are rows of a project that keeps events from before the day `$1`: one look-up in an index for each such
/// project.
pub(super) fn has_kept_rows(partition: &Partition) -> AssertSqlSafe<String> {
    let name = &partition.name;
    AssertSqlSafe(format!(
        "select exists (
            select
            from projects project
            where (project.kept_from is null or project.kept_from < $1)
              and exists (select from {name} stored where stored.project_id = project.id)
        )"
    ))
}

/// Locks the parent of a partition, as long as nobody uses it. All sessions lock parents before partitions.
pub(super) fn lock_parent(partition: &Partition) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!("lock table only {} in access exclusive mode", partition.table.name()))
}

/// Locks what else belongs to dropping a partition: the default partition, whose bounds change, and the partition itself.
/// Whoever has them now does not use the parent, and may have them for long, so this does not wait.
pub(super) fn lock_partition(partition: &Partition) -> AssertSqlSafe<String> {
    let (parent, name) = (partition.table.name(), &partition.name);
    AssertSqlSafe(format!("lock table {parent}_default, {name} in access exclusive mode nowait"))
}

/// Drops a partition with its indexes.
pub(super) fn drop_partition(partition: &Partition) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!("drop table {}", partition.name))
}

/// Deletes rows of the project `$1` from before the day `$2`, from a place in an index on, and returns how many these were
/// and the last place; no row if none is left. The place is `$3`, or for events `$3` and `$4`, and the limit comes last.
/// Without the place, every step would begin by passing the dead rows of all steps before.
pub(super) fn delete_step(partition: &Partition) -> AssertSqlSafe<String> {
    let (name, column) = (&partition.name, partition.table.column());
    let (place, last_first, parameters, limit) = match partition.table {
        Table::Events => ("user_ord, occurred_at", "user_ord desc, occurred_at desc", "($3, $4)", "$5"),
        Table::EventIds => ("event_id", "event_id desc", "($3)", "$4"),
    };
    AssertSqlSafe(format!(
        "with taken as (
            select ctid, {place}
            from {name}
            where project_id = $1
              and {column} < $2
              and ({place}) >= {parameters}
            order by {place}
            limit {limit}
        ),
        deleted as (
            delete from {name}
            where ctid = any (array(select ctid from taken))
            returning project_id
        )
        select (select count(*) from deleted), {place}
        from taken
        order by {last_first}
        limit 1"
    ))
}
