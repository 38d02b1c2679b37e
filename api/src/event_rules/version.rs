//! Which rules the events of a project must meet.

/// The version of a project's rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RulesVersion {
    /// The revision of its schemas; `None` if it has none.
    pub(super) schemas: Option<i64>,
    /// If it has as many event types as it may.
    pub(super) full: Option<Full>,
}

/// A project that gets no further event types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full {
    /// How many types it may have.
    pub(super) limit: i32,
    /// How many it has. Types are never deleted, so with the same number they are the same ones.
    pub(super) types: i32,
}

impl RulesVersion {
    /// The version in a row of `projects`; `None` if the project has no rules.
    pub(crate) fn of_row(schemas_revision: Option<i64>, types: i32, limit: i32) -> Option<Self> {
        let full = (types >= limit).then_some(Full { limit, types });
        (schemas_revision.is_some() || full.is_some()).then_some(Self { schemas: schemas_revision, full })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_without_schemas_and_below_its_limit_has_no_rules() {
        assert_eq!(RulesVersion::of_row(None, 9, 10), None);
        assert_eq!(RulesVersion::of_row(Some(3), 9, 10), Some(RulesVersion { schemas: Some(3), full: None }));
        // The limit was lowered.
        let full = Some(Full { limit: 10, types: 12 });
        assert_eq!(RulesVersion::of_row(None, 12, 10), Some(RulesVersion { schemas: None, full }));
    }
}
