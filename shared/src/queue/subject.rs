//! Subjects: the addresses of chunks and dead letters.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::priority::{Priority, shard_of};
use crate::day::Day;
use crate::project::ProjectId;

/// Every subject of accepted events with normal priority.
pub(crate) const NORMAL_SUBJECTS: &str = "events.ingest.*";
/// Every subject of accepted events that are bulk.
pub(crate) const BULK_SUBJECTS: &str = "events.bulk.*.*";
/// Every subject of the dead letters.
pub(crate) const DLQ_SUBJECTS: &str = "events.dlq.>";
/// Takes the place of the project if the subject of a message names none.
const NO_PROJECT: &str = "none";

/// The subject of the chunks of a project with this priority.
#[must_use]
pub fn subject(project: ProjectId, priority: Priority) -> String {
    match priority {
        Priority::Normal => format!("events.ingest.{project}"),
        Priority::Bulk => format!("events.bulk.{}.{project}", shard_of(project)),
    }
}

/// The subjects of the bulk of a shard.
pub(crate) fn subjects_of_shard(shard: u32) -> String {
    format!("events.bulk.{shard}.*")
}

/// The project whose chunks have this subject.
#[must_use]
pub fn project_of(subject: &str) -> Option<ProjectId> {
    let of_bulk = || subject.strip_prefix("events.bulk.")?.split_once('.').map(|(_shard, project)| project);
    subject.strip_prefix("events.ingest.").or_else(of_bulk)?.parse().ok().map(ProjectId)
}

/// The priority of the chunks with this subject.
#[must_use]
pub fn priority_of(subject: &str) -> Priority {
    if subject.starts_with("events.bulk.") { Priority::Bulk } else { Priority::Normal }
}

/// The subject of the dead letter of one event.
#[must_use]
pub fn event_subject(project: ProjectId, identity: Uuid, day: Day, redrives: u32) -> String {
    format!("events.dlq.{project}.event.{identity}.{day}.{redrives}")
}

/// The subject of the dead letter of a whole message. The message may belong to no project, because an
/// administrator of NATS can publish on any subject.
#[must_use]
pub fn message_subject(project: Option<ProjectId>, payload: &[u8], redrives: u32) -> String {
    let project = project.map_or_else(|| NO_PROJECT.to_owned(), |project| project.to_string());
    let digest: String = Sha256::digest(payload).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("events.dlq.{project}.message.{digest}.{redrives}")
}

/// The subjects of all dead letters of a project.
#[must_use]
pub fn subjects_of(project: ProjectId) -> String {
    format!("events.dlq.{project}.>")
}

/// The subjects of the dead letters of one event id.
#[must_use]
pub fn subjects_of_event(project: ProjectId, identity: Uuid) -> String {
    format!("events.dlq.{project}.event.{identity}.>")
}

/// The subjects of the dead letters of a project that are whole messages.
#[must_use]
pub fn subjects_of_messages(project: ProjectId) -> String {
    format!("events.dlq.{project}.message.>")
}

/// Whether a subject is that of a whole message.
#[must_use]
pub fn is_message(subject: &str) -> bool {
    subject.split('.').nth(3) == Some("message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_names_its_project() {
        for priority in [Priority::Normal, Priority::Bulk] {
            let subject = subject(ProjectId(71), priority);
            assert_eq!((project_of(&subject), priority_of(&subject)), (Some(ProjectId(71)), priority));
        }
        assert_eq!(subject(ProjectId(71), Priority::Bulk), "events.bulk.7.71");
        for other in ["events.ingest.x", "events.bulk.7", "events.bulk.7.x", "events.dlq.7"] {
            assert_eq!(project_of(other), None, "{other}");
        }
    }

    #[test]
    fn equal_events_have_equal_subjects_until_they_are_redriven() {
        let subject = |day, redrives| event_subject(ProjectId(1), Uuid::nil(), Day(day), redrives);
        assert_eq!(subject(0, 0), "events.dlq.1.event.00000000-0000-0000-0000-000000000000.1970-01-01.0");
        assert_ne!(subject(0, 0), subject(0, 1));
        assert_ne!(subject(0, 0), subject(1, 0));
        assert!(is_message(&message_subject(Some(ProjectId(1)), b"payload", 0)));
        assert!(!is_message(&subject(0, 0)));
    }
}
