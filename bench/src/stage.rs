//! A stage: a service whose database holds a given number of rows.

use rollcall_stack::Stack;

use crate::database::Database;
use crate::prefill::{self, Prefill};
use crate::progress;
use crate::service::Service;

/// A running service, and the number of rows in its tables before the measurements.
pub(crate) struct Stage {
    pub(crate) rows: u64,
    pub(crate) service: Service,
}

impl Stage {
    /// Fills a database, unless an earlier run with the same data folder did so, and starts a service on it.
    pub(crate) async fn open(stack: &Stack, prefill: Prefill) -> anyhow::Result<Self> {
        let rows = prefill.rows;
        let name = format!("rows_{rows}");
        let database = match filled(stack, &name, rows).await {
            Some(database) => database,
            None => {
                let database = Database::create(&stack.postgres, &name).await?;
                database.migrate().await?;
                prefill.run(&database.pool).await?;
                database
            }
        };
        Ok(Self { rows, service: Service::start(stack.folder(), database).await? })
    }

    /// The stage's name in tables.
    pub(crate) fn name(&self) -> String {
        match self.rows {
            0 => "no rows".to_owned(),
            rows => format!("{} rows", crate::number::grouped(rows)),
        }
    }
}

/// The database of an earlier run if it holds the rows. A stage without rows always gets a new database.
async fn filled(stack: &Stack, name: &str, rows: u64) -> Option<Database> {
    let database = Database::open(&stack.postgres, name).ok().filter(|_| rows > 0)?;
    let is_filled = database.counted().await.is_ok_and(|counted| counted >= rows) && database.migrate().await.is_ok();
    // Since the earlier run, days may have passed. A worker would build their indexes during the
    // measurements, so this does it before.
    let is_filled = is_filled && prefill::bring_up_to_date(&database.pool).await.is_ok();
    if is_filled {
        progress::say(&format!("{name} is there from an earlier run"));
    }
    is_filled.then_some(database)
}
