//! Maintenance: what workers do beside storing events, one of them at a time where that matters.

pub(crate) mod backlog;
pub(crate) mod clock;
pub(crate) mod compact;
pub(crate) mod fold;
pub(crate) mod index;
pub(crate) mod lag;
pub(crate) mod partition;
pub(crate) mod report;
pub(crate) mod sweep;
