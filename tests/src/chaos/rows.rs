//! The rows: compares what is stored with what was promised.

use futures::TryStreamExt;
use jiff_sqlx::Timestamp;
use sqlx::PgPool;
use sqlx::types::Uuid;

use super::catalog::{Catalog, ChaosEvent, POISON};
use super::check::Check;
use super::failure::Failure;
use super::ledger::Standing;
use crate::Model;

/// Examples in one message.
const EXAMPLES: usize = 10;

/// Every row, with what its numbers stand for.
const ROWS: &str = "
    select events.event_id, client_event_id, user_id, anonymous_id, event_types.name, users.actor, occurred_at,
           (properties ->> 'n')::bigint
    from events
    left join event_types on event_types.id = event_type_id and event_types.project_id = events.project_id
    left join users on users.ord = user_ord and users.project_id = events.project_id";

/// Identities with more than one row.
const DOUBLES: &str = "
    select event_id || ' on ' || (occurred_at at time zone 'UTC')::date || ': ' || count(*) || ' rows'
    from events
    group by project_id, event_id, (occurred_at at time zone 'UTC')::date
    having count(*) > 1
    limit 10";

type Row = (Uuid, Option<String>, Option<String>, Option<String>, Option<String>, Option<String>, Timestamp, Option<i64>);

/// Whether the database refuses poison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Poison {
    Refused,
    Welcome,
}

/// How often each event is stored.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    times: Vec<u8>,
    /// Rows that are no event of the catalog.
    strangers: Vec<String>,
    /// Identities that PostgreSQL itself finds twice.
    doubles: Vec<String>,
}

impl Rows {
    /// Reads the whole table.
    pub(crate) async fn read(pool: &PgPool, catalog: &Catalog) -> Self {
        let mut found = Self { doubles: sqlx::query_scalar(DOUBLES).fetch_all(pool).await.expect("a list"), ..Self::default() };
        let mut rows = sqlx::query_as::<_, Row>(ROWS).fetch(pool);
        while let Some(row) = rows.try_next().await.expect("a row") {
            match number_of(&row, catalog) {
                Some(number) => found.count(usize::try_from(number).expect("a number that fits")),
                None => found.strangers.push(format!("{row:?}")),
            }
        }
        found
    }

    /// How often the event of this number is stored.
    pub(crate) fn times(&self, number: usize) -> u8 {
        self.times.get(number).copied().unwrap_or(0)
    }

    /// How many acknowledged events are not stored, and how many events are stored more than once.
    pub(crate) fn lost_and_doubled(&self, catalog: &Catalog, standings: &[Standing], poison: Poison) -> (usize, usize) {
        (self.lost(catalog, standings, poison).len(), self.doubles.len().max(self.doubled().len()))
    }

    /// Holds the rows against the standings.
    pub(crate) fn judge(&self, catalog: &Catalog, standings: &[Standing], poison: Poison) -> Vec<Failure> {
        let is_unsent = |number: &usize| standings.get(*number).is_none_or(|standing| *standing == Standing::Unsent);
        let unsent = (0..self.times.len()).filter(|number| self.times(*number) > 0 && is_unsent(number));
        let poisoned = (0..self.times.len()).filter(|number| self.times(*number) > 0 && catalog.is_poison(*number as u64));
        let mut failures = Vec::new();
        let mut check = |check, what: &str, found: Vec<String>| {
            if !found.is_empty() {
                let examples = found[..found.len().min(EXAMPLES)].join("; ");
                failures.push(Failure::new(check, format!("{} {what}, such as {examples}", found.len())));
            }
        };
        let names = |numbers: Vec<usize>| numbers.into_iter().map(|number| catalog.event(number as u64).to_string()).collect();
        check(Check::NothingLost, "acknowledged events are not stored", names(self.lost(catalog, standings, poison)));
        check(Check::NothingDoubled, "events are stored more than once", names(self.doubled()));
        check(Check::NothingDoubled, "identities have more than one row", self.doubles.clone());
        check(Check::NothingElse, "events are stored that nobody sent", names(unsent.collect()));
        check(Check::NothingElse, "rows are not what was sent", self.strangers.clone());
        if poison == Poison::Refused {
            check(Check::NothingElse, "events are stored that PostgreSQL refuses", names(poisoned.collect()));
        }
        failures
    }

    /// The model of what should be there: what was promised, and what of the rest has come through.
    pub(crate) fn model(&self, catalog: &Catalog, standings: &[Standing], poison: Poison) -> Model {
        let mut model = Model::default();
        for (number, standing) in standings.iter().enumerate() {
            let is_promised = *standing == Standing::Acknowledged && is_storable(catalog, number, poison);
            if is_promised || self.times(number) > 0 {
                let event = catalog.event(number as u64);
                model.count(event.day, &event.event_type, &event.user);
            }
        }
        model
    }

    fn lost(&self, catalog: &Catalog, standings: &[Standing], poison: Poison) -> Vec<usize> {
        let promised = standings.iter().enumerate().filter(|(_, standing)| **standing == Standing::Acknowledged);
        let numbers = promised.map(|(number, _)| number).filter(|number| is_storable(catalog, *number, poison));
        numbers.filter(|number| self.times(*number) == 0).collect()
    }

    fn doubled(&self) -> Vec<usize> {
        (0..self.times.len()).filter(|number| self.times[*number] > 1).collect()
    }

    fn count(&mut self, number: usize) {
        if self.times.len() <= number {
            self.times.resize(number + 1, 0);
        }
        self.times[number] = self.times[number].saturating_add(1);
    }
}

impl std::fmt::Display for ChaosEvent {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} ({} of {} at {})", self.id, self.event_type, self.user, self.occurred_at)
    }
}

fn is_storable(catalog: &Catalog, number: usize, poison: Poison) -> bool {
    poison == Poison::Welcome || !catalog.is_poison(number as u64)
}

/// The event that the row is, if it is one to the last field.
fn number_of(row: &Row, catalog: &Catalog) -> Option<u64> {
    let (event_id, client_event_id, user, anonymous, event_type, actor, occurred_at, n) = row;
    let number = catalog.number_of(*event_id, client_event_id.as_deref())?;
    let event = catalog.event(number);
    let (named, unnamed) = if event.is_signed_in { (user, anonymous) } else { (anonymous, user) };
    let is_same = catalog.identity(number).0 == *event_id
        && named.as_deref() == Some(&event.user)
        && unnamed.is_none()
        && actor.as_deref() == Some(&event.user)
        && event_type.as_deref() == Some(&event.event_type)
        && occurred_at.to_jiff() == event.occurred_at
        && *n == i64::try_from(number).ok();
    is_same.then_some(number)
}

/// Makes PostgreSQL refuse every event of the type poison.
pub(crate) async fn refuse_poison(pool: &PgPool) {
    // As a worker does it, so that none of them gives the same number to another type.
    let name = "with reserved as (
            update projects set next_event_type_id = next_event_type_id + 1, event_type_count = event_type_count + 1
            where id = 1
            returning next_event_type_id - 1 as id
        )
        insert into event_types (project_id, id, name)
        select 1, id, $1 from reserved
        on conflict (project_id, name) do update set name = excluded.name
        returning id";
    let id: i32 = sqlx::query_scalar(name).bind(POISON).fetch_one(pool).await.expect("a number");
    let constraint = format!("alter table events add constraint chaos_poison check (event_type_id <> {id})");
    sqlx::query(sqlx::AssertSqlSafe(constraint)).execute(pool).await.expect("a constraint");
}

/// Makes PostgreSQL take them.
pub(crate) async fn welcome_poison(pool: &PgPool) {
    sqlx::query("alter table events drop constraint chaos_poison").execute(pool).await.expect("no constraint");
}
