//! Memory: the peak memory of API and worker, each on its own, over all stages and topics.

use crate::Bench;
use crate::outcome::Outcome;
use crate::row::Row;

const BOUND_MIB: f64 = 256.0;

pub(super) fn run(bench: &Bench, outcome: &mut Outcome) -> anyhow::Result<()> {
    let (mut api_mib, mut worker_mib) = (0.0_f64, 0.0_f64);
    for stage in &bench.stages {
        let (api, worker) = stage.service.peaks_mib()?;
        (api_mib, worker_mib) = (api_mib.max(api), worker_mib.max(worker));
    }
    for (name, mib) in [("API", api_mib), ("worker", worker_mib)] {
        let mut row = Row::lower(format!("{name}: resident memory at its peak"), "MiB").bound(BOUND_MIB);
        row.ours.push(mib);
        outcome.rows.push(row);
    }
    Ok(())
}
