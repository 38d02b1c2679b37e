//! The dead letters: what PostgreSQL refuses must be there, once and with a reason, and come back
//! when it is sent again.

use std::collections::BTreeMap;
use std::time::Duration;

use rollcall_shared::queue::dead_letter::Code;
use serde_json::Value;

use super::catalog::{Catalog, POISON};
use super::check::Check;
use super::failure::Failure;
use super::ledger::Standing;
use crate::KEY;

/// An API that is disturbed is not waited for.
const TIMEOUT: Duration = Duration::from_secs(4);

/// The dead letters over HTTP.
pub(crate) struct DeadLetters<'a> {
    pub(crate) http: &'a reqwest::Client,
    /// Port of an API.
    pub(crate) front: u16,
}

impl DeadLetters<'_> {
    /// All of them, page by page.
    pub(crate) async fn list(&self) -> Result<Vec<Value>, Failure> {
        let mut all = Vec::new();
        let mut cursor = String::new();
        loop {
            let request = self.http.get(self.url(&format!("?limit=1000{cursor}")));
            let mut page = answer(request).await.map_err(|detail| Failure::new(Check::DeadLetters, detail))?;
            let Value::Array(letters) = page["data"].take() else {
                return Err(Failure::new(Check::DeadLetters, format!("a page without data: {page}")));
            };
            all.extend(letters);
            match next_cursor(&page) {
                Some(next) => cursor = next,
                None => return Ok(all),
            }
        }
    }

    /// Whether an event has one; `None` if the API does not answer.
    pub(crate) async fn has(&self, id: &str) -> Option<bool> {
        let request = self.http.get(self.url(&format!("?event_id={id}"))).timeout(TIMEOUT);
        let page = answer(request).await.ok()?;
        Some(!page["data"].as_array()?.is_empty())
    }

    /// Sends all of them into the queue again; returns how many that were.
    pub(crate) async fn redrive(&self) -> Result<u64, Failure> {
        let mut redriven = 0;
        let mut cursor = String::new();
        loop {
            let request = self.http.post(self.url(&format!("/redrive?dry_run=false{cursor}")));
            let page = answer(request).await.map_err(|detail| Failure::new(Check::Redriven, detail))?;
            redriven += page["redriven"].as_u64().unwrap_or(0);
            match next_cursor(&page) {
                Some(next) => cursor = next,
                None => return Ok(redriven),
            }
        }
    }

    fn url(&self, rest: &str) -> String {
        format!("http://127.0.0.1:{}/admin/dead-letters{rest}", self.front)
    }
}

/// What the list says.
#[derive(Debug, Default)]
pub(crate) struct Judgement {
    /// Acknowledged poison without a letter.
    pub(crate) lost: usize,
    /// Poison with more than one.
    pub(crate) doubled: usize,
    pub(crate) failures: Vec<Failure>,
}

/// Holds the list against what was sent while PostgreSQL refused poison.
pub(crate) fn judge(letters: &[Value], catalog: &Catalog, standings: &[Standing]) -> Judgement {
    let numbers = (0..standings.len()).filter(|number| standings[*number] != Standing::Unsent);
    let poison = numbers.filter(|number| catalog.is_poison(*number as u64));
    let mut poison: BTreeMap<String, (Standing, usize)> =
        poison.map(|number| (catalog.event(number as u64).id, (standings[number], 0))).collect();
    let mut judgement = Judgement::default();
    for letter in letters {
        match letter["event_id"].as_str().and_then(|id| poison.get_mut(id)) {
            Some((_, times)) => *times += 1,
            None => judgement.fail(Check::DeadLetters, format!("this should not be one: {letter}")),
        }
        if !is_well_written(letter) {
            judgement.fail(Check::DeadLetters, format!("code, reason or type are wrong: {letter}"));
        }
    }
    for (id, (standing, times)) in poison {
        match (times, standing) {
            (0, Standing::Acknowledged) => {
                judgement.lost += 1;
                judgement.fail(Check::NothingLost, format!("{id} was refused and is no dead letter"));
            }
            (0 | 1, _) => {}
            _ => {
                judgement.doubled += 1;
                judgement.fail(Check::NothingDoubled, format!("{id} has {times} dead letters"));
            }
        }
    }
    judgement
}

impl Judgement {
    fn fail(&mut self, check: Check, detail: String) {
        self.failures.push(Failure::new(check, detail));
    }
}

fn is_well_written(letter: &Value) -> bool {
    let has_reason = letter["reason"].as_str().is_some_and(|reason| !reason.is_empty());
    has_reason && letter["code"] == Code::Refused.name() && letter["event_type"] == POISON
}

fn next_cursor(page: &Value) -> Option<String> {
    page["next_cursor"].as_str().map(|cursor| format!("&cursor={cursor}"))
}

async fn answer(request: reqwest::RequestBuilder) -> Result<Value, String> {
    let response = request.header("X-API-Key", KEY).send().await.map_err(|error| error.to_string())?;
    let status = response.status();
    let answer = response.json::<Value>().await.map_err(|error| error.to_string())?;
    if status.is_success() { Ok(answer) } else { Err(format!("{status}: {answer}")) }
}
