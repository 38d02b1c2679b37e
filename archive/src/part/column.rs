//! The values of one row group, column by column.

use bytes::Bytes;
use parquet::data_type::ByteArray;

use super::Row;
use super::schema::{GROUP_BYTES, GROUP_ROWS};

/// Texts of one column. They share one buffer, because a text of its own would take more memory than its bytes.
#[derive(Debug, Default)]
pub(super) struct Texts {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// For each row, 1 if it has a text and 0 if not.
    levels: Vec<i16>,
}

impl Texts {
    fn push(&mut self, text: Option<&str>) {
        self.levels.push(i16::from(text.is_some()));
        if let Some(text) = text {
            self.bytes.extend_from_slice(text.as_bytes());
            self.ends.push(self.bytes.len());
        }
    }

    /// The texts, and for each row whether it has one.
    pub(super) fn into_values(self) -> (Vec<ByteArray>, Vec<i16>) {
        let (bytes, mut start) = (Bytes::from(self.bytes), 0);
        let value = |end: usize| {
            let value = ByteArray::from(bytes.slice(start..end));
            start = end;
            value
        };
        (self.ends.into_iter().map(value).collect(), self.levels)
    }
}

/// Rows that become one row group.
#[derive(Debug, Default)]
pub(super) struct Columns {
    pub(super) event_id: Texts,
    pub(super) event_type: Texts,
    pub(super) user_id: Texts,
    pub(super) anonymous_id: Texts,
    pub(super) session_id: Texts,
    pub(super) account_id: Texts,
    pub(super) occurred_at_us: Vec<i64>,
    pub(super) received_at_us: Vec<i64>,
    pub(super) undated: Vec<bool>,
    pub(super) properties: Texts,
    bytes: usize,
}

impl Columns {
    pub(super) fn push(&mut self, row: &Row<'_>) {
        self.event_id.push(Some(row.event_id));
        self.event_type.push(Some(row.event_type));
        self.user_id.push(row.user_id);
        self.anonymous_id.push(row.anonymous_id);
        self.session_id.push(row.session_id);
        self.account_id.push(row.account_id);
        self.occurred_at_us.push(row.occurred_at_us);
        self.received_at_us.push(row.received_at_us);
        self.undated.push(row.undated);
        self.properties.push(Some(row.properties));
        let ids = [row.user_id, row.anonymous_id, row.session_id, row.account_id];
        let ids: usize = ids.into_iter().flatten().map(str::len).sum();
        self.bytes += row.event_id.len() + row.event_type.len() + ids + row.properties.len();
    }

    pub(super) fn rows(&self) -> usize {
        self.undated.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.rows() >= GROUP_ROWS || self.bytes >= GROUP_BYTES
    }
}
