//! The name of a new project. It is a part of addresses, so few characters are allowed.

use crate::admin::fields::Fields;

/// Maximum length in characters.
const MAX_CHARACTERS: usize = 100;

/// A name that a new project may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ProjectName(String);

impl ProjectName {
    /// Reads `name`.
    pub(super) fn take(fields: &mut Fields) -> Self {
        let name = fields.required_text("name");
        if !is_valid(&name) && !fields.has_problem("name") {
            let message = "must have 1 to 100 of the characters a-z, 0-9, '.', '_' and '-', and begin with a letter or a digit";
            fields.problem("name", "invalid", message);
        }
        Self(name)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Upper case is not allowed, because two names that differ in nothing else would be confused.
fn is_valid(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.len() <= MAX_CHARACTERS
        && name.bytes().next().is_some_and(is_plain)
        && name.bytes().all(|byte| is_plain(byte) || matches!(byte, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_fits_into_an_address() {
        for name in ["a", "7", "shop", "shop-2.eu_west", &"x".repeat(100)] {
            assert!(is_valid(name), "{name}");
        }
        for name in ["", ".", "..", "-a", "_", "Shop", "a b", "a/b", "a%2f", "ä", "a\n", &"x".repeat(101)] {
            assert!(!is_valid(name), "{name}");
        }
    }
}
