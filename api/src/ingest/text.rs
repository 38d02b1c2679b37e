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
///
/// The value is walked once and without recursion; a path is put together only for what is found.
pub(super) fn unstorable_path(root: &str, json: &str) -> Option<String> {
    // Only escapes can spell such texts, and few events have any.
    memchr::memmem::find(json.as_bytes(), b"\\u")?;
    let mut walk = Walk { json, at: 0, levels: Vec::new() };
    walk.finds_unstorable().then(|| walk.path(root))
}

/// A text that a client chose, cut to a length that an answer can repeat.
pub(super) fn clipped(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(MAX_REPEATED_CHARACTERS) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
    }
}

/// Longest name or path that an answer repeats, in characters.
const MAX_REPEATED_CHARACTERS: usize = 200;

/// Whether a JSON string decodes to a text that PostgreSQL can hold.
fn is_storable(json: &str) -> bool {
    decode(json).is_some_and(|text| !text.contains('\0'))
}

/// A container that the walk is in.
enum Level<'a> {
    /// An object; its current key with quotes, once that was read.
    Object(Option<&'a str>),
    /// An array; the place of its current item.
    Array(usize),
}

/// A walk over a value that is known to be JSON.
struct Walk<'a> {
    json: &'a str,
    at: usize,
    levels: Vec<Level<'a>>,
}

impl<'a> Walk<'a> {
    /// Walks to the first string that cannot be stored, and stays inside its containers.
    fn finds_unstorable(&mut self) -> bool {
        while let Some(byte) = self.json.as_bytes().get(self.at) {
            match byte {
                b'"' => {
                    let string = self.string();
                    if let Some(Level::Object(key @ None)) = self.levels.last_mut() {
                        *key = Some(string);
                    }
                    if !is_storable(string) {
                        return true;
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
                // White space, colons, numbers and words.
                _ => {}
            }
            self.at += 1;
        }
        false
    }

    /// Passes a string and returns it with its quotes.
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

    fn path(&self, root: &str) -> String {
        let mut path = root.to_owned();
        for level in &self.levels {
            match level {
                Level::Object(Some(key)) => {
                    path.push('.');
                    match decode(key) {
                        Some(name) => path.extend(clipped(&name).escape_debug()),
                        // As the client wrote it: it has escapes already.
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
        let path = unstorable_path("", &json).unwrap();
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
            assert_eq!(unstorable_path("p", json).as_deref(), expected, "{json}");
        }
    }
}
