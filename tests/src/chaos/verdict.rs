//! The verdict: compares everything that is stored with everything that was promised.

use super::check::Check;
use super::client::Sender;
use super::dead_letters::{self, DeadLetters};
use super::failure::{Failure, Failures};
use super::fleet::Fleet;
use super::leaks::{self, Tables};
use super::rows::{Poison, Rows, welcome_poison};
use super::{statistics, stream};

/// What the checks look at.
pub(crate) struct Court<'a> {
    pub(crate) fleet: &'a Fleet,
    pub(crate) sender: &'a Sender,
    pub(crate) failures: &'a Failures,
    /// What was there before the first fault.
    pub(crate) tables: &'a Tables,
}

/// Figures for the report.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Figures {
    pub(crate) lost: usize,
    pub(crate) doubled: usize,
    pub(crate) dead_letters: usize,
}

impl Court<'_> {
    /// Waits until the queue is empty and makes all checks, first with the dead letters in place and
    /// then with all of them redriven.
    pub(crate) async fn judge(&self) -> Figures {
        let before = self.judge_now(Poison::Refused).await;
        welcome_poison(&self.fleet.pool).await;
        self.redrive(before.dead_letters).await;
        let after = self.judge_now(Poison::Welcome).await;
        Figures { lost: before.lost.max(after.lost), doubled: before.doubled.max(after.doubled), ..before }
    }

    async fn judge_now(&self, poison: Poison) -> Figures {
        self.failures.extend(stream::wait_until_drained(self.fleet).await.err());
        let Sender { catalog, ledger, http, fronts, .. } = self.sender;
        let standings = ledger.standings();
        // Before the rows are read: no delta may be left to be folded in between.
        self.failures.extend(leaks::check(self.fleet, self.tables).await);
        let rows = Rows::read(&self.fleet.pool, catalog).await;
        self.failures.extend(rows.judge(catalog, &standings, poison));
        let (lost, doubled) = rows.lost_and_doubled(catalog, &standings, poison);
        let mut figures = Figures { lost, doubled, dead_letters: 0 };
        match (DeadLetters { http, front: fronts[0] }.list().await, poison) {
            (Ok(letters), Poison::Refused) => {
                let judgement = dead_letters::judge(&letters, catalog, &standings);
                figures.dead_letters = letters.len();
                figures.lost += judgement.lost;
                figures.doubled += judgement.doubled;
                self.failures.extend(judgement.failures);
            }
            (Ok(letters), Poison::Welcome) => {
                let left = letters.iter().map(|letter| Failure::new(Check::Redriven, format!("this letter is left: {letter}")));
                self.failures.extend(left);
            }
            (Err(failure), _) => self.failures.add(failure),
        }
        let model = rows.model(catalog, &standings, poison);
        // To answer from the rows takes seconds, so they are asked at the end only.
        let sources: &[&str] = if poison == Poison::Refused { &["rollups"] } else { &["rollups", "events"] };
        self.failures.extend(statistics::check(http, fronts[0], catalog, &model, sources).await);
        figures
    }

    /// Sends all dead letters again, from two sides at the same time.
    async fn redrive(&self, letters: usize) {
        let Sender { http, fronts, .. } = self.sender;
        let sides = [fronts[0], fronts[fronts.len() - 1]].map(|front| DeadLetters { http, front });
        let [one, other] = sides.each_ref().map(DeadLetters::redrive);
        match tokio::try_join!(one, other) {
            Ok((one, other)) if one + other >= letters as u64 => {}
            Ok((one, other)) => {
                self.failures.add(Failure::new(Check::Redriven, format!("{one} and {other} of {letters} letters were redriven")));
            }
            Err(failure) => self.failures.add(failure),
        }
    }
}
