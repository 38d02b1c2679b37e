//! Data for the yardsticks that use PostgreSQL, encoded before the measurement begins.

use rollcall_shared::project::ProjectId;
use rollcall_worker::bulk::{Lines, Loader, Prepared};
use sqlx::{PgConnection, PgPool};

use crate::batch::Batch;

/// The lines of a batch, one item per transaction.
pub(crate) fn lines(batch: &Batch) -> Vec<Lines> {
    batch.lines.iter().map(|lines| Lines::new(ProjectId::DEFAULT, lines.clone())).collect()
}

/// The transactions of a batch, with the numbers of users and types from this database.
pub(crate) async fn prepare(pool: &PgPool, lines: &[Lines]) -> anyhow::Result<Vec<Prepared>> {
    let loader = Loader::new(pool.clone());
    let mut prepared = Vec::with_capacity(lines.len());
    for lines in lines {
        prepared.push(loader.prepare(lines).await?);
    }
    Ok(prepared)
}

/// The rows of prepared transactions as the data of COPY.
pub(crate) fn bodies(prepared: &[Prepared]) -> Vec<Vec<u8>> {
    prepared.iter().map(|transaction| transaction.copy_body().to_vec()).collect()
}

/// Runs one COPY for each body.
pub(crate) async fn copy(connection: &mut PgConnection, statement: &str, bodies: Vec<Vec<u8>>) -> anyhow::Result<()> {
    for body in bodies {
        let mut copy = connection.copy_in_raw(statement).await?;
        copy.send(body).await?;
        copy.finish().await?;
    }
    Ok(())
}
