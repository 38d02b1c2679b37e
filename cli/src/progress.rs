//! Progress bars. They are hidden if standard error is not a terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// Counts events.
pub(crate) fn of_events(events: u64) -> ProgressBar {
    bar(events, "{wide_bar} {human_pos}/{human_len} events, {per_sec}, {eta} left")
}

/// Counts the bytes of a file.
pub(crate) fn of_bytes(bytes: u64) -> ProgressBar {
    bar(bytes, "{wide_bar} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left")
}

/// Counts dead letters, whose total is not known in advance.
pub(crate) fn of_letters() -> ProgressBar {
    ProgressBar::new_spinner().with_message("dead letters").with_style(style("{spinner} {human_pos} {msg}, {per_sec}"))
}

/// Counts the partitions that have expired events, and says how many events went.
pub(crate) fn of_partitions() -> ProgressBar {
    bar(0, "{wide_bar} {pos}/{len} partitions, {msg}")
}

/// Counts the days of a project, and says how many rows were read of them.
pub(crate) fn of_days() -> ProgressBar {
    bar(0, "{wide_bar} {pos}/{len} days, {msg}")
}

fn bar(length: u64, template: &str) -> ProgressBar {
    ProgressBar::new(length).with_style(style(template))
}

/// The templates above are constants. An invalid one would fall back to the default style.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
