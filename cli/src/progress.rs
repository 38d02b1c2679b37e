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

fn bar(length: u64, template: &str) -> ProgressBar {
    let bar = ProgressBar::new(length);
    // The templates above are constants; a wrong one would fall back to the default look.
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
