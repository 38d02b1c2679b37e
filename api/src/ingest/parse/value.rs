//! Values: how deep a JSON value is nested, and which part of it cannot be stored.
//!
//! The parser has checked the syntax before. So these functions scan a value byte by byte, rely on quotes and
//! escapes, and need no recursion.

use crate::ingest::parse::text::decode;
use crate::problem::clipped;

/// Whether a JSON value is nested deeper than `levels`; `{}` has one level.
pub(crate) fn is_deeper_than(json: &str, levels: usize) -> bool {
    // A value with few brackets cannot be deep. Most events have few, even if those in strings are counted.
    memchr::memchr2_iter(b'{', b'[', json.as_bytes()).nth(levels).is_some() && depth(json) > levels
}

fn depth(json: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut in_string = false;
    let mut bytes = json.bytes();
    while let Some(byte) = bytes.next() {
        match (in_string, byte) {
            (true, b'\\') => drop(bytes.next()),
            (_, b'"') => in_string = !in_string,
            (false, b'{' | b'[') => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            (false, b'}' | b']') => depth -= 1,
            _ => {}
        }
    }
    deepest
}

/// Why a part of a value cannot be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// A text that PostgreSQL cannot hold.
    Text,
    /// A number too large for a 64-bit float. Readers would take it for infinity or refuse it.
    Number,
}

/// The path, which begins with `root`, of the first part that cannot be stored.
pub(crate) fn find_unfit(root: &str, json: &str) -> Option<(String, Unfit)> {
    // Such texts need escapes, which few events contain.
    if memchr::memmem::find(json.as_bytes(), b"\\u").is_none() && !may_hold_huge_number(json.as_bytes()) {
        return None;
    }
    let mut walk = Walk { json, at: 0, levels: Vec::new() };
    walk.find_unfit().map(|unfit| (walk.path(root), unfit))
}

/// Whether anything looks like a number above 1e308: it has an exponent of three digits, or two hundred digits
/// before the point.
fn may_hold_huge_number(json: &[u8]) -> bool {
    // There are no branches, so the compiler can use vector instructions.
    let looks_like_exponent = |(digit, e): (&u8, &u8)| digit.is_ascii_digit() & (*e | 0x20 == b'e');
    let next = json.get(1..).unwrap_or_default();
    let has_exponent = json.iter().zip(next).fold(false, |found, pair| found | looks_like_exponent(pair));
    // Two hundred digits in a row always fill one of these parts of 64 bytes.
    has_exponent && has_large_exponent(json) || json.chunks_exact(64).any(|part| part.iter().all(u8::is_ascii_digit))
}

fn has_large_exponent(json: &[u8]) -> bool {
    memchr::memchr2_iter(b'e', b'E', json).any(|at| {
        let follows_digit = at > 0 && json[at - 1].is_ascii_digit();
        let exponent = json[at + 1..].strip_prefix(b"+").unwrap_or(&json[at + 1..]);
        let digits = exponent.iter().take_while(|byte| byte.is_ascii_digit()).count();
        // In a string, such as an identifier, something else usually follows the digits.
        let ends = exponent.get(digits).is_none_or(|byte| b",]} \t\r\n".contains(byte));
        follows_digit && digits >= 3 && ends
    })
}

/// A container around the current position.
enum Level<'a> {
    /// An object, and its current key with quotes if that was read.
    Object(Option<&'a str>),
    /// An array, and the index of its current item.
    Array(usize),
}

/// A walk over a value that is known to be JSON.
struct Walk<'a> {
    json: &'a str,
    at: usize,
    levels: Vec<Level<'a>>,
}

impl<'a> Walk<'a> {
    /// Walks to the first part that cannot be stored. `levels` then holds the containers around it.
    fn find_unfit(&mut self) -> Option<Unfit> {
        while let Some(byte) = self.json.as_bytes().get(self.at) {
            match byte {
                b'"' => {
                    let string = self.string();
                    if let Some(Level::Object(key @ None)) = self.levels.last_mut() {
                        *key = Some(string);
                    }
                    if decode(string).is_none_or(|text| text.contains('\0')) {
                        return Some(Unfit::Text);
                    }
                    continue;
                }
                b'-' | b'0'..=b'9' => {
                    if self.number().parse::<f64>().is_ok_and(f64::is_infinite) {
                        return Some(Unfit::Number);
                    }
                    continue;
                }
                b'{' => self.levels.push(Level::Object(None)),
                b'[' => self.levels.push(Level::Array(0)),
                b'}' | b']' => drop(self.levels.pop()),
                b',' => match self.levels.last_mut() {
                    Some(Level::Object(key)) => *key = None,
                    Some(Level::Array(place)) => *place += 1,
                    None => {}
                },
                // White space, colons, true, false and null need no action.
                _ => {}
            }
            self.at += 1;
        }
        None
    }

    /// Returns the string at the current position, with its quotes, and moves behind it.
    fn string(&mut self) -> &'a str {
        let start = self.at;
        self.at += 1;
        while let Some(byte) = self.json.as_bytes().get(self.at) {
            self.at += if *byte == b'\\' { 2 } else { 1 };
            if *byte == b'"' {
                break;
            }
        }
        &self.json[start..self.at]
    }

    /// Returns the number at the current position, and moves behind it.
    fn number(&mut self) -> &'a str {
        let rest = &self.json[self.at..];
        let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-');
        let length = rest.bytes().take_while(is_part).count();
        self.at += length;
        &rest[..length]
    }

    fn path(&self, root: &str) -> String {
        let mut path = root.to_owned();
        for level in &self.levels {
            match level {
                Level::Object(Some(key)) => {
                    path.push('.');
                    match decode(key) {
                        Some(name) => path.extend(clipped(&name).escape_debug()),
                        // The text of the client, which already contains escapes.
                        None => path += &clipped(key.trim_matches('"')),
                    }
                }
                Level::Object(None) => {}
                Level::Array(place) => path += &format!("[{place}]"),
            }
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::MAX_REPEATED_CHARACTERS;

    #[test]
    fn depth_counts_brackets_outside_strings() {
        for (json, expected) in [("1", 0), ("{}", 1), (r#"{"a":[{"b":"]]}\"[["}]}"#, 3), ("[[],[[]]]", 3)] {
            assert_eq!(depth(json), expected, "{json}");
        }
    }

    #[test]
    fn many_brackets_side_by_side_are_not_deep() {
        let flat = format!("[{}]", vec!["{}"; 100].join(","));
        let deep = "[".repeat(33) + &"]".repeat(33);
        assert_eq!([is_deeper_than(&flat, 32), is_deeper_than(&deep, 32), is_deeper_than(&deep, 33)], [false, true, false]);
    }

    #[test]
    fn a_value_of_any_depth_is_walked() {
        let json = "[".repeat(1_000_000) + r#""\u0041","\u0000""# + &"]".repeat(1_000_000);
        let (path, _) = find_unfit("", &json).unwrap();
        assert!(path.ends_with("[0][1]"));
        assert_eq!(clipped(&path).chars().count(), MAX_REPEATED_CHARACTERS + 1);
    }

    #[test]
    fn the_path_of_an_unstorable_text_is_found() {
        for (json, expected) in [
            (r#"{"a": {"b" : [1, "x\u0041", "y\u0000"]}}"#, Some("p.a.b[2]")),
            (r#"{"a":"\ud83d\ude00","b":"\ud83d"}"#, Some("p.b")),
            (r#"{"ok":[true,null,-1.5e3],"k\u0000y":1}"#, Some("p.k\\0y")),
            (r#"{"a":"\\u0000"}"#, None),
            (r#"{"a":"\u00e9"}"#, None),
            (r#"{"a":[{"b":1},[2,{"c":3,"d":["\ud800"]}]]}"#, Some("p.a[1][1].d[0]")),
            (r#""\ud800""#, Some("p")),
            (r#"{"a":{},"b":[],"\udc00":1}"#, Some("p.\\udc00")),
        ] {
            assert_eq!(find_unfit("p", json), expected.map(|path| (path.to_owned(), Unfit::Text)), "{json}");
        }
    }

    #[test]
    fn the_path_of_a_number_past_every_float_is_found() {
        let digits = "9".repeat(309);
        for (json, expected) in [
            ("1e999".to_owned(), Some("p")),
            (r#"{"a":[1,{"b":-1E+0400}]}"#.to_owned(), Some("p.a[1].b")),
            (format!(r#"{{"long":{digits}}}"#), Some("p.long")),
            (format!("[0.5,{}.5e99 ]", &digits[..211]), Some("p[1]")),
            (r#"{"a":1e308,"b":1e-999,"c":"1e999","d":"\"1e999,"}"#.to_owned(), None),
            (format!(r#"{{"id":"{digits}","f":0.{digits},"n":{}}}"#, &digits[..308]), None),
        ] {
            assert_eq!(find_unfit("p", &json), expected.map(|path| (path.to_owned(), Unfit::Number)), "{json}");
        }
    }
}
