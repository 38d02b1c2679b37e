//! What commands print: lines, and lists as tables or as JSON.

use std::io::Write;

use anyhow::Context;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde_json::Value;

/// Prints a line. It is not an error if the reader, such as `head`, has closed the pipe.
pub(crate) fn print(line: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{line}") {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        written => written.context("standard output cannot be written to"),
    }
}

/// Prints entries: one JSON object per line, or a table of the columns, each a heading and the path of a value.
pub(crate) fn print_list(entries: &[Value], json: bool, columns: &[(&str, &str)]) -> anyhow::Result<()> {
    if json {
        return entries.iter().try_for_each(|entry| print(&entry.to_string()));
    }
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(columns.iter().map(|(heading, _)| *heading));
    for entry in entries {
        table.add_row(columns.iter().map(|(_, path)| cell(entry.pointer(path).unwrap_or(&Value::Null))));
    }
    print(&table.trim_fmt())
}

/// A value as a cell.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(cell).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}
