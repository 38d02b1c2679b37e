//! Priority: whether the events of a message go before others, or wait for what these leave.
//!
//! A large request, and one of a project that sends more than its share, is bulk. Workers store bulk with what time
//! the other events leave, so a project that imports millions of events delays neither those of other projects nor
//! the ones that its own users cause meanwhile.
//!
//! Bulk is divided into shards, each with a consumer of its own, and workers take from all shards in turn. So the
//! import of one project delays bulk only of the projects of the same shard.

use crate::project::ProjectId;

/// The number of shards of bulk. Each costs every worker one more pull request. The subjects of messages contain the
/// shard, so with a lower number, some messages that are in the queue would have no consumer.
pub const BULK_SHARDS: u32 = 8;

/// How urgent the events of a message are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Priority {
    /// Events that people cause while they use something.
    Normal,
    /// Events that can wait, because there are many of them.
    Bulk,
}

impl Priority {
    /// The name, as metrics show it.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// The shard of a project's bulk. Projects are numbered one after the other, so this spreads them evenly.
#[must_use]
pub(super) fn shard_of(project: ProjectId) -> u32 {
    project.0.unsigned_abs() % BULK_SHARDS
}
