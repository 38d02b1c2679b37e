//! Statements about partitions, whose names are computed, so that they cannot be `.sql` files.
//!
//! The names come from the catalog and from dates, never from input. The table that becomes the partition of the month is
//! called `…_merging`, that with the rows which came meanwhile `…_late`, and the parts that were replaced `…_merged`.

use sqlx::AssertSqlSafe;

use super::month::Month;

/// The table that becomes the partition of the month.
pub(super) fn merging(month: &Month) -> String {
    format!("{}_merging", month.name())
}

/// Makes the tables of a merge, and from now on copies what comes into the parts. The locks for that wait until nobody
/// writes to the parts. The check tells PostgreSQL, when the table is attached, that all rows belong there.
pub(super) fn prepare(month: &Month, owner: &str) -> AssertSqlSafe<String> {
    let (name, parent, column, from, to) = (month.name(), month.table.name(), month.table.column(), month.from, month.to);
    let mut statements = format!(
        "create table {name}_merging (
            like {parent} including defaults including constraints including storage including indexes,
            constraint is_of_the_month check ({column} >= '{from}' and {column} < '{to}')
        );
        create table {name}_late (like {parent});
        alter table {name}_merging owner to {owner};
        alter table {name}_late owner to {owner};"
    );
    for part in &month.parts {
        let part = &part.name;
        statements.push_str(&format!(
            "create trigger note_late_row after insert on {part} for each row execute function note_late_row('{name}_late');"
        ));
    }
    AssertSqlSafe(statements)
}

/// Forgets the noted rows that this transaction sees, because it copies them with the others.
pub(super) fn forget_late(month: &Month) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!("delete from {}_late", month.name()))
}

/// Copies the rows of all parts.
pub(super) fn copy(month: &Month) -> AssertSqlSafe<String> {
    let (name, parent, column, order) = (month.name(), month.table.name(), month.table.column(), month.table.order());
    let (from, to) = (month.from, month.to);
    AssertSqlSafe(format!(
        "insert into {name}_merging
        select *
        from {parent}
        where {column} >= '{from}' and {column} < '{to}'
        order by {order}"
    ))
}

/// Collects statistics, and marks pages that everybody sees in full.
pub(super) fn vacuum(month: &Month) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!("vacuum (analyze) {}_merging", month.name()))
}

/// Moves the rows that came meanwhile.
pub(super) fn move_late(month: &Month) -> AssertSqlSafe<String> {
    let name = month.name();
    AssertSqlSafe(format!(
        "with moved as (
            delete from {name}_late
            returning *
        )
        insert into {name}_merging select * from moved"
    ))
}

/// Keeps vacuum and builders of indexes away from the parts. Readers and writers do not wait for this lock, nor does anybody
/// wait behind it.
pub(super) fn lock_parts_softly(month: &Month) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!("lock table {} in share update exclusive mode", names_of_parts(month)))
}

/// Locks everything whose place changes, in the order of all other sessions: the parent first.
pub(super) fn lock(month: &Month) -> AssertSqlSafe<String> {
    let (parent, parts) = (month.table.name(), names_of_parts(month));
    AssertSqlSafe(format!("lock table only {parent}, {parent}_default, {parts} in access exclusive mode"))
}

/// Puts the table in the place of the parts.
pub(super) fn swap(month: &Month) -> AssertSqlSafe<String> {
    let (name, parent, from, to) = (month.name(), month.table.name(), month.from, month.to);
    let mut statements = String::new();
    for part in &month.parts {
        let part = &part.name;
        statements
            .push_str(&format!("alter table {parent} detach partition {part}; alter table {part} rename to {part}_merged;"));
    }
    statements.push_str(&format!(
        "drop table {name}_late;
        alter table {name}_merging rename to {name};
        alter table {parent} attach partition {name} for values from ('{from}') to ('{to}');
        alter table {name} drop constraint is_of_the_month"
    ));
    AssertSqlSafe(statements)
}

/// Stops copying what comes into a partition.
pub(super) fn drop_trigger(partition: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!("drop trigger note_late_row on {partition}"))
}

/// Drops a table that is not a partition.
pub(super) fn drop_table(name: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!("drop table {name}"))
}

fn names_of_parts(month: &Month) -> String {
    let names: Vec<&str> = month.parts.iter().map(|part| part.name.as_str()).collect();
    names.join(", ")
}
