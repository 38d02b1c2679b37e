//! Raw values: the JSON text of a value, and what was seen while it was read.
//!
//! Nearly all values have nothing unusual in them. To know that saves a second look at every byte.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::ingest::parse::text;
use crate::ingest::parse::value::{Unfit, find_unfit, is_deeper_than};

/// The JSON text of a value, without white space around it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Raw<'a> {
    json: &'a str,
    seen: Seen,
}

/// What a value may contain. What is `false` it does not contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Escapes in strings.
    pub(crate) escapes: bool,
    /// Escapes of code points, which may be of a zero or of half of a surrogate pair.
    pub(crate) code_points: bool,
    /// A number with an exponent or with many digits, which may be past every float.
    pub(crate) long_numbers: bool,
    /// Line breaks between tokens.
    pub(crate) line_breaks: bool,
    /// The most levels of nesting.
    pub(crate) depth: u8,
}

impl Seen {
    /// Nothing yet.
    pub(crate) const NOTHING: Self =
        Self { escapes: false, code_points: false, long_numbers: false, line_breaks: false, depth: 0 };
    /// Nobody has looked.
    const ANYTHING: Self = Self { escapes: true, code_points: true, long_numbers: true, line_breaks: true, depth: u8::MAX };
}

impl<'a> Raw<'a> {
    /// A text that is JSON, in which this was seen.
    pub(crate) fn new(json: &'a str, seen: Seen) -> Self {
        Self { json, seen }
    }

    /// The text.
    pub(crate) fn get(self) -> &'a str {
        self.json
    }

    /// The text of a string that can be stored.
    pub(crate) fn storable_text(self) -> Option<Cow<'a, str>> {
        if self.seen.escapes {
            return text::decode(self.json).filter(|text| !text.contains('\0'));
        }
        text::inside(self.json).map(Cow::Borrowed)
    }

    /// Whether it is nested deeper than `levels`; `{}` has one level.
    pub(crate) fn is_deeper_than(self, levels: usize) -> bool {
        usize::from(self.seen.depth) > levels && is_deeper_than(self.json, levels)
    }

    /// The path, which begins with `root`, of the first part that cannot be stored.
    pub(crate) fn find_unfit(self, root: &str) -> Option<(String, Unfit)> {
        if self.seen.code_points || self.seen.long_numbers { find_unfit(root, self.json) } else { None }
    }

    /// Whether there may be line breaks between tokens.
    pub(crate) fn may_have_line_breaks(self) -> bool {
        self.seen.line_breaks
    }
}

impl<'a> From<&'a RawValue> for Raw<'a> {
    fn from(value: &'a RawValue) -> Self {
        Self::new(value.get(), Seen::ANYTHING)
    }
}
