//! Records of a file, each as one line of NDJSON.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use anyhow::{Context, bail};
use indicatif::ProgressBar;
use rollcall_shared::field::Field;
use serde::Serialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// Delimiters that files named .csv use, and what they are called.
const DELIMITERS: [(char, &str); 4] = [(',', "commas"), (';', "semicolons"), ('\t', "tabs"), ('|', "vertical bars")];

/// A record of the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// The line of the file that it begins in, counted from 1.
    pub(super) line: u64,
    /// Why it cannot be sent, if it cannot.
    pub(super) problem: Option<String>,
}

/// The records of a file, in order.
pub(super) enum Records {
    /// Lines of JSON are sent unchanged, and the service validates them.
    Ndjson { reader: Box<dyn BufRead + Send>, line: u64 },
    /// Each row becomes an object, whose names come from the header.
    Csv { names: Vec<String>, rows: csv::StringRecordsIntoIter<Box<dyn Read + Send>> },
}

impl Records {
    /// Opens a file, whose name determines its format. The bar counts the bytes that are read.
    pub(super) fn open(path: &Path, delimiter: char, bar: &ProgressBar) -> anyhow::Result<Self> {
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
            Some("ndjson" | "jsonl") => Ok(Self::Ndjson { reader: Box::new(BufReader::with_capacity(1 << 18, plain)), line: 0 }),
            Some("csv") => Self::csv(plain, delimiter),
            _ => bail!("the name must end in .csv, .ndjson or .jsonl, with .gz or .zst behind it if compressed"),
        }
    }

    fn csv(plain: Box<dyn Read + Send>, delimiter: char) -> anyhow::Result<Self> {
        let delimiter_byte = u8::try_from(delimiter).context("the delimiter is no single byte")?;
        // `append_row` reports rows of another length. Without `flexible`, the reader would stop at them.
        let mut reader = csv::ReaderBuilder::new().delimiter(delimiter_byte).flexible(true).from_reader(plain);
        let names: Vec<String> =
            reader.headers().context("line 1: the header cannot be read")?.iter().map(str::to_owned).collect();
        check_header(&names, delimiter)?;
        Ok(Self::Csv { names, rows: reader.into_records() })
    }

    /// Appends the next record as a line, unless it is invalid; `None` at the end.
    ///
    /// # Errors
    /// The file cannot be read any further.
    pub(super) fn append_next(&mut self, lines: &mut Vec<u8>) -> anyhow::Result<Option<Record>> {
        match self {
            Self::Ndjson { reader, line } => append_line(reader, line, lines),
            Self::Csv { names, rows } => append_row(names, rows, lines),
        }
    }
}

/// Checks that every column has its own name, and that the file uses the given delimiter.
fn check_header(names: &[String], delimiter: char) -> anyhow::Result<()> {
    if let [only] = names
        && let Some((other, called)) = DELIMITERS.iter().find(|(other, _)| *other != delimiter && only.contains(*other))
    {
        let argument = if *other == '\t' { "tab".to_owned() } else { format!("'{other}'") };
        bail!("line 1: the header names one column, and looks separated by {called}; say so with --delimiter {argument}");
    }
    for (column, name) in names.iter().enumerate() {
        if let Some(first) = names[..column].iter().position(|other| other == name) {
            bail!("line 1: columns {} and {} are both named \"{name}\"", first + 1, column + 1);
        }
    }
    Ok(())
}

fn append_line(reader: &mut dyn BufRead, line: &mut u64, lines: &mut Vec<u8>) -> anyhow::Result<Option<Record>> {
    let start = lines.len();
    loop {
        if reader.read_until(b'\n', lines).with_context(|| format!("line {}", *line + 1))? == 0 {
            return Ok(None);
        }
        *line += 1;
        if !lines[start..].trim_ascii().is_empty() {
            break;
        }
        lines.truncate(start);
    }
    let problem = match std::str::from_utf8(&lines[start..]) {
        Err(_) => Some("is not UTF-8 text".to_owned()),
        // This checks only that it is JSON. The service validates the event.
        Ok(text) => serde_json::from_str::<IgnoredAny>(text.trim_end()).err().map(|error| not_json(&error)),
    };
    if problem.is_some() {
        lines.truncate(start);
    } else if lines.last() != Some(&b'\n') {
        lines.push(b'\n');
    }
    Ok(Some(Record { line: *line, problem }))
}

fn append_row<R: Read>(
    names: &[String],
    rows: &mut csv::StringRecordsIntoIter<R>,
    lines: &mut Vec<u8>,
) -> anyhow::Result<Option<Record>> {
    let row = match rows.next() {
        None => return Ok(None),
        Some(Ok(row)) => row,
        Some(Err(error)) => {
            let csv::ErrorKind::Utf8 { pos, .. } = error.kind() else { return Err(error.into()) };
            let line = pos.as_ref().map_or(0, csv::Position::line);
            return Ok(Some(Record { line, problem: Some("is not UTF-8 text".to_owned()) }));
        }
    };
    let problem = if row.len() == names.len() {
        match object(names, &row) {
            Ok(object) => {
                serde_json::to_writer(&mut *lines, &object)?;
                lines.push(b'\n');
                None
            }
            Err(problem) => Some(problem),
        }
    } else {
        Some(format!("has {} cells where the header names {} columns", row.len(), names.len()))
    };
    Ok(Some(Record { line: row.position().map_or(0, csv::Position::line), problem }))
}

/// A cell as a JSON value.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Cell<'a> {
    /// JSON as it is written in the cell, with every digit of every number.
    Json(Box<RawValue>),
    Text(&'a str),
}

/// A row as a JSON object; empty cells are absent.
fn object<'a>(names: &'a [String], row: &'a csv::StringRecord) -> Result<BTreeMap<&'a str, Cell<'a>>, String> {
    let mut object = BTreeMap::new();
    for (name, cell) in names.iter().zip(row).filter(|(_, cell)| !cell.is_empty()) {
        let value = match Field::named(name.as_bytes()) {
            Some((Field::Properties, _)) => Cell::Json(json(cell).map_err(|error| format!("{name} {}", not_json(&error)))?),
            // A time of only digits is a number.
            Some((Field::OccurredAt, _)) if cell.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') => {
                json(cell).map_or(Cell::Text(cell), Cell::Json)
            }
            _ => Cell::Text(cell),
        };
        object.insert(name.as_str(), value);
    }
    Ok(object)
}

fn json(cell: &str) -> serde_json::Result<Box<RawValue>> {
    // An event must be one line. JSON has line breaks only between values, where a space is as good.
    serde_json::from_str(&cell.replace(['\n', '\r'], " "))
}

fn not_json(error: &serde_json::Error) -> String {
    let text = error.to_string();
    // The message counts lines within the record, and users would take them for lines of the file.
    let text = text.split(" at line ").next().unwrap_or_default();
    format!("is not JSON: {text} at column {}", error.column())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(names: &[&str], cells: &[&str]) -> Result<String, String> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let row = csv::StringRecord::from(cells.to_vec());
        object(&names, &row).map(|object| serde_json::to_string(&object).unwrap())
    }

    fn header(names: &[&str]) -> String {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        check_header(&names, ',').unwrap_err().to_string()
    }

    #[test]
    fn a_row_becomes_an_event() {
        let line = line(
            &["event_id", "ts", "user_id", "properties", "plan", "empty"],
            &["e1", "1759312800", "42", "{\"a\":\n[1]}", "free", ""],
        );
        let expected = r#"{"event_id":"e1","plan":"free","properties":{"a": [1]},"ts":1759312800,"user_id":"42"}"#;
        assert_eq!(line.unwrap(), expected);
    }

    #[test]
    fn long_numbers_keep_every_digit() {
        let line = line(&["properties", "ts"], &[r#"{"n":123456789012345678901234567890}"#, "12345678901234567890123"]);
        assert_eq!(line.unwrap(), r#"{"properties":{"n":123456789012345678901234567890},"ts":12345678901234567890123}"#);
    }

    #[test]
    fn properties_that_are_no_json_are_an_error() {
        assert_eq!(line(&["payload"], &["{"]).unwrap_err(), "payload is not JSON: EOF while parsing an object at column 1");
    }

    #[test]
    fn a_header_that_names_two_columns_alike_is_an_error() {
        assert_eq!(header(&["user_id", "plan", "ts", "plan"]), "line 1: columns 2 and 4 are both named \"plan\"");
    }

    #[test]
    fn a_header_with_another_delimiter_is_told_how_to_say_so() {
        assert!(header(&["user_id;ts"]).ends_with("looks separated by semicolons; say so with --delimiter ';'"));
        assert!(header(&["user_id\tts"]).ends_with("looks separated by tabs; say so with --delimiter tab"));
    }
}
