//! Where an answer is computed from.

use crate::parameters::{Param, Parameters};

const SOURCE: Param = Param::new(
    &["source"],
    "What to compute the answer from: the rollups, or in plain SQL the event rows, which is slow and gives the same numbers.",
);

/// The data from which an answer is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumString, strum::VariantNames, strum::Display)]
#[strum(serialize_all = "lowercase")]
pub(super) enum Source {
    /// The bitmaps and counters.
    Rollups,
    /// The rows, with plain SQL.
    Events,
}

impl Source {
    /// Reads `source`; the default is the rollups.
    pub(super) fn take(parameters: &mut Parameters) -> Self {
        parameters.one_of(SOURCE, Self::Rollups)
    }
}
