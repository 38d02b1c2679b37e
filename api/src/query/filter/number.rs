//! Decides which texts are compared as numbers.
//!
//! A text is compared as a number if it is a JSON number and short enough that PostgreSQL's `numeric`
//! represents it exactly and efficiently. All others are compared as text.

use serde_json::value::RawValue;
use sqlx::{Postgres, QueryBuilder};

/// Longest number in bytes, more than any double is printed with.
const MAX_NUMBER_BYTES: usize = 100;
/// Number of digits of an exponent that is too large: `1e-20000` has more decimal places than `numeric`
/// supports.
const TOO_MANY_EXPONENT_DIGITS: usize = 4;

/// Whether a text is compared as a number.
pub(super) fn is_number(text: &str) -> bool {
    let begins_as_number = text.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    begins_as_number
        && text.len() <= MAX_NUMBER_BYTES
        && text.ends_with(|last: char| last.is_ascii_digit())
        && serde_json::from_str::<&RawValue>(text).is_ok()
        && exponent(text).trim_start_matches(['+', '-']).len() < TOO_MANY_EXPONENT_DIGITS
}

/// Appends the same test in SQL for an expression that is the text of a JSON value. Such a text is a number
/// if it begins with a digit or a minus sign.
pub(super) fn push_is_number(sql: &mut QueryBuilder<Postgres>, json: &'static str) {
    sql.push(format_args!(
        "ascii({json}) between {} and {} and length({json}) <= {MAX_NUMBER_BYTES} \
         and (strpos({json}, 'e') + strpos({json}, 'E') = 0 or {json} !~ '[eE][+-]?[0-9]{{{TOO_MANY_EXPONENT_DIGITS}}}')",
        b'-', b'9'
    ));
}

fn exponent(number: &str) -> &str {
    number.split_once(['e', 'E']).map_or("", |(_, exponent)| exponent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_json_with_few_digits() {
        let long = "1".repeat(MAX_NUMBER_BYTES);
        for text in ["0", "-0", "10", "1e2", "1E+2", "-1.50e-999", &long] {
            assert!(is_number(text), "{text}");
        }
        let longer = "1".repeat(MAX_NUMBER_BYTES + 1);
        for text in ["", "-", "+1", "01", ".5", "5.", "1e", "1e1000", "1e-0001", " 1", "1 ", "NaN", "0x10", "١", "1,2", &longer]
        {
            assert!(!is_number(text), "{text}");
        }
    }
}
