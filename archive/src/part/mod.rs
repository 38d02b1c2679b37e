//! A part: one Parquet file with rows of one day.
//!
//! `schema` says what its columns are. `column` gathers the values of a row group, `write` makes the file, and `read`
//! takes it apart again. A row group has at most 65,536 rows and about 16 MiB of text, so writing or reading a part
//! takes some tens of megabytes of memory, however large it is.

mod column;
mod read;
mod schema;
mod write;

pub use self::read::{PartReader, RowGroup};
pub(crate) use self::write::{Finished, PartWriter};

/// One event. Times are microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row<'a> {
    /// The id as the client wrote it; a UUID in lower case.
    pub event_id: &'a str,
    /// What happened.
    pub event_type: &'a str,
    /// A signed-in user.
    pub user_id: Option<&'a str>,
    /// A device or browser that is not signed in.
    pub anonymous_id: Option<&'a str>,
    /// The visit.
    pub session_id: Option<&'a str>,
    /// The organisation.
    pub account_id: Option<&'a str>,
    /// When it happened, by the client.
    pub occurred_at_us: i64,
    /// When the API received it.
    pub received_at_us: i64,
    /// Whether the id was sent without a time, and so is unique over all days.
    pub undated: bool,
    /// A JSON object, byte for byte as the client sent it.
    pub properties: &'a str,
}

#[cfg(test)]
mod tests {
    use rollcall_shared::project::ProjectId;

    use super::schema::GROUP_ROWS;
    use super::*;
    use crate::ArchiveDay;

    fn day() -> ArchiveDay {
        ArchiveDay { date: jiff::civil::date(2026, 3, 1), project: "shop".to_owned(), project_id: ProjectId(1) }
    }

    const FULL: Row<'_> = Row {
        event_id: "7b0e4a52-6a0f-4c43-9d0b-1f3f5f0f7a11",
        event_type: "käse 😀",
        user_id: Some("u"),
        anonymous_id: Some("a"),
        session_id: Some("s"),
        account_id: Some("c"),
        occurred_at_us: 1_772_323_200_000_001,
        received_at_us: 1_772_323_201_000_000,
        undated: true,
        properties: "{ \"n\":1e400, \"a\" : [\"\\u00e4\"]}",
    };
    const EMPTY: Row<'_> = Row {
        event_id: "e",
        event_type: "t",
        user_id: None,
        anonymous_id: None,
        session_id: None,
        account_id: None,
        occurred_at_us: 0,
        received_at_us: i64::MAX,
        undated: false,
        properties: "{}",
    };

    async fn written(rows: impl Iterator<Item = Row<'static>>) -> Finished {
        let mut part = PartWriter::new(&day()).unwrap();
        for row in rows {
            if part.push(&row) {
                part = part.flush().await.unwrap();
            }
        }
        part.finish().await.unwrap()
    }

    #[tokio::test]
    async fn rows_are_read_as_they_were_written_over_several_row_groups() {
        let rows = GROUP_ROWS * 2 + 3;
        let row = |index: usize| if index.is_multiple_of(3) { FULL } else { EMPTY };
        let part = written((0..rows).map(row)).await;
        assert_eq!(part.rows, rows as u64);
        assert_eq!(part.file.metadata().unwrap().len(), part.bytes);
        let mut reader = PartReader::open(part.file).unwrap();
        assert_eq!(reader.rows(), rows as u64);
        let (mut groups, mut read) = (0, 0);
        while let Some(group) = reader.next_group().unwrap() {
            groups += 1;
            for found in group.rows() {
                assert_eq!(found.unwrap(), row(read));
                read += 1;
            }
        }
        assert_eq!((groups, read), (3, rows));
    }

    #[tokio::test]
    async fn large_texts_end_a_row_group_early() {
        let large: &'static str = Box::leak(format!("{{\"x\":\"{}\"}}", "x".repeat(64 * 1024)).into_boxed_str());
        let part = written((0..600).map(|_| Row { properties: large, ..FULL })).await;
        let mut reader = PartReader::open(part.file).unwrap();
        let mut sizes = Vec::new();
        while let Some(group) = reader.next_group().unwrap() {
            sizes.push(group.rows().count());
        }
        assert_eq!(sizes, [256, 256, 88]);
    }

    #[tokio::test]
    async fn the_same_rows_make_the_same_bytes() {
        let (one, other) = (written([FULL, EMPTY].into_iter()).await, written([FULL, EMPTY].into_iter()).await);
        let different = written([EMPTY, FULL].into_iter()).await;
        assert_eq!(one.sha256, other.sha256);
        assert_ne!(one.sha256, different.sha256);
    }

    #[test]
    fn a_file_that_is_no_part_is_an_error() {
        use std::io::Write;
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"PAR1 this is no Parquet file PAR1").unwrap();
        assert!(PartReader::open(file).is_err());
        assert!(PartReader::open(tempfile::tempfile().unwrap()).is_err());
    }
}
