//! A stranger in the database, whose transaction is open for longer than every time limit of the
//! service.

use super::client::Sender;
use super::fault::Fault;
use super::fleet::Fleet;
use crate::Stranger;

/// Locks the partitions of `events` and not the table itself, so that a COPY begins and waits in its
/// middle, where its rows are written.
const PARTITIONS: &str = "
    do $$
    declare
        partition regclass;
    begin
        for partition in select inhrelid from pg_inherits where inhparent = 'events'::regclass order by inhrelid loop
            execute format('lock table %s in share mode', partition);
        end loop;
    end $$";
/// Tables, and how they are locked: as by an index build, and as by a migration.
const TABLES: [&str; 6] = [
    "lock table events in share mode",
    "lock table events in access exclusive mode",
    "lock table event_ids in share mode",
    "lock table event_counts_delta in access exclusive mode",
    "lock table users in share mode",
    "lock table troubled_messages in access exclusive mode",
];
/// Rows that workers update.
const ROWS: [&str; 2] = ["select from projects for update", "select from troubled_messages for update"];
/// Events, just sent or sent next, whose identities are claimed.
const CLAIMED: u64 = 40;

/// Locks a table, lets it go, and locks the partitions of `events` when workers write the backlog.
pub(crate) async fn lock_tables(fleet: &Fleet, fault: Fault) {
    hold(fleet, TABLES[fault.draw % TABLES.len()], fault).await;
    tokio::time::sleep(fault.pause()).await;
    hold(fleet, PARTITIONS, fault).await;
}

/// Locks rows.
pub(crate) async fn lock_rows(fleet: &Fleet, fault: Fault) {
    hold(fleet, ROWS[fault.draw % ROWS.len()], fault).await;
}

/// Claims identities of events around the one that will be sent next.
pub(crate) async fn claim_ids(fleet: &Fleet, sender: &Sender, fault: Fault) {
    let next = sender.ledger.len();
    let mut claims: Vec<_> =
        (next.saturating_sub(CLAIMED / 2)..next + CLAIMED / 2).map(|number| sender.catalog.identity(number)).collect();
    // Everybody claims in this order, so that nobody waits in a circle.
    claims.sort_unstable_by_key(|(id, day)| (*day, *id));
    let values: Vec<_> = claims.iter().map(|(id, day)| format!("(1, '{id}', '{day}')")).collect();
    let claim = format!("insert into event_ids (project_id, event_id, day) values {} on conflict do nothing", values.join(", "));
    hold(fleet, &claim, fault).await;
}

async fn hold(fleet: &Fleet, statement: &str, fault: Fault) {
    // Whatever goes wrong ends the transaction, and with it the fault.
    let Ok(stranger) = Stranger::hold(&fleet.database_url, statement).await else { return };
    tokio::time::sleep(fault.lasts).await;
    let _ = stranger.let_go().await;
}
