//! Notices: replicas of the API tell each other that something which they cache has changed.
//!
//! A notice travels over core NATS and may be lost. Receivers forget what they cached, and caches are trusted
//! for a few seconds anyway, so a lost notice only delays a change.

use strum::VariantArray;

/// The subjects of all notices.
pub const NOTICE_SUBJECTS: &str = "rollcall.notices.*";

/// Longest id in a notice, in bytes.
const MAX_ID_BYTES: usize = 256;

/// What has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum NoticeKind {
    /// A key was revoked, rotated or changed. The id is its number.
    Keys,
    /// A project was changed. The id is its number.
    Projects,
    /// A schema of a project was changed. The id is the number of the project.
    Schemas,
}

/// The notice of one change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What has changed.
    pub kind: NoticeKind,
    /// Which one.
    pub id: String,
}

impl Notice {
    /// The subject of this notice. Its payload is the id.
    #[must_use]
    pub fn subject(&self) -> String {
        subject(self.kind)
    }

    /// The notice in a message; `None` if the message is something else.
    #[must_use]
    pub fn read(subject_of_message: &str, payload: &[u8]) -> Option<Self> {
        let kind = NoticeKind::VARIANTS.iter().copied().find(|kind| subject(*kind) == subject_of_message)?;
        let id = str::from_utf8(payload).ok().filter(|id| (1..=MAX_ID_BYTES).contains(&id.len()))?;
        Some(Self { kind, id: id.to_owned() })
    }
}

fn subject(kind: NoticeKind) -> String {
    format!("rollcall.notices.{}", <&str>::from(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_read_as_it_was_sent_and_anything_else_is_none() {
        for kind in NoticeKind::VARIANTS.iter().copied() {
            let notice = Notice { kind, id: "7".to_owned() };
            assert_eq!(Notice::read(&notice.subject(), b"7"), Some(notice));
        }
        assert_eq!(Notice::read("rollcall.notices.keys", b""), None);
        assert_eq!(Notice::read("rollcall.notices.keys", &[b'7'; 300]), None);
        assert_eq!(Notice::read("rollcall.notices.keys", &[0xff]), None);
        assert_eq!(Notice::read("rollcall.notices.other", b"7"), None);
    }
}
