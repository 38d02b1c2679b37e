//! The columns of a part.

use std::sync::Arc;

use parquet::basic::{Compression, Encoding, Type as PhysicalType, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::{ColumnPath, SchemaDescriptor, Type};

use crate::ArchiveDay;
use crate::manifest::SCHEMA_VERSION;

/// Most rows of a row group.
pub(super) const GROUP_ROWS: usize = 65_536;
/// A row group is also full when its texts have this many bytes.
pub(super) const GROUP_BYTES: usize = 16 * 1024 * 1024;

/// The level of zstd. Level 9 takes three times as long for 6 % less.
const ZSTD_LEVEL: i32 = 3;

/// All columns in order. `properties` is marked as text and not as JSON, because readers differ in what they make of
/// the latter.
const MESSAGE: &str = "
    message event {
        required binary event_id (STRING);
        required binary event_type (STRING);
        optional binary user_id (STRING);
        optional binary anonymous_id (STRING);
        optional binary session_id (STRING);
        optional binary account_id (STRING);
        required int64 occurred_at (TIMESTAMP(MICROS, true));
        required int64 received_at (TIMESTAMP(MICROS, true));
        required boolean undated;
        required binary properties (STRING);
    }";

/// The schema of every part.
pub(super) fn schema() -> Result<Arc<Type>, ParquetError> {
    parse_message_type(MESSAGE).map(Arc::new)
}

/// How the parts of a day are written. The same rows make the same bytes.
pub(super) fn properties(day: &ArchiveDay) -> Result<WriterProperties, ParquetError> {
    let path = |name: &str| ColumnPath::from(name);
    let about = [
        ("rollcall.schema_version", SCHEMA_VERSION.to_string()),
        ("rollcall.project", day.project.clone()),
        ("rollcall.date", day.date.to_string()),
    ];
    let about = about.into_iter().map(|(key, value)| KeyValue::new(key.to_owned(), value)).collect();
    let mut builder = WriterProperties::builder()
        .set_created_by("rollcall".to_owned())
        .set_key_value_metadata(Some(about))
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
        .set_statistics_enabled(EnabledStatistics::Page);
    // Ids and times hardly repeat, so dictionaries of them would only take room.
    for name in ["event_id", "occurred_at", "received_at"] {
        builder = builder.set_column_dictionary_enabled(path(name), false);
    }
    for name in ["occurred_at", "received_at"] {
        builder = builder.set_column_encoding(path(name), Encoding::DELTA_BINARY_PACKED);
    }
    // One event and one session are found without reading every row group.
    for name in ["event_id", "session_id"] {
        builder = builder
            .set_column_bloom_filter_enabled(path(name), true)
            .set_column_bloom_filter_max_ndv(path(name), GROUP_ROWS as u64);
    }
    Ok(builder.build())
}

/// What is wrong with the columns of a file, if anything.
pub(super) fn problem(found: &SchemaDescriptor) -> Result<Option<String>, ParquetError> {
    let wanted = SchemaDescriptor::new(schema()?);
    let columns = |schema: &SchemaDescriptor| -> Vec<(String, PhysicalType, i16, i16)> {
        let column = |column: &parquet::schema::types::ColumnDescPtr| {
            (column.path().string(), column.physical_type(), column.max_def_level(), column.max_rep_level())
        };
        schema.columns().iter().map(column).collect()
    };
    let (wanted, found) = (columns(&wanted), columns(found));
    Ok((wanted != found).then(|| format!("its columns are {found:?} instead of {wanted:?}")))
}
