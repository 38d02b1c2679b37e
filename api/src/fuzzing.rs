//! The functions that fuzz targets call, behind the feature `fuzzing`, which no service is built with.
//!
//! Every function panics if an assertion about all possible input fails.

pub use crate::ingest::fuzzing::{decompress, judge as ingest};
pub use crate::query::fuzzing::take as query;
