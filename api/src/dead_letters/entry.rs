//! The entry in the audit log about a change of dead letters.
//!
//! Letters are in JetStream and the log is in PostgreSQL, so no transaction contains both. The entry comes first: what
//! cannot be written down is not done, so no letter is redriven or purged without a trace. If the change breaks off
//! after that, the entry also names letters that are still there.

use rollcall_shared::database::Lease;
use serde_json::{Value, json};
use sqlx::Connection;

use super::{Act, Changer};
use crate::admin::audit_log::{self, Action, Entry};
use crate::admin::keys::check_caller;
use crate::error::ApiError;
use crate::queue::letter::Letter;

/// Letters that an entry names. The log is read in pages of up to 1,000 entries, and an event id has up to 200 bytes.
const MAX_NAMED: usize = 20;

/// Writes down that these letters are about to be changed; nothing if there are none.
///
/// # Errors
/// [`ApiError::Unauthorized`] if the key of the caller was revoked meanwhile, and those of the database.
pub(super) async fn record(letters: &[Letter], act: Act<'_>, changer: &Changer) -> Result<(), ApiError> {
    let Some(last) = letters.last() else { return Ok(()) };
    let action = match act {
        Act::Redrive(_) => Action::RedriveDeadLetters,
        Act::Purge => Action::PurgeDeadLetters,
    };
    let before = json!({
        "matched": letters.len(),
        "events_count": letters.iter().map(Letter::events_count).sum::<u64>(),
        "last_id": last.sequence().to_string(),
        "letters": letters.iter().take(MAX_NAMED).map(named).collect::<Vec<_>>(),
    });
    let project = changer.caller.project().id;
    let entry = Entry { action, project, key: None, before: Some(before), after: None };
    let mut lease: Lease = changer.administration.lease().await?;
    let mut transaction = lease.begin().await?;
    check_caller(&changer.caller, &mut transaction).await?;
    audit_log::record(entry, &changer.caller, &mut transaction).await?;
    transaction.commit().await?;
    lease.give_back();
    Ok(())
}

/// Enough to find the letter and its event again, and nothing of the event's content.
fn named(letter: &Letter) -> Value {
    let summary = json!(letter.summary());
    // PostgreSQL holds no NUL, and an event that was not sent through the API may be refused because of one.
    let event_id = summary["event_id"].as_str().map(|id| id.replace('\0', "\u{fffd}"));
    json!({ "id": summary["id"], "code": summary["code"], "event_id": event_id })
}
