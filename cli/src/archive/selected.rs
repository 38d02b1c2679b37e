//! Which days a command is about.

use jiff::civil::Date;
use rollcall_archive::Selection;

/// The options that select days.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Selected {
    /// Only this project
    #[arg(long)]
    pub(crate) project: Option<String>,
    /// First day, in UTC
    #[arg(long, value_name = "DATE")]
    pub(crate) from: Option<Date>,
    /// Last day
    #[arg(long, value_name = "DATE")]
    pub(crate) to: Option<Date>,
}

impl From<Selected> for Selection {
    fn from(selected: Selected) -> Self {
        Self { project: selected.project, from: selected.from, to: selected.to }
    }
}
