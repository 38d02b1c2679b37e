//! Reading a part, one row group at a time.

use std::fs::File;

use parquet::column::reader::get_typed_column_reader;
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, RowGroupReader};
use parquet::file::serialized_reader::SerializedFileReader;

use super::Row;
use super::schema;

/// A part that is being read.
pub struct PartReader {
    reader: SerializedFileReader<File>,
    /// The next row group.
    next: usize,
}

/// The rows of one row group.
pub struct RowGroup {
    event_id: Vec<Option<ByteArray>>,
    event_type: Vec<Option<ByteArray>>,
    user_id: Vec<Option<ByteArray>>,
    anonymous_id: Vec<Option<ByteArray>>,
    session_id: Vec<Option<ByteArray>>,
    account_id: Vec<Option<ByteArray>>,
    occurred_at_us: Vec<i64>,
    received_at_us: Vec<i64>,
    undated: Vec<bool>,
    properties: Vec<Option<ByteArray>>,
}

impl PartReader {
    /// Opens a file.
    ///
    /// # Errors
    /// It is no Parquet file, or one with other columns.
    pub fn open(file: File) -> Result<Self, ParquetError> {
        let reader = SerializedFileReader::new(file)?;
        match schema::problem(reader.metadata().file_metadata().schema_descr())? {
            None => Ok(Self { reader, next: 0 }),
            Some(problem) => Err(ParquetError::General(problem)),
        }
    }

    /// How many rows it has.
    #[must_use]
    pub fn rows(&self) -> u64 {
        u64::try_from(self.reader.metadata().file_metadata().num_rows()).unwrap_or_default()
    }

    /// The next row group; `None` after the last.
    ///
    /// # Errors
    /// The file cannot be read, or is not as its end says.
    pub fn next_group(&mut self) -> Result<Option<RowGroup>, ParquetError> {
        let Some(group) = self.group()? else { return Ok(None) };
        Ok(Some(RowGroup {
            event_id: texts(&*group, 0)?,
            event_type: texts(&*group, 1)?,
            user_id: texts(&*group, 2)?,
            anonymous_id: texts(&*group, 3)?,
            session_id: texts(&*group, 4)?,
            account_id: texts(&*group, 5)?,
            occurred_at_us: values::<Int64Type>(&*group, 6)?,
            received_at_us: values::<Int64Type>(&*group, 7)?,
            undated: values::<BoolType>(&*group, 8)?,
            properties: texts(&*group, 9)?,
        }))
    }

    /// The ids of the next row group, each with whether it is undated; `None` after the last.
    ///
    /// # Errors
    /// As [`Self::next_group`].
    pub(crate) fn next_ids(&mut self) -> Result<Option<Vec<(ByteArray, bool)>>, ParquetError> {
        let Some(group) = self.group()? else { return Ok(None) };
        let (ids, undated) = (values::<ByteArrayType>(&*group, 0)?, values::<BoolType>(&*group, 8)?);
        Ok(Some(ids.into_iter().zip(undated).collect()))
    }

    fn group(&mut self) -> Result<Option<Box<dyn RowGroupReader + '_>>, ParquetError> {
        if self.next >= self.reader.num_row_groups() {
            return Ok(None);
        }
        self.next += 1;
        self.reader.get_row_group(self.next - 1).map(Some)
    }
}

impl RowGroup {
    /// Its rows, in order.
    ///
    /// # Errors
    /// In place of a row: one of its texts is not UTF-8, or a required one is missing.
    pub fn rows(&self) -> impl Iterator<Item = Result<Row<'_>, ParquetError>> {
        (0..self.undated.len()).map(|index| {
            Ok(Row {
                event_id: required(&self.event_id[index])?,
                event_type: required(&self.event_type[index])?,
                user_id: optional(&self.user_id[index])?,
                anonymous_id: optional(&self.anonymous_id[index])?,
                session_id: optional(&self.session_id[index])?,
                account_id: optional(&self.account_id[index])?,
                occurred_at_us: self.occurred_at_us[index],
                received_at_us: self.received_at_us[index],
                undated: self.undated[index],
                properties: required(&self.properties[index])?,
            })
        })
    }
}

fn optional(text: &Option<ByteArray>) -> Result<Option<&str>, ParquetError> {
    text.as_ref().map(ByteArray::as_utf8).transpose()
}

fn required(text: &Option<ByteArray>) -> Result<&str, ParquetError> {
    optional(text)?.ok_or_else(|| ParquetError::General("a required text is missing".to_owned()))
}

/// The texts of a column, one for each row.
fn texts(group: &dyn RowGroupReader, column: usize) -> Result<Vec<Option<ByteArray>>, ParquetError> {
    let (values, levels) = read::<ByteArrayType>(group, column)?;
    if levels.is_empty() {
        return Ok(values.into_iter().map(Some).collect());
    }
    let mut values = values.into_iter();
    Ok(levels.into_iter().map(|level| if level == 0 { None } else { values.next() }).collect())
}

/// The values of a required column.
fn values<T: DataType>(group: &dyn RowGroupReader, column: usize) -> Result<Vec<T::T>, ParquetError> {
    Ok(read::<T>(group, column)?.0)
}

/// The values of a column; and, if it is optional, for each row whether it has one.
fn read<T: DataType>(group: &dyn RowGroupReader, column: usize) -> Result<(Vec<T::T>, Vec<i16>), ParquetError> {
    let rows = usize::try_from(group.metadata().num_rows()).unwrap_or_default();
    let mut reader = get_typed_column_reader::<T>(group.get_column_reader(column)?);
    let (mut values, mut levels) = (Vec::new(), Vec::new());
    let (read, ..) = reader.read_records(rows, Some(&mut levels), None, &mut values)?;
    if read == rows {
        Ok((values, levels))
    } else {
        Err(ParquetError::General(format!("a row group should have {rows} rows and has {read}")))
    }
}
