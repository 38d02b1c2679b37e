//! Conflicts: why the state of something does not allow a change. All of them are answered with 409.

/// Why a change is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Conflict {
    /// A project of this name exists.
    #[error("there is a project of this name already")]
    ProjectExists,
    /// The time zone of a project whose events are counted in it.
    #[error("the time zone cannot be changed any more: the project has events, and the counts of its days are cut by the zone")]
    HasEvents,
    /// The installation has as many projects as it may.
    #[error("there are {limit} projects already, and no more are possible")]
    TooManyProjects {
        /// How many it may have.
        limit: i64,
    },
    /// The project has as many keys as it may.
    #[error("the project has {limit} keys that are neither revoked nor expired; revoke one first")]
    TooManyKeys {
        /// How many it may have.
        limit: i64,
    },
    /// The project has as many schemas as it may.
    #[error("the project has schemas for {limit} event types; remove one first")]
    TooManySchemas {
        /// How many it may have.
        limit: i64,
    },
    /// The schemas of the project are too large together.
    #[error(
        "the schemas of the project may take {limit_bytes} bytes when compiled, of which patterns take most; remove some first"
    )]
    SchemasTooLarge {
        /// How much memory they may take.
        limit_bytes: i64,
    },
    /// The key is revoked or expired, so it cannot be rotated.
    #[error("this key is revoked or has expired; make a new one instead")]
    KeyEnded,
    /// The key was rotated before.
    #[error("this key was rotated already; rotate or revoke the key that replaces it")]
    KeyRotated,
}

impl Conflict {
    /// The code in answers.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::ProjectExists => "exists",
            Self::HasEvents => "has_events",
            Self::TooManyProjects { .. } => "too_many_projects",
            Self::TooManyKeys { .. } => "too_many_keys",
            Self::TooManySchemas { .. } => "too_many_schemas",
            Self::SchemasTooLarge { .. } => "schemas_too_large",
            Self::KeyEnded => "key_ended",
            Self::KeyRotated => "key_rotated",
        }
    }
}
