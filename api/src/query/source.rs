//! Where an answer is computed from.

use std::str::FromStr;

use crate::extract::Parameters;

/// Where an answer is computed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// Bitmaps and counters.
    Rollups,
    /// The rows, in plain SQL.
    Events,
}

impl Source {
    /// Takes `source`; rollups when absent.
    pub(super) fn take(parameters: &mut Parameters) -> Self {
        parameters.parsed(&["source"], "rollups or events").unwrap_or(Self::Rollups)
    }
}

impl FromStr for Source {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "rollups" => Ok(Self::Rollups),
            "events" => Ok(Self::Events),
            _ => Err(()),
        }
    }
}
