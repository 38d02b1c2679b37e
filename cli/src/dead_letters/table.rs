//! The list of dead letters as a table.

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde_json::Value;

/// Characters of a reason that are shown. `show` prints all of it.
const REASON_CHARS: usize = 80;

/// A table with one line per dead letter.
pub(super) fn of(letters: &[Value]) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(["id", "failed at", "code", "redrives", "events", "event", "type", "reason"]);
    for letter in letters {
        let cell = |name: &str| letter[name].as_str().map_or_else(|| letter[name].to_string(), str::to_owned);
        let of_event = |name: &str| letter[name].as_str().unwrap_or("-").to_owned();
        let reason: String = cell("reason").chars().take(REASON_CHARS).collect();
        table.add_row([
            cell("id"),
            cell("failed_at"),
            cell("code"),
            cell("redrives"),
            cell("events_count"),
            of_event("event_id"),
            of_event("event_type"),
            reason,
        ]);
    }
    table.trim_fmt()
}
