//! Writing a part into a temporary file.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;

use parquet::data_type::{BoolType, ByteArrayType, DataType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use sha2::{Digest, Sha256};

use super::Row;
use super::column::{Columns, Texts};
use super::schema;
use crate::{ArchiveDay, ArchiveError};

/// A part that is being written. Full row groups are encoded on a thread that may block.
pub(crate) struct PartWriter {
    writer: SerializedFileWriter<Hashed>,
    columns: Columns,
    rows: u64,
}

/// A part that is complete.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) file: File,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
}

impl PartWriter {
    pub(crate) fn new(day: &ArchiveDay) -> Result<Self, ArchiveError> {
        let file = Hashed { file: tempfile::tempfile()?, digest: Sha256::new(), bytes: 0 };
        let writer = SerializedFileWriter::new(file, schema::schema()?, Arc::new(schema::properties(day)?))?;
        Ok(Self { writer, columns: Columns::default(), rows: 0 })
    }

    /// Adds a row; true if the row group is full and must be flushed.
    pub(crate) fn push(&mut self, row: &Row<'_>) -> bool {
        self.columns.push(row);
        self.rows += 1;
        self.columns.is_full()
    }

    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Writes the rows that were added since the last time as a row group.
    pub(crate) async fn flush(self) -> Result<Self, ArchiveError> {
        if self.columns.rows() == 0 {
            return Ok(self);
        }
        blocking(move || {
            let Self { mut writer, columns, rows } = self;
            write_group(&mut writer, columns)?;
            Ok(Self { writer, columns: Columns::default(), rows })
        })
        .await
    }

    /// Writes what is left, and the end of the file.
    pub(crate) async fn finish(self) -> Result<Finished, ArchiveError> {
        let part = self.flush().await?;
        blocking(move || {
            let Hashed { file, digest, bytes } = part.writer.into_inner()?;
            Ok(Finished { file, rows: part.rows, bytes, sha256: crate::store::hex(&digest.finalize()) })
        })
        .await
    }
}

/// Runs work of the processor on a thread that may block.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, ParquetError> + Send + 'static) -> Result<T, ArchiveError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done?),
        Err(panicked) => Err(io::Error::other(panicked).into()),
    }
}

fn write_group(writer: &mut SerializedFileWriter<Hashed>, columns: Columns) -> Result<(), ParquetError> {
    let mut group = writer.next_row_group()?;
    write_texts(&mut group, columns.event_id, false)?;
    write_texts(&mut group, columns.event_type, false)?;
    write_texts(&mut group, columns.user_id, true)?;
    write_texts(&mut group, columns.anonymous_id, true)?;
    write_texts(&mut group, columns.session_id, true)?;
    write_texts(&mut group, columns.account_id, true)?;
    write_column::<Int64Type>(&mut group, &columns.occurred_at_us, None)?;
    write_column::<Int64Type>(&mut group, &columns.received_at_us, None)?;
    write_column::<BoolType>(&mut group, &columns.undated, None)?;
    write_texts(&mut group, columns.properties, false)?;
    group.close().map(drop)
}

fn write_texts(group: &mut SerializedRowGroupWriter<'_, Hashed>, texts: Texts, is_optional: bool) -> Result<(), ParquetError> {
    let (values, levels) = texts.into_values();
    write_column::<ByteArrayType>(group, &values, is_optional.then_some(&levels))
}

fn write_column<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, Hashed>,
    values: &[T::T],
    levels: Option<&[i16]>,
) -> Result<(), ParquetError> {
    let column = group.next_column()?;
    let mut column = column.ok_or_else(|| ParquetError::General("the schema has fewer columns than a row".to_owned()))?;
    column.typed::<T>().write_batch(values, levels, None)?;
    column.close()
}

/// A file whose bytes are counted and hashed as they are written.
struct Hashed {
    file: File,
    digest: Sha256,
    bytes: u64,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.digest.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
