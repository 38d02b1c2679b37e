//! The benchmark, as small as it gets: it measures every row and writes its report.

use std::process::Command;

use rollcall_stack::Scratch;
use rollcall_tests::binary;
use serde_json::Value;

/// What needs packages from the network and is left out without them.
const PLAIN: &str = "plain Python service";

#[tokio::test(flavor = "multi_thread")]
async fn a_small_benchmark_measures_every_row() {
    let out = Scratch::make().unwrap();
    let mut command = Command::new(binary("rollcall-bench"));
    command.args(["--rows", "3000", "--reps", "1", "--events", "2000", "--seconds", "0.05", "--out"]).arg(out.path());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let report: Value = serde_json::from_slice(&std::fs::read(out.path().join("bench.json")).unwrap()).unwrap();
    let rows = report["rows"].as_array().unwrap();
    assert!(rows.len() > 40, "{} rows", rows.len());
    let is_positive = |values: &Value| values["values"].as_array().unwrap().iter().all(|value| value.as_f64().unwrap() > 0.0);
    for row in rows {
        assert!(row["ours"]["median"].is_f64() && is_positive(&row["ours"]), "{row}");
        for yardstick in row["yardsticks"].as_array().unwrap() {
            assert_eq!(yardstick["values"]["median"].is_f64(), yardstick["name"] != PLAIN, "{row}");
        }
    }
    let table = std::fs::read_to_string(out.path().join("bench.md")).unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), table);
}
