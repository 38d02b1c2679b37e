//! Recovery: how long after a fault the service takes events again and stores them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::batch::{Batch, Shape, random_of};
use super::calm::Calm;
use super::check::Check;
use super::client::Sender;
use super::failure::{Failure, Failures};
use super::fault::FaultKind;
use super::stored::is_stored;

/// Longer than any backoff of the service, and than the redelivery of what a dead worker held.
const RECOVERY_TIMEOUT: Duration = Duration::from_secs(90);

/// Measures recoveries.
#[derive(Debug)]
pub(crate) struct Recovery {
    pub(crate) sender: Arc<Sender>,
    pub(crate) calm: Arc<Calm>,
    pub(crate) failures: Arc<Failures>,
    pub(crate) longest: Mutex<BTreeMap<FaultKind, Duration>>,
}

impl Recovery {
    /// Sends an event, waits until it is acknowledged and stored, and notes how long that took.
    pub(crate) async fn measure(&self, kinds: Vec<FaultKind>) {
        let began = self.calm.passed();
        let probed = tokio::time::timeout(2 * RECOVERY_TIMEOUT, self.probe()).await;
        let took = self.calm.passed().saturating_sub(began);
        if probed.is_err() || took > RECOVERY_TIMEOUT {
            let names: Vec<&str> = kinds.iter().map(Into::into).collect();
            self.failures.add(Failure::new(Check::Recovered, format!("not {RECOVERY_TIMEOUT:?} after {}", names.join(" and "))));
        }
        let mut longest = self.longest.lock().expect("no panic");
        for kind in kinds {
            let known = longest.entry(kind).or_default();
            *known = took.max(*known);
        }
    }

    async fn probe(&self) {
        let Sender { ledger, catalog, .. } = &*self.sender;
        let mut numbers = std::iter::repeat_with(|| ledger.take_numbers(1).start);
        let number = numbers.find(|number| !catalog.is_poison(*number)).expect("most events are good");
        let batch = Batch { numbers: vec![number], shape: Shape::Array, is_compressed: false };
        ledger.sent(&batch.numbers);
        let mut random = random_of(catalog.seed, number);
        self.sender.deliver(&batch, &mut random, &CancellationToken::new()).await;
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        loop {
            tick.tick().await;
            if is_stored(&self.sender.pool, catalog, number).await == Some(true) {
                return;
            }
        }
    }
}
