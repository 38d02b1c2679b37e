//! Progress on standard error: a progress bar on a terminal, and lines otherwise.

use std::io::{IsTerminal, stderr};

use indicatif::{ProgressBar, ProgressStyle};

/// Prints what the benchmark is doing.
pub(crate) fn say(what: &str) {
    eprintln!("bench: {what}");
}

/// A progress bar that counts events.
pub(crate) fn bar(what: &str, events: u64) -> ProgressBar {
    if !stderr().is_terminal() {
        say(what);
    }
    let bar = ProgressBar::new(events).with_message(what.to_owned());
    // The template is a constant. If it were invalid, the bar would have the default style.
    match ProgressStyle::with_template("{msg} {wide_bar} {human_pos}/{human_len}, {per_sec}, {eta} left") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
