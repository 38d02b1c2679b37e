//! The archive: days that are over, as Parquet files in a folder or a bucket.
//!
//! A `day` is one UTC date of one project. `export` writes a day's rows into parts (`part`), puts them into the
//! `store`, and then its `manifest`, which names every part with its checksum. `registry` remembers in PostgreSQL which
//! days are archived, and which of them have no rows there any more. `verify` reads a day back. `detach` takes the rows
//! of archived days out of PostgreSQL, and `restore` puts them back. `lock` lets one process at a time do any of it.
//!
//! It knows nothing of the API. To send archived events through ingestion again, the command line reads the parts
//! ([`Part`], [`PartReader`]) and speaks HTTP.

mod clock;
mod day;
mod detach;
mod error;
mod export;
mod frozen;
mod identities;
mod lock;
mod manifest;
mod pace;
mod part;
mod progress;
mod registry;
mod restore;
mod rows;
mod settings;
mod store;
mod verify;

pub use self::day::ArchiveDay;
pub use self::detach::{Detached, Detaching, detach};
pub use self::error::ArchiveError;
pub use self::export::{Exported, Exporting, Failure, export};
pub use self::lock::Lock;
pub use self::manifest::{Manifest, Part};
pub use self::pace::Pace;
pub use self::part::{PartReader, Row, RowGroup};
pub use self::progress::{Progress, Silent};
pub use self::registry::{RegisteredDay, registered};
pub use self::restore::{Restored, restore};
pub use self::rows::Selection;
pub use self::settings::{ArchiveSettings, Location};
pub use self::store::Store;
pub use self::verify::{Verified, verify};
