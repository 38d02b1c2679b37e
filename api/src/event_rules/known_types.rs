//! The event types of a project that has as many as it may.
//!
//! Of each name only a hash is kept, so 10,000 types take about 300 KB. If two names had the same hash, an event of a
//! new type could pass; a worker makes it a dead letter then.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use futures::TryStreamExt;
use rollcall_shared::project::ProjectId;
use sqlx::PgPool;

use super::latest::Versioned;
use crate::error::ApiError;

/// Most types that are read. In a project with more of them, only workers know which types are new.
const MAX_TYPES: i64 = 100_000;
/// What a hash takes in the set.
const HASH_BYTES: usize = 20;

/// The types of a project.
#[derive(Debug)]
pub(super) struct KnownTypes {
    hasher: RandomState,
    hashes: HashSet<u64>,
    /// Whether these are all types.
    are_all: bool,
    /// How many types there were by the count that was asked for.
    count: i64,
}

impl KnownTypes {
    /// Reads the types of a project that has this many of them.
    ///
    /// # Errors
    /// Those of the database.
    pub(super) async fn read(pool: PgPool, project: ProjectId, count: i64) -> Result<Self, ApiError> {
        let (hasher, mut hashes) = (RandomState::new(), HashSet::new());
        let mut names = sqlx::query_file_scalar!("sql/event_rules/select_event_types.sql", project.0, MAX_TYPES + 1).fetch(&pool);
        while let Some(name) = names.try_next().await? {
            hashes.insert(hasher.hash_one(name.as_str()));
        }
        let are_all = hashes.len() as i64 <= MAX_TYPES;
        Ok(Self { hasher, hashes, are_all, count })
    }

    /// Whether the project is not known to lack the type.
    pub(super) fn may_have(&self, event_type: &str) -> bool {
        !self.are_all || self.hashes.contains(&self.hasher.hash_one(event_type))
    }
}

impl Versioned for KnownTypes {
    fn version(&self) -> i64 {
        self.count
    }

    fn bytes(&self) -> usize {
        self.hashes.capacity() * HASH_BYTES
    }
}
