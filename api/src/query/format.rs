//! The format of an answer: JSON, or CSV for lists and series.

use axum::Json;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};

use super::question::Answer;
use crate::error::ApiError;
use crate::parameters::{Param, Parameters};

const FORMAT: Param = Param::new(&["format"], "The format of the answer. `Accept: text/csv` asks for CSV as well.");
/// The cursor of the next page, where the answer itself has no room for it.
pub(super) const NEXT_CURSOR: &str = "x-next-cursor";

/// The format of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumString, strum::VariantNames, strum::Display)]
#[strum(serialize_all = "lowercase")]
pub(crate) enum Format {
    Json,
    Csv,
}

impl Format {
    /// Reads `format`. Without it, the header `Accept` decides.
    pub(crate) fn take(parameters: &mut Parameters, headers: &HeaderMap) -> Self {
        parameters.one_of(FORMAT, Self::preferred(headers))
    }

    /// The format that `Accept` gives the greatest weight. Of equal ones, a type goes before a wildcard, and then the
    /// first one counts.
    fn preferred(headers: &HeaderMap) -> Self {
        let accepted = headers.get_all(header::ACCEPT).into_iter().filter_map(|accept| accept.to_str().ok());
        // A weight of zero excludes a type.
        let mut best = (0.0, true, Self::Json);
        for range in accepted.flat_map(|accepted| accepted.split(',')) {
            let range = range.to_ascii_lowercase();
            let mut parts = range.split(';').map(str::trim);
            let (format, is_exact) = match parts.next() {
                Some("text/csv") => (Self::Csv, true),
                Some("application/json") => (Self::Json, true),
                Some("application/*" | "*/*") => (Self::Json, false),
                _ => continue,
            };
            let weight = parts.find_map(|part| part.strip_prefix("q="));
            let weight =
                weight.map_or(1.0, |weight| weight.parse().ok().filter(|weight| (0.0..=1.0).contains(weight)).unwrap_or(0.0));
            if (weight, is_exact) > (best.0, best.1) {
                best = (weight, is_exact, format);
            }
        }
        best.2
    }

    /// Writes an answer.
    pub(crate) fn respond(self, answer: &impl Answer) -> Response {
        let table = if self == Self::Csv { answer.table() } else { None };
        let Some(table) = table else { return Json(answer).into_response() };
        let mut response = match table.into_csv() {
            Ok(csv) => csv.into_response(),
            Err(error) => return ApiError::internal(error).into_response(),
        };
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
        if let Some(cursor) = answer.next_cursor().and_then(|cursor| HeaderValue::from_str(cursor).ok()) {
            response.headers_mut().insert(NEXT_CURSOR, cursor);
        }
        response
    }
}

/// A table: the names of its columns, and its rows.
pub(crate) struct Table {
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Vec<Cell>>,
}

/// A cell of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cell {
    Empty,
    /// A number, a date or another value that Rollcall generates.
    Plain(String),
    /// A client's text.
    Text(String),
}

impl Cell {
    /// A value that Rollcall generates.
    #[expect(clippy::needless_pass_by_value, reason = "numbers and dates are passed as they are")]
    pub(crate) fn plain(value: impl ToString) -> Self {
        Self::Plain(value.to_string())
    }

    /// A client's text, or an empty cell.
    pub(crate) fn text(text: Option<&str>) -> Self {
        text.map_or(Self::Empty, |text| Self::Text(text.to_owned()))
    }

    fn into_field(self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Plain(value) => value,
            // A spreadsheet would run this text as a formula.
            Self::Text(text) if text.starts_with(['=', '+', '-', '@', '\t', '\r']) => format!("'{text}"),
            Self::Text(text) => text,
        }
    }
}

impl Table {
    /// A table with these columns.
    pub(crate) fn new(columns: &[&str], rows: Vec<Vec<Cell>>) -> Self {
        Self { columns: columns.iter().map(|&column| column.to_owned()).collect(), rows }
    }

    /// Its lines.
    fn into_csv(self) -> Result<Vec<u8>, csv::Error> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(self.columns)?;
        for row in self.rows {
            writer.write_record(row.into_iter().map(Cell::into_field))?;
        }
        writer.into_inner().map_err(|error| error.into_error().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_decides_by_weight_then_exactness_then_order() {
        for (accept, expected) in [
            ("text/csv", Format::Csv),
            ("", Format::Json),
            ("*/*", Format::Json),
            ("text/html", Format::Json),
            ("text/csv; charset=utf-8", Format::Csv),
            ("*/*, text/csv", Format::Csv),
            ("text/csv, application/json", Format::Csv),
            ("application/json, text/csv", Format::Json),
            ("application/json, text/csv;q=0.1", Format::Json),
            ("text/csv;q=0.5, */*", Format::Json),
            ("text/csv;q=0.5, */*;q=0.1", Format::Csv),
            ("text/csv;q=0", Format::Json),
            ("text/csv;q=many", Format::Json),
            ("text/csv;q=inf, application/json;q=0.1", Format::Json),
            ("Text/CSV;Q=0.9, application/json;q=0.1", Format::Csv),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(Format::preferred(&headers), expected, "{accept}");
        }
    }

    #[test]
    fn texts_that_a_spreadsheet_would_run_are_escaped() {
        let row = ["=1+1", "+1", "-1", "@x", "a,b", "\"q\""].map(|text| Cell::text(Some(text))).to_vec();
        let table = Table::new(&["a", "b", "c", "d", "e", "f"], vec![row, vec![Cell::plain(-1); 6]]);
        let expected = "a,b,c,d,e,f\n'=1+1,'+1,'-1,'@x,\"a,b\",\"\"\"q\"\"\"\n-1,-1,-1,-1,-1,-1\n";
        assert_eq!(String::from_utf8(table.into_csv().unwrap()).unwrap(), expected);
    }
}
