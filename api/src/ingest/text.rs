//! Texts: what of a JSON string PostgreSQL can hold, and where in a value the rest stands; how deep a
//! value is nested.
//!
//! The parser has checked the syntax before anything here runs, so a value is scanned byte by
//! byte without any doubt about quotes and escapes.

use std::borrow::Cow;

/// The decoded text of a JSON string.
///
/// `None` where an escape stands for half of a surrogate pair, which is no text at all.
pub(super) fn decode(json: &str) -> Option<Cow<'_, str>> {
    let inside = json.strip_prefix('"')?.strip_suffix('"')?;
    if memchr::memchr(b'\\', inside.as_bytes()).is_none() {
        return Some(Cow::Borrowed(inside));
    }
    serde_json::from_str::<String>(json).ok().map(Cow::Owned)
}

/// Whether a JSON value is nested deeper than so many levels: `{}` is one.
pub(super) fn is_deeper_than(json: &str, levels: usize) -> bool {
    // With so few brackets, in strings or not, it cannot be; and few events have more.
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

/// The path, below `root`, of the first string that PostgreSQL cannot hold.
pub(super) fn unstorable_path(root: &str, json: &str) -> Option<String> {
    // Only escapes can spell such texts, and few events have any.
    memchr::memmem::find(json.as_bytes(), b"\\u")?;
    Walk { json, at: 0 }.value(root.to_owned())
}

/// Whether a JSON string decodes to a text that PostgreSQL can hold.
fn is_storable(json: &str) -> bool {
    decode(json).is_some_and(|text| !text.contains('\0'))
}

/// A walk over a value that is known to be JSON no deeper than a few dozen levels.
struct Walk<'a> {
    json: &'a str,
    at: usize,
}

impl<'a> Walk<'a> {
    fn value(&mut self, path: String) -> Option<String> {
        match self.peek() {
            b'{' => self.entries(&path),
            b'[' => self.items(&path),
            b'"' => (!is_storable(self.string())).then_some(path),
            _ => {
                self.scalar();
                None
            }
        }
    }

    fn entries(&mut self, path: &str) -> Option<String> {
        self.at += 1;
        while self.peek() != b'}' {
            let key = self.string();
            let name = decode(key).unwrap_or(Cow::Borrowed(key));
            let below = format!("{path}.{}", name.escape_debug());
            if !is_storable(key) {
                return Some(below);
            }
            self.peek();
            self.at += 1;
            if let Some(found) = self.value(below) {
                return Some(found);
            }
            if self.peek() == b',' {
                self.at += 1;
            }
        }
        self.at += 1;
        None
    }

    fn items(&mut self, path: &str) -> Option<String> {
        self.at += 1;
        let mut index = 0;
        while self.peek() != b']' {
            if let Some(found) = self.value(format!("{path}[{index}]")) {
                return Some(found);
            }
            if self.peek() == b',' {
                self.at += 1;
            }
            index += 1;
        }
        self.at += 1;
        None
    }

    /// The next byte that is not white space, without passing it.
    fn peek(&mut self) -> u8 {
        let rest = &self.json.as_bytes()[self.at..];
        self.at += rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        self.json.as_bytes().get(self.at).copied().unwrap_or(b'}')
    }

    /// Passes a string and returns it with its quotes.
    fn string(&mut self) -> &'a str {
        self.peek();
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

    fn scalar(&mut self) {
        let rest = &self.json.as_bytes()[self.at..];
        self.at +=
            rest.iter().take_while(|byte| !matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t')).count().max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn the_path_of_an_unstorable_text_is_found() {
        for (json, expected) in [
            (r#"{"a": {"b" : [1, "x\u0041", "y\u0000"]}}"#, Some("p.a.b[2]")),
            (r#"{"a":"\ud83d\ude00","b":"\ud83d"}"#, Some("p.b")),
            (r#"{"ok":[true,null,-1.5e3],"k\u0000y":1}"#, Some("p.k\\0y")),
            (r#"{"a":"\\u0000"}"#, None),
            (r#"{"a":"\u00e9"}"#, None),
        ] {
            assert_eq!(unstorable_path("p", json).as_deref(), expected, "{json}");
        }
    }
}
