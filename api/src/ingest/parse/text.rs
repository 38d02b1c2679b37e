//! Texts: decodes JSON strings.

use std::borrow::Cow;

/// The decoded text of a JSON string.
///
/// `None` if it contains half of a surrogate pair, which is not a text.
pub(crate) fn decode(json: &str) -> Option<Cow<'_, str>> {
    let inside = inside(json)?;
    if memchr::memchr(b'\\', inside.as_bytes()).is_none() {
        return Some(Cow::Borrowed(inside));
    }
    serde_json::from_str::<String>(json).ok().map(Cow::Owned)
}

/// What is between the quotes of a JSON string; `None` for other values.
pub(crate) fn inside(json: &str) -> Option<&str> {
    json.strip_prefix('"')?.strip_suffix('"')
}
