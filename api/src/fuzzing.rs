//! The door of the fuzz targets: one function each, behind the feature `fuzzing`, which no service
//! is built with.
//!
//! Every function panics if something does not hold that must hold for all input.

pub use crate::ingest::fuzzing::{decompress, judge as ingest};
pub use crate::query::fuzzing::take as query;
