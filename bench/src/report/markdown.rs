//! The report as Markdown, with one line for each yardstick and each absolute target.

use std::fmt::Write;

use super::Settings;
use super::machine::Machine;
use crate::measurements::Measurements;
use crate::number::{grouped, rounded};
use crate::outcome::Outcome;
use crate::row::{Better, Row, Yardstick};

const HEAD: &str = "| what | ours | yardstick | | ratio | target | met |\n|---|---|---|---|---|---|---|\n";

/// The whole report.
pub(super) fn report(settings: &Settings, machine: &Machine, outcome: &Outcome) -> String {
    let mut text = String::from("# Rollcall, measured\n\n");
    let Settings { rows, reps, events_per_request, load_secs } = settings;
    let command = format!("rollcall-bench --rows {rows} --reps {reps} --events {events_per_request} --seconds {load_secs}");
    line(&mut text, format_args!("`{command}`, {}\n", machine.began_at));
    for (name, value) in machine.lines() {
        line(&mut text, format_args!("- {name}: {value}"));
    }
    text.push('\n');
    line(
        &mut text,
        format_args!("Values are medians of {reps} repetitions (smallest to largest). A ratio above 1 is good for us."),
    );
    for note in &outcome.notes {
        line(&mut text, format_args!("{note}"));
    }
    text.push('\n');
    text.push_str(HEAD);
    for row in &outcome.rows {
        write_row(&mut text, row);
    }
    text
}

fn write_row(text: &mut String, row: &Row) {
    let ours = with_spread(&row.ours, row.unit);
    let name = &row.name;
    if row.bound.is_some() || row.yardsticks.is_empty() {
        let sign = if row.better == Better::Lower { "under" } else { "over" };
        let target = row.bound.map(|bound| format!("{sign} {} {}", rounded(bound), row.unit)).unwrap_or_default();
        line(text, format_args!("| {name} | {ours} | | | | {target} | {} |", verdict(row.is_bound_kept())));
    }
    for yardstick in &row.yardsticks {
        let Yardstick { name: other, measurements, at_least } = yardstick;
        if measurements.is_empty() {
            line(text, format_args!("| {name} | {ours} | {other} | not measured | | | |"));
            continue;
        }
        let theirs = with_spread(measurements, row.unit);
        let ratio = with_spread(&row.ratio(yardstick), "");
        let target = at_least.map(|at_least| format!("at least {at_least}")).unwrap_or_default();
        let met = verdict(row.is_met(yardstick));
        line(text, format_args!("| {name} | {ours} | {other} | {theirs} | {ratio} | {target} | {met} |"));
    }
}

fn verdict(is_met: Option<bool>) -> &'static str {
    match is_met {
        Some(true) => "yes",
        Some(false) => "**no**",
        None => "",
    }
}

/// Formats a median with its spread: `1.52 s (1.48 to 1.60)`.
fn with_spread(measurements: &Measurements, unit: &str) -> String {
    let mut text = rounded(measurements.median());
    if !unit.is_empty() {
        text += &format!(" {unit}");
    }
    if measurements.len() > 1 {
        text += &format!(" ({} to {})", rounded(measurements.min()), rounded(measurements.max()));
    }
    text
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing into a string cannot fail.
    let _ = writeln!(text, "{line}");
}

/// Formats KiB as MiB.
pub(super) fn mebibytes(kib: u64) -> String {
    format!("{} MiB", grouped(kib / 1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_yardstick_has_a_line_and_a_bound_has_one_too() {
        let mut row = Row::lower("a read", "ms").bound(5.0).against("SQL", Some(100.0)).against("before", Some(0.9));
        for value in [1.0, 2.0, 3.0] {
            row.ours.push(value);
            row.yardsticks[0].measurements.push(value * 150.0);
        }
        let mut text = String::new();
        write_row(&mut text, &row);
        let expected = "| a read | 2.00 ms (1.00 to 3.00) | | | | under 5.00 ms | yes |\n\
            | a read | 2.00 ms (1.00 to 3.00) | SQL | 300 ms (150 to 450) | 150 (150 to 150) | at least 100 | yes |\n\
            | a read | 2.00 ms (1.00 to 3.00) | before | not measured | | | |\n";
        assert_eq!(text, expected);
    }
}
