//! Statements about partitions, whose names are computed, so that they cannot be `.sql` files.
//!
//! The names come from the catalog and from dates, never from input. The table that becomes the partition of the month is
//! called `…_merging`, and the parts that were replaced `…_merged`. Rows that come meanwhile are in `…_late`, one table
//! for all partitions of a parent.

use sqlx::AssertSqlSafe;

use super::month::Month;
use crate::maintenance::table::Table;

/// The table that becomes the partition of the month.
pub(super) fn merging(month: &Month) -> String {
    format!("{}_merging", month.name())
}

/// Makes that table, and copies what comes into the parts from now on. The locks for that wait until nobody writes to the
/// parts. The check tells PostgreSQL, when the table is attached, that all rows belong there.
pub(super) fn prepare(month: &Month, owner: &str) -> AssertSqlSafe<String> {
    let (merging, parent, column, from, to) = (merging(month), month.table.name(), month.table.column(), month.from, month.to);
    // Identities come in the order of their index; the indexes of events are built when all rows are there.
    let (indexes, function) = match month.table {
        Table::Events => ("", "note_late_event"),
        Table::EventIds => ("including indexes", "note_late_event_id"),
    };
    let mut statements = format!(
        "create table {merging} (
            like {parent} including defaults including constraints including storage {indexes},
            constraint is_of_the_month check ({column} >= '{from}' and {column} < '{to}')
        );
        alter table {merging} owner to {owner};"
    );
    for part in &month.parts {
        let part = &part.name;
        statements.push_str(&format!(
            "create trigger note_late_row after insert on {part} for each row execute function {function}();"
        ));
    }
    AssertSqlSafe(statements)
}

/// Forgets all noted rows that this transaction sees.
pub(super) fn forget_late(table: Table) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!("delete from {}_late", table.name()))
}

/// Copies the rows of all parts.
pub(super) fn copy(month: &Month) -> AssertSqlSafe<String> {
    let (merging, parent, column) = (merging(month), month.table.name(), month.table.column());
    // By user, so that a timeline touches few pages; identities as in their index.
    let order = match month.table {
        Table::Events => "project_id, user_ord, occurred_at",
        Table::EventIds => "project_id, event_id, day",
    };
    let (from, to) = (month.from, month.to);
    AssertSqlSafe(format!(
        "insert into {merging}
        select *
        from {parent}
        where {column} >= '{from}' and {column} < '{to}'
        order by {order}"
    ))
}

/// Builds an index that the parent has.
pub(super) fn create_index(month: &Month, definition: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!("create index on {} {definition}", merging(month)))
}

/// Collects statistics, and marks pages that everybody sees in full.
pub(super) fn vacuum(month: &Month) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!("vacuum (analyze) {}", merging(month)))
}

/// Moves the rows that came meanwhile.
pub(super) fn move_late(month: &Month) -> AssertSqlSafe<String> {
    let (merging, parent) = (merging(month), month.table.name());
    AssertSqlSafe(format!(
        "with moved as (
            delete from {parent}_late
            returning *
        )
        insert into {merging} select * from moved"
    ))
}

/// Keeps vacuum and builders of indexes away from what is exchanged. Readers and writers do not wait for this lock, nor does
/// anybody wait behind it.
pub(super) fn lock_softly(month: &Month) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!("lock table {} in share update exclusive mode", exchanged(month)))
}

/// Locks the parent, which all other sessions lock first.
pub(super) fn lock_parent(month: &Month) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!("lock table only {} in access exclusive mode", month.table.name()))
}

/// Locks what is exchanged. Whoever has it now does not use the parent, and may have it for long, so this does not wait.
pub(super) fn lock_exchanged(month: &Month) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!("lock table {} in access exclusive mode nowait", exchanged(month)))
}

/// Puts the table in the place of the parts, as one statement, so that one timeout covers it.
pub(super) fn swap(month: &Month) -> AssertSqlSafe<String> {
    let (name, merging, parent, from, to) = (month.name(), merging(month), month.table.name(), month.from, month.to);
    let mut statements = String::new();
    for part in &month.parts {
        let part = &part.name;
        statements
            .push_str(&format!("alter table {parent} detach partition {part}; alter table {part} rename to {part}_merged;"));
    }
    AssertSqlSafe(format!(
        "do $$ begin
            {statements}
            alter table {merging} rename to {name};
            alter table {parent} attach partition {name} for values from ('{from}') to ('{to}');
            alter table {name} drop constraint is_of_the_month;
        end $$"
    ))
}

/// Stops copying what comes into a partition.
pub(super) fn drop_trigger(partition: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!("drop trigger note_late_row on {partition}"))
}

/// Drops a table that is not a partition.
pub(super) fn drop_table(name: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!("drop table {name}"))
}

/// Everything whose place changes, and the default partition, whose bounds change.
fn exchanged(month: &Month) -> String {
    let parts: Vec<&str> = month.parts.iter().map(|part| part.name.as_str()).collect();
    format!("{}_default, {}, {}", month.table.name(), merging(month), parts.join(", "))
}
