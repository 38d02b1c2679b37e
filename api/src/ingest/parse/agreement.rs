//! Agreement: whether two JSON values that a client sent for the same field mean the same.
//!
//! If they agree, only one of them is kept. So two values that differ in any way that could matter must not
//! agree.

use serde_json::Value;

use crate::ingest::parse::properties::MAX_PROPERTIES_BYTES;
use crate::ingest::parse::text;

/// Whether two values of one field mean the same: they are the [`same`], or one is a number and the other its
/// text.
pub(crate) fn agree(a: &str, b: &str) -> bool {
    a.trim_matches('"') == b.trim_matches('"') || same(a, b)
}

/// Whether two values are the same apart from white space, escapes and the order of their entries. Numbers
/// with different digits are never the same, however close they are.
///
/// The time is proportional to the length of the shorter value.
pub(crate) fn same(a: &str, b: &str) -> bool {
    if a == b {
        return true;
    }
    // An escape is at most six times as long as its character. Nobody sends that much white space.
    if a.len() / 6 > b.len() || b.len() / 6 > a.len() {
        return false;
    }
    let is_string = |json: &str| json.starts_with('"');
    if is_string(a) && is_string(b) {
        return matches!((text::decode(a), text::decode(b)), (Some(a), Some(b)) if a == b);
    }
    significant_bytes(a).eq(significant_bytes(b)) || same_values(a, b)
}

/// [`same`] for values whose entries are in another order. This needs memory, so it compares only values that
/// are small enough to be kept. The parser refuses values that are nested too deeply.
fn same_values(a: &str, b: &str) -> bool {
    if a.len().max(b.len()) > MAX_PROPERTIES_BYTES || !a.starts_with(['{', '[']) {
        return false;
    }
    let value = |json| serde_json::from_str::<Value>(json).ok();
    matches!((value(a), value(b)), (Some(a), Some(b)) if a == b && is_exact(&a))
}

/// Whether every number of the value was read without rounding.
fn is_exact(value: &Value) -> bool {
    let mut values = vec![value];
    while let Some(value) = values.pop() {
        match value {
            Value::Number(number) if number.is_f64() => return false,
            Value::Array(items) => values.extend(items),
            Value::Object(entries) => values.extend(entries.values()),
            _ => {}
        }
    }
    true
}

/// The bytes of a JSON value without the white space between its tokens.
fn significant_bytes(json: &str) -> impl Iterator<Item = u8> {
    let (mut in_string, mut is_escaped) = (false, false);
    json.bytes().filter(move |byte| {
        let was_in_string = in_string;
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            _ => {}
        }
        was_in_string || !byte.is_ascii_whitespace()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_agree_if_nothing_of_them_differs() {
        for (a, b) in [
            (r#""\u0041b""#, r#""Ab""#),
            (r#"{"a": [1, "x y"]}"#, r#"{"a":[1,"x y"]}"#),
            (r#"{"a":1,"b":["\u0041"]}"#, r#"{"b":["A"],"a":1}"#),
            (r#"{"a":1.50}"#, r#"{"a": 1.50}"#),
            (r#""\"""#, r#""\u0022""#),
        ] {
            assert!(agree(a, b) && agree(b, a) && same(a, b) && same(b, a), "{a} {b}");
        }
        for (a, b) in [
            ("18446744073709551617", "18446744073709551618"),
            ("9007199254740993", "9007199254740992.0"),
            (r#"{"a":18446744073709551617}"#, r#"{"a": 18446744073709551618}"#),
            (r#"{"a":18446744073709551617,"b":1}"#, r#"{"b":1,"a": 18446744073709551618}"#),
            (r#"{"a":"x y"}"#, r#"{"a":"xy"}"#),
            (r#"{"a":"\" x"}"#, r#"{"a":"\"x"}"#),
            (r#"[1,2]"#, r#"[2,1]"#),
            (r#""\ud800""#, r#""\udc00""#),
            ("1e999", "1e998"),
        ] {
            assert!(!agree(a, b) && !agree(b, a) && !same(a, b) && !same(b, a), "{a} {b}");
        }
    }

    #[test]
    fn a_number_agrees_with_its_text_and_is_not_the_same() {
        assert!(agree("42", r#""42""#) && !same("42", r#""42""#));
    }
}
