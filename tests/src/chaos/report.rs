//! The report: what a run did and found, as Markdown.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use strum::VariantArray as _;

use super::check::Check;
use super::failure::Failure;
use super::fault::FaultKind;

/// What one run did and found.
#[derive(Debug, Clone)]
pub struct Report {
    /// The seed of the run.
    pub seed: u64,
    /// How long it was disturbed.
    pub seconds: u64,
    /// Different events that were acknowledged.
    pub acknowledged: usize,
    /// Requests by how they were answered.
    pub answers: BTreeMap<&'static str, u64>,
    /// Faults by kind.
    pub faults: BTreeMap<FaultKind, u64>,
    /// Acknowledged events that were neither stored nor a dead letter.
    pub lost: usize,
    /// Events that were there more than once.
    pub doubled: usize,
    /// Dead letters, before they were redriven.
    pub dead_letters: usize,
    /// How often a day was archived, dropped and restored.
    pub restored_days: usize,
    /// From the end of a fault to an event that was sent after it and is stored: the longest of each
    /// kind.
    pub recoveries: BTreeMap<FaultKind, Duration>,
    /// What was not as it should be.
    pub failures: Vec<Failure>,
}

impl Report {
    /// The runs as one; the seed is that of the last.
    fn total(reports: &[Self]) -> Option<Self> {
        let (first, others) = reports.split_first()?;
        Some(others.iter().fold(first.clone(), |sum, report| sum.and(report)))
    }

    fn and(mut self, other: &Self) -> Self {
        self.seed = other.seed;
        self.seconds += other.seconds;
        self.acknowledged += other.acknowledged;
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.dead_letters += other.dead_letters;
        self.restored_days += other.restored_days;
        other.answers.iter().for_each(|(kind, count)| *self.answers.entry(kind).or_default() += count);
        other.faults.iter().for_each(|(kind, count)| *self.faults.entry(*kind).or_default() += count);
        for (kind, took) in &other.recoveries {
            let known = self.recoveries.entry(*kind).or_default();
            *known = (*took).max(*known);
        }
        self.failures.extend(other.failures.clone());
        self
    }

    fn row(&self, name: &str) -> String {
        let Self { seconds, acknowledged, lost, doubled, dead_letters, restored_days, failures, .. } = self;
        let (requests, faults) = (self.answers.values().sum::<u64>(), self.faults.values().sum::<u64>());
        let longest = self.recoveries.values().max().copied().unwrap_or_default().as_secs_f64();
        format!(
            "| {name} | {seconds} | {requests} | {acknowledged} | {faults} | {lost} | {doubled} | {dead_letters} | {restored_days} | {longest:.1} s | {} |",
            failures.len()
        )
    }
}

/// Tables of all runs: one line a run, one a kind of fault, one a check, and what failed.
#[must_use]
pub fn table(reports: &[Report]) -> String {
    let Some(total) = Report::total(reports) else { return String::new() };
    let mut lines = vec![
        "| seed | seconds of faults | requests | events acknowledged | faults | lost | doubled | dead letters | restored days | longest recovery | failures |".to_owned(),
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|".to_owned(),
    ];
    lines.extend(reports.iter().map(|report| report.row(&report.seed.to_string())));
    if reports.len() > 1 {
        lines.push(total.row("all"));
    }
    lines.extend(["".to_owned(), "| answers | requests |".to_owned(), "|---|--:|".to_owned()]);
    lines.extend(total.answers.iter().map(|(kind, count)| format!("| {kind} | {count} |")));
    lines.extend(["".to_owned(), "| fault | injected | longest recovery |".to_owned(), "|---|--:|--:|".to_owned()]);
    lines.extend(total.faults.iter().map(|(kind, count)| {
        let longest = total.recoveries.get(kind).copied().unwrap_or_default().as_secs_f64();
        format!("| {kind} | {count} | {longest:.1} s |")
    }));
    lines.extend(["".to_owned(), "| check | failures |".to_owned(), "|---|--:|".to_owned()]);
    lines.extend(Check::VARIANTS.iter().map(|check| {
        let failed = total.failures.iter().filter(|failure| failure.check == *check).count();
        format!("| {check} | {failed} |")
    }));
    let mut text = lines.join("\n") + "\n";
    for report in reports {
        let Report { seed, seconds, failures, .. } = report;
        for failure in failures {
            let _ = writeln!(text, "\n- seed {seed}: {failure} (again: `make chaos SECONDS={seconds} SEED={seed}`)");
        }
    }
    text
}
