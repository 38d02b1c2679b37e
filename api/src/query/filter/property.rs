//! A property: the path to a value inside the properties of an event.

use std::str::FromStr;

use sqlx::{Postgres, QueryBuilder};

/// Longest path in bytes.
const MAX_PATH_BYTES: usize = 200;
/// Maximum number of parts of a path. Properties have at most 32 levels.
const MAX_PARTS: usize = 10;

/// A path such as `cart.currency`: the names to follow from the outermost object inwards. It leads only
/// through objects, not into lists. If an object has a name twice, the last one counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::query) struct Property {
    /// Never empty.
    names: Vec<String>,
}

/// Why a text is not a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::query) enum PropertyError {
    #[error("the path of a property has 1 to {MAX_PATH_BYTES} bytes")]
    Length,
    #[error("the path of a property has 1 to {MAX_PARTS} parts between dots, and none of them is empty")]
    Parts,
    #[error("contains a NUL character")]
    Nul,
}

impl FromStr for Property {
    type Err = PropertyError;

    fn from_str(path: &str) -> Result<Self, PropertyError> {
        if path.is_empty() || path.len() > MAX_PATH_BYTES {
            return Err(PropertyError::Length);
        }
        if path.contains('\0') {
            return Err(PropertyError::Nul);
        }
        let names: Vec<String> = path.split('.').map(str::to_owned).collect();
        if names.len() > MAX_PARTS || names.iter().any(String::is_empty) {
            return Err(PropertyError::Parts);
        }
        Ok(Self { names })
    }
}

impl Property {
    /// Appends the property of the event `e` as JSON; null if the event does not have it.
    pub(super) fn push_json(&self, sql: &mut QueryBuilder<Postgres>) {
        self.push(sql, "->");
    }

    /// Appends the value of the property of the event `e` as text: a string without its quotes, anything else
    /// as it was sent. The result is null if the event does not have it, or if it is the JSON null.
    pub(super) fn push_text_but_null(&self, sql: &mut QueryBuilder<Postgres>) {
        self.push(sql, "->>");
    }

    /// The same, but with the text `null` for the JSON null.
    pub(in crate::query) fn push_text(&self, sql: &mut QueryBuilder<Postgres>) {
        // The second expression is evaluated only if the first one is null, which is rare.
        sql.push("coalesce(");
        self.push_text_but_null(sql);
        sql.push(", (");
        self.push_json(sql);
        sql.push(")::text)");
    }

    /// Appends the path step by step with `->`, because the operator `#>` also leads into lists, and returns
    /// wrong results if a name occurs twice.
    fn push(&self, sql: &mut QueryBuilder<Postgres>, last_operator: &str) {
        sql.push("(e.properties");
        for (place, name) in self.names.iter().enumerate() {
            let is_last = place + 1 == self.names.len();
            sql.push(" ").push(if is_last { last_operator } else { "->" }).push(" ");
            sql.push_bind(name.clone()).push("::text");
        }
        sql.push(")");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_bounded_and_has_no_empty_part() {
        let parsed = |path: &str| path.parse::<Property>().map(|property| property.names);
        assert_eq!(parsed("cart.currency"), Ok(vec!["cart".to_owned(), "currency".to_owned()]));
        assert_eq!(parsed(&"a".repeat(MAX_PATH_BYTES)).map(|names| names.len()), Ok(1));
        assert_eq!(parsed(&["a"; MAX_PARTS].join(".")).map(|names| names.len()), Ok(MAX_PARTS));
        for (path, error) in [
            (String::new(), PropertyError::Length),
            ("a".repeat(MAX_PATH_BYTES + 1), PropertyError::Length),
            (["a"; MAX_PARTS + 1].join("."), PropertyError::Parts),
            ("a..b".to_owned(), PropertyError::Parts),
            (".a".to_owned(), PropertyError::Parts),
            ("a\0".to_owned(), PropertyError::Nul),
        ] {
            assert_eq!(parsed(&path), Err(error), "{path:?}");
        }
    }
}
