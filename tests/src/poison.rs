//! Events that PostgreSQL refuses, by a constraint that only a test has.

use serde_json::{Value, json};
use sqlx::PgPool;

/// The constraint, and what it is about.
#[derive(Debug)]
pub struct Poison;

impl Poison {
    /// From now on, poisonous events are refused.
    ///
    /// # Panics
    /// If the database does not answer.
    pub async fn lay(pool: &PgPool) {
        let statement = "alter table events add constraint poison check (properties ->> 'poison' is null) not valid";
        sqlx::query(statement).execute(pool).await.expect("the constraint is made");
    }

    /// From now on, they are taken.
    ///
    /// # Panics
    /// If the database does not answer.
    pub async fn lift(pool: &PgPool) {
        sqlx::query("alter table events drop constraint poison").execute(pool).await.expect("the constraint is dropped");
    }

    /// What makes an event poisonous.
    #[must_use]
    pub fn properties() -> Value {
        json!({"poison": true})
    }

    /// The event with poison in it.
    #[must_use]
    pub fn in_event(mut event: Value) -> Value {
        event["properties"] = Self::properties();
        event
    }
}
