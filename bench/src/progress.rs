//! Progress on standard error: a bar where someone watches, lines where it is written down.

use std::io::{IsTerminal, stderr};

use indicatif::{ProgressBar, ProgressStyle};

/// Says what is being done.
pub(crate) fn say(what: &str) {
    eprintln!("bench: {what}");
}

/// Counts events.
pub(crate) fn bar(what: &str, events: u64) -> ProgressBar {
    if !stderr().is_terminal() {
        say(what);
    }
    let bar = ProgressBar::new(events).with_message(what.to_owned());
    // The template is a constant; a wrong one would fall back to the default look.
    match ProgressStyle::with_template("{msg} {wide_bar} {human_pos}/{human_len}, {per_sec}, {eta} left") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
