//! Records of a file, each as one line of NDJSON.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use anyhow::{Context, bail};
use indicatif::ProgressBar;
use serde_json::{Map, Value};

/// Columns of a CSV file that hold JSON objects.
const JSON_COLUMNS: [&str; 4] = ["properties", "payload", "metadata", "jsonDetails"];
/// Columns of a CSV file in which digits alone are a number.
const TIME_COLUMNS: [&str; 4] = ["occurred_at", "timestamp", "time", "ts"];

/// The records of a file, in order.
pub(super) enum Records {
    /// Lines are passed on as they are: the service judges them.
    Ndjson(Box<dyn BufRead + Send>),
    /// Rows become objects, named by the header.
    Csv { names: Vec<String>, rows: csv::StringRecordsIntoIter<Box<dyn Read + Send>> },
}

impl Records {
    /// Opens a file; its name says how it is written, the bar follows the bytes read.
    pub(super) fn open(path: &Path, bar: &ProgressBar) -> anyhow::Result<Self> {
        let name = path.to_string_lossy().into_owned();
        let file = bar.wrap_read(File::open(path).context("cannot be opened")?);
        let plain: Box<dyn Read + Send> = if name.ends_with(".gz") {
            Box::new(flate2::read::MultiGzDecoder::new(file))
        } else if name.ends_with(".zst") {
            Box::new(zstd::stream::read::Decoder::new(file)?)
        } else {
            Box::new(file)
        };
        match name.trim_end_matches(".gz").trim_end_matches(".zst").rsplit('.').next() {
            Some("ndjson" | "jsonl") => Ok(Self::Ndjson(Box::new(BufReader::with_capacity(1 << 18, plain)))),
            Some("csv") => {
                let mut reader = csv::Reader::from_reader(plain);
                let names = reader.headers().context("the first row must name the columns")?.iter().map(str::to_owned).collect();
                Ok(Self::Csv { names, rows: reader.into_records() })
            }
            _ => bail!("the name must end in .csv, .ndjson or .jsonl, with .gz or .zst behind it if compressed"),
        }
    }

    /// Appends the next record as a line; false at the end.
    pub(super) fn append_next(&mut self, lines: &mut Vec<u8>) -> anyhow::Result<bool> {
        match self {
            Self::Ndjson(reader) => loop {
                let start = lines.len();
                if reader.read_until(b'\n', lines)? == 0 {
                    return Ok(false);
                }
                if lines[start..].trim_ascii().is_empty() {
                    lines.truncate(start);
                    continue;
                }
                if lines.last() != Some(&b'\n') {
                    lines.push(b'\n');
                }
                return Ok(true);
            },
            Self::Csv { names, rows } => {
                let Some(row) = rows.next() else { return Ok(false) };
                let row = row?;
                let line = row.position().map_or(0, csv::Position::line);
                let object = object(names, &row).with_context(|| format!("line {line}"))?;
                serde_json::to_writer(&mut *lines, &object)?;
                lines.push(b'\n');
                Ok(true)
            }
        }
    }
}

/// A row as a JSON object; empty cells are absent.
fn object(names: &[String], row: &csv::StringRecord) -> anyhow::Result<Map<String, Value>> {
    let mut object = Map::new();
    for (name, cell) in names.iter().zip(row).filter(|(_, cell)| !cell.is_empty()) {
        let value = if JSON_COLUMNS.contains(&name.as_str()) {
            serde_json::from_str(cell).with_context(|| format!("{name} is not JSON"))?
        } else if TIME_COLUMNS.contains(&name.as_str()) && cell.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
            serde_json::from_str(cell).unwrap_or_else(|_| cell.into())
        } else {
            cell.into()
        };
        object.insert(name.clone(), value);
    }
    Ok(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_becomes_an_event() {
        let names = ["event_id", "ts", "user_id", "properties", "plan", "empty"].map(str::to_owned);
        let row = csv::StringRecord::from(vec!["e1", "1759312800", "42", r#"{"a":[1]}"#, "free", ""]);
        let expected =
            serde_json::json!({"event_id": "e1", "ts": 1_759_312_800, "user_id": "42", "properties": {"a": [1]}, "plan": "free"});
        assert_eq!(Value::Object(object(&names, &row).unwrap()), expected);
    }

    #[test]
    fn properties_that_are_no_json_are_an_error() {
        let row = csv::StringRecord::from(vec!["{"]);
        assert!(object(&["payload".to_owned()], &row).is_err());
    }
}
