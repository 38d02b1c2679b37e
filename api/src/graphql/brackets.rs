//! Brackets: how deeply a query may nest them. This is checked before the query is parsed.
//!
//! The parser and the validation recurse for every nested bracket. The parser limits the depth of selections, but
//! not of lists and objects. Brackets in strings and comments do not count.

use crate::error::ApiError;

/// Maximum number of open brackets.
pub(super) const MAX_OPEN: usize = 64;

/// Refuses a query whose brackets are nested too deeply for the parser.
///
/// # Errors
/// [`ApiError::QueryTooComplex`], and [`ApiError::InvalidQuery`] if a string does not end.
pub(super) fn check(query: &str) -> Result<(), ApiError> {
    let mut open = 0_usize;
    let mut rest = query.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = match byte {
            b'"' => after_string(rest).ok_or_else(|| ApiError::InvalidQuery("a string of the query does not end".to_owned()))?,
            b'#' => after_comment(after),
            _ => after,
        };
        match byte {
            b'{' | b'[' | b'(' => open += 1,
            b'}' | b']' | b')' => open = open.saturating_sub(1),
            _ => {}
        }
        if open > MAX_OPEN {
            return Err(ApiError::QueryTooComplex(format!("the query has more than {MAX_OPEN} brackets inside one another")));
        }
    }
    Ok(())
}

/// The text after the string at its beginning; `None` if the string does not end. The parser reads the first two
/// quotes of a block string that does not end as an empty string, so the query cannot simply be left to the parser.
fn after_string(text: &[u8]) -> Option<&[u8]> {
    let is_block = text.starts_with(br#"""""#);
    let mut rest = &text[if is_block { 3 } else { 1 }..];
    loop {
        rest = match (is_block, rest) {
            (true, [b'\\', b'"', b'"', b'"', after @ ..]) => after,
            (true, [b'"', b'"', b'"', after @ ..]) | (false, [b'"', after @ ..]) => return Some(after),
            (false, [b'\\', _, after @ ..]) => after,
            (false, [b'\n' | b'\r', ..]) | (_, []) => return None,
            (_, [_, after @ ..]) => after,
        };
    }
}

fn after_comment(text: &[u8]) -> &[u8] {
    let end = text.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
    &text[end.unwrap_or(text.len())..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(query: &str) -> Option<&'static str> {
        match check(query) {
            Ok(()) => None,
            Err(ApiError::QueryTooComplex(_)) => Some("too complex"),
            Err(_) => Some("invalid"),
        }
    }

    #[test]
    fn brackets_count_wherever_they_are_open() {
        assert_eq!(code(&format!("{}{}", "[".repeat(64), "]".repeat(64))), None);
        assert_eq!(code(&"[]".repeat(1_000)), None);
        for opening in
            ["[", "{a:", "a(", r#"["]""#, r#"["\"]""#, r#"["\\" "]""#, "[#]\n", "[#]\r", r#"["""]""""#, r#"["""\"""]""""#]
        {
            assert_eq!(code(&opening.repeat(65)), Some("too complex"), "{opening}");
        }
    }

    #[test]
    fn brackets_in_strings_and_comments_do_not_count() {
        let many = "[{(".repeat(100);
        for query in [format!(r#"{{a(b: "{many}")}}"#), format!("{{a #{many}\n}}"), format!(r#"{{a(b: """{many}"\""" """)}}"#)] {
            assert_eq!(code(&query), None, "{query}");
        }
    }

    #[test]
    fn a_string_that_does_not_end_is_not_valid() {
        for query in [r#"{a(b: "x"#, "{a(b: \"x\n\")}", r#"{a(b: """x")}"#, r#"{a(b: "\"#, r#"{a(b: """x\""")}"#] {
            assert_eq!(code(query), Some("invalid"), "{query}");
        }
    }
}
