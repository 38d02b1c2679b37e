//! Progress bars; hidden by themselves where standard error is no terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// Counts events.
pub(crate) fn of_events(events: u64) -> ProgressBar {
    bar(events, "{wide_bar} {human_pos}/{human_len} events, {per_sec}, {eta} left")
}

/// Counts the bytes of a file.
pub(crate) fn of_bytes(bytes: u64) -> ProgressBar {
    bar(bytes, "{wide_bar} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left")
}

/// Counts letters, of which nobody knows how many there are.
pub(crate) fn of_letters() -> ProgressBar {
    ProgressBar::new_spinner().with_message("dead letters").with_style(style("{spinner} {human_pos} {msg}, {per_sec}"))
}

fn bar(length: u64, template: &str) -> ProgressBar {
    ProgressBar::new(length).with_style(style(template))
}

/// The templates above are constants; a wrong one would fall back to the default look.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
