//! Takes comments and indentation out of scripts and style sheets: a third of their bytes when compressed.
//!
//! Nothing else changes, so a line in a browser's debugger is still recognised in the source. It reads just as much of
//! JavaScript as it takes to tell comments from strings, templates and regular expressions.

/// What a script is in the middle of.
enum Context {
    /// Code, with the number of braces that are open. In a template, the brace after the last one ends the code.
    Code(usize),
    /// The text of a template.
    Template,
}

/// Characters after which a slash begins a regular expression. After others, it divides.
const BEFORE_EXPRESSIONS: &[u8] = b"(,=:[!&|?{;+-*%~^<>";

/// A script without comments, indentation and empty lines.
pub(crate) fn script(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut kept = Vec::with_capacity(bytes.len());
    let mut contexts = vec![Context::Code(0)];
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let is_in_template = contexts.len() > 1;
        let Some(context) = contexts.last_mut() else { break };
        let next = bytes.get(at + 1).copied();
        let length = match (context, byte, next) {
            (Context::Template, b'\\', Some(_)) => 2,
            (Context::Template, b'$', Some(b'{')) => {
                contexts.push(Context::Code(0));
                2
            }
            (Context::Template, b'`', _) => {
                contexts.pop();
                1
            }
            (Context::Template, ..) => 1,
            (Context::Code(_), b'/', Some(b'/')) => {
                at += length_until(&bytes[at..], b"\n");
                continue;
            }
            (Context::Code(_), b'/', Some(b'*')) => {
                at += length_until(&bytes[at..], b"*/") + 2;
                continue;
            }
            (Context::Code(_), b'/', _) if begins_expression(&kept) => length_of_literal(&bytes[at..], b'/'),
            (Context::Code(_), b'"' | b'\'', _) => length_of_literal(&bytes[at..], byte),
            (Context::Code(_), b'`', _) => {
                contexts.push(Context::Template);
                1
            }
            (Context::Code(open), b'{', _) => {
                *open += 1;
                1
            }
            (Context::Code(0), b'}', _) if is_in_template => {
                contexts.pop();
                1
            }
            (Context::Code(open), b'}', _) => {
                *open = open.saturating_sub(1);
                1
            }
            (Context::Code(_), b' ' | b'\n', _) if kept.last().is_none_or(|last| *last == b'\n') => {
                at += 1;
                continue;
            }
            (Context::Code(_), b'\n', _) => {
                while kept.last() == Some(&b' ') {
                    kept.pop();
                }
                1
            }
            (Context::Code(_), ..) => 1,
        };
        kept.extend_from_slice(&bytes[at..bytes.len().min(at + length)]);
        at += length;
    }
    String::from_utf8_lossy(&kept).into_owned()
}

/// A style sheet without comments, indentation and empty lines.
pub(crate) fn style_sheet(source: &str) -> String {
    let mut kept = String::with_capacity(source.len());
    let mut rest = source;
    while let Some((before, after)) = rest.split_once("/*") {
        kept.push_str(before);
        rest = after.split_once("*/").map_or("", |(_, rest)| rest);
    }
    kept.push_str(rest);
    let lines = kept.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("\n")
}

/// How many bytes come before an ending.
fn length_until(bytes: &[u8], ending: &[u8]) -> usize {
    bytes.windows(ending.len()).position(|window| window == ending).unwrap_or(bytes.len())
}

/// The length of a string or regular expression with its delimiters.
fn length_of_literal(bytes: &[u8], delimiter: u8) -> usize {
    let (mut at, mut is_in_class) = (1, false);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 1,
            b'[' if delimiter == b'/' => is_in_class = true,
            b']' => is_in_class = false,
            _ if byte == delimiter && !is_in_class => return at + 1,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

/// Whether a slash after this begins a regular expression.
fn begins_expression(before: &[u8]) -> bool {
    let before = before.trim_ascii_end();
    before.last().is_none_or(|last| BEFORE_EXPRESSIONS.contains(last)) || before.ends_with(b"return")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_indentation_are_left_out() {
        for (source, kept) in [
            ("// about\n\nimport a from \"./a.js\"; // why\n", "import a from \"./a.js\";\n"),
            ("/**\n * @param {string} a\n */\nfunction f(a) {\n  return a;\n}\n", "function f(a) {\nreturn a;\n}\n"),
            ("const a = /** @type {any} */ (b);", "const a =  (b);"),
            ("f(/* nothing */);", "f();"),
        ] {
            assert_eq!(script(source), kept);
        }
    }

    #[test]
    fn what_only_looks_like_a_comment_stays() {
        for source in [
            "const a = \"http://example.org\";",
            "const a = '/* \\' // */';",
            "const a = `// ${`/* ${b} */`} //  \n  text`;",
            "const a = html`<p>${b ? { c: 1 } : \"}\"}</p> // text`;",
            "const a = b.replace(/^\\//, \"\").replace(/[/*]/g, \"//\");",
            "return /[`'\"]/.test(a);",
            "const a = b / c / d;",
            "const a = (b) / `c`;",
        ] {
            assert_eq!(script(source), source);
        }
    }

    #[test]
    fn code_in_templates_is_code() {
        assert_eq!(script("a`${/** @type {any} */ (b)} // c`"), "a`${ (b)} // c`");
        assert_eq!(script("a`${() => { if (b) { c(); } /* d */ }} /* e */`"), "a`${() => { if (b) { c(); }  }} /* e */`");
    }

    #[test]
    fn style_sheets_lose_the_same() {
        assert_eq!(style_sheet("/* a */\n:root {\n  --b: 1px; /* c */\n}\n"), ":root {\n--b: 1px;\n}");
    }
}
