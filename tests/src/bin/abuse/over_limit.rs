//! A client that sends far more than the limit of its key.

use futures::future::join_all;
use rollcall_tests::event;

use crate::attack::{Target, tally};

/// Requests that the client has under way at any time.
const AT_ONCE: usize = 32;

/// Sends one event after the other, without waiting when told to.
pub(crate) async fn run(target: &Target) -> String {
    let body = event("over", "limit", "t", "2026-03-01T10:00:00Z");
    let one = async || {
        let mut outcomes = Vec::new();
        let sending = async {
            loop {
                let request = target.http.post(format!("{}/events", target.url)).header("X-API-Key", &target.limited_key);
                outcomes.push(match request.json(&body).send().await {
                    Ok(answer) => answer.status().as_u16().to_string(),
                    Err(_) => "no answer".to_owned(),
                });
            }
        };
        let _: Result<(), _> = tokio::time::timeout(target.hold, sending).await;
        outcomes
    };
    let outcomes = join_all((0..AT_ONCE).map(|_| one())).await.concat();
    let all = outcomes.len() as f64 / target.hold.as_secs_f64();
    format!("{all:.0} requests a second: {}", tally(outcomes))
}
