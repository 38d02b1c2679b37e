//! A stranger: a session that is none of the service's, with a transaction that stays open.

use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// An open transaction of somebody else. No time limit ends it.
#[derive(Debug)]
pub struct Stranger(PgConnection);

impl Stranger {
    /// Begins a transaction and runs one statement in it.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn hold(database_url: &str, statement: &str) -> Result<Self, sqlx::Error> {
        let mut connection = PgConnection::connect(database_url).await?;
        sqlx::raw_sql(AssertSqlSafe(format!("begin; {statement}"))).execute(&mut connection).await?;
        Ok(Self(connection))
    }

    /// Takes everything back.
    ///
    /// # Errors
    /// Those of the database, which then takes it back as well.
    pub async fn let_go(mut self) -> Result<(), sqlx::Error> {
        sqlx::raw_sql("rollback").execute(&mut self.0).await.map(drop)
    }
}
