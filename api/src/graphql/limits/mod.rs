//! Limits: how large one query may be. They are checked before the query is validated and run.
//!
//! The cost of validation, and the number of errors that it reports, grow with the number of fields after
//! fragments are expanded, times the number of their arguments. So both must be limited before. Fields of
//! GraphQL's introspection have weights, because a query can select the fields of types and the types of fields
//! again and again.

mod count;

use std::collections::HashMap;

use async_graphql::parser::types::ExecutableDocument;
use async_graphql::{Name, Variables};

use self::count::Count;
use crate::error::ApiError;
use crate::problem::clipped;

/// Maximum number of fields in a query. A fragment counts each time it is used.
const MAX_FIELDS: usize = 1_000;
/// Maximum number of arguments and directives in a query. A list counts as many as it has entries, and a fragment
/// each time it is used. Ten questions with all arguments have fewer.
const MAX_ARGUMENTS: usize = 500;
/// Maximum number of arguments of a field that is not a question. Only introspection has such fields with
/// arguments. Validation compares all fields of one name, argument by argument.
const MAX_ARGUMENTS_INSIDE: usize = 1;
/// Maximum number of questions in one request. The questions of a project share its connections to the
/// database.
const MAX_QUESTIONS: usize = 10;
/// Maximum depth of fields. Answers need five levels.
const MAX_DEPTH: usize = 10;
/// The maximum depth of introspection. The queries of common tools need about fifteen levels.
const MAX_DESCRIPTION_DEPTH: usize = 20;
/// Maximum number of values in an answer: a page of 1,000 events with every field, and some more.
const MAX_VALUES: u64 = 20_000;
/// The maximum number of values of introspection, estimated from the names of its fields. Common tools need about
/// 50,000.
const MAX_DESCRIPTION_VALUES: u64 = 200_000;
/// Assumed number of entries of a list that has no limit, or whose limit cannot be read.
const ENTRIES: u64 = 100;
const MAX_ENTRIES: u64 = 1_000;

/// Checks queries.
#[derive(Debug, Default)]
pub(super) struct Limits {
    /// The default limit of the list of each question.
    entries: HashMap<String, u64>,
}

/// Why a query is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum TooMuch {
    #[error("the query has more than {MAX_FIELDS} fields, counted wherever their fragments are used")]
    Fields,
    #[error("the query has more than {MAX_ARGUMENTS} arguments and directives, counted wherever their fragments are used")]
    Arguments,
    #[error("the query has a field with several arguments, and only questions have them")]
    ArgumentsInside,
    #[error("the query asks more than {MAX_QUESTIONS} questions; send several requests")]
    Questions,
    #[error("a subscription has one field")]
    Subscriptions,
    #[error("the query has more than {MAX_DEPTH} fields inside one another")]
    Depth,
    #[error("the answer could have more than {MAX_VALUES} values; ask for shorter lists or fewer fields")]
    Values,
    #[error("the query asks for too much of the schema at once")]
    Description,
}

impl From<TooMuch> for ApiError {
    fn from(error: TooMuch) -> Self {
        Self::QueryTooComplex(error.to_string())
    }
}

impl Limits {
    /// Records the default limit of the list that a question answers with.
    pub(super) fn add_list(&mut self, question: &str, default: Option<u64>) {
        self.entries.insert(question.to_owned(), default.unwrap_or(ENTRIES));
    }

    /// Refuses a query that is too large. Returns the names of the answers to its questions, in order.
    ///
    /// # Errors
    /// [`ApiError::QueryTooComplex`], and [`ApiError::InvalidQuery`] if a fragment is not used, because it
    /// would be validated without having been counted.
    pub(super) fn check(&self, document: &ExecutableDocument, variables: &Variables) -> Result<Vec<Name>, ApiError> {
        let mut count = Count::new(self, document, variables);
        for (_, operation) in document.operations.iter() {
            count.operation(&operation.node)?;
        }
        match count.unused() {
            Some(name) => Err(ApiError::InvalidQuery(format!("the fragment {} is not used", clipped(name)))),
            None => Ok(count.questions),
        }
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;

    use super::*;

    fn check(query: &str, variables: serde_json::Value) -> Result<(), String> {
        let mut limits = Limits::default();
        limits.add_list("events", Some(100));
        let variables = Variables::from_json(variables);
        limits.check(&parse_query(query).unwrap(), &variables).map(drop).map_err(|error| error.to_string())
    }

    fn refused(query: &str, error: TooMuch) {
        assert_eq!(check(query, serde_json::json!({})), Err(error.to_string()), "{}", &query[..query.len().min(100)]);
    }

    #[test]
    fn limits_count_wherever_they_come_from() {
        let fields = "a b c d e f g h i j k l m n o p q r s";
        for (query, variables, is_allowed) in [
            (format!("{{ events {{ data {{ {fields} }} }} }}"), serde_json::json!({}), true),
            (format!("{{ events(limit: 1000) {{ data {{ {fields} }} }} }}"), serde_json::json!({}), false),
            (format!("query($n: Int) {{ events(limit: $n) {{ data {{ {fields} }} }} }}"), serde_json::json!({"n": 1000}), false),
            (format!("query($n: Int) {{ events(limit: $n) {{ data {{ {fields} }} }} }}"), serde_json::json!({}), true),
            (format!("query($n: Int = 1000) {{ events(limit: $n) {{ data {{ {fields} }} }} }}"), serde_json::json!({}), false),
        ] {
            assert_eq!(check(&query, variables).is_ok(), is_allowed, "{query}");
        }
    }

    #[test]
    fn what_is_too_deep_or_too_long_is_refused() {
        refused(&format!("{{ {} }}", "a { ".repeat(10) + "a" + &" }".repeat(10)), TooMuch::Depth);
        refused(&format!("{{ a {{ {} }} }}", "b ".repeat(1_000)), TooMuch::Fields);
        refused(&format!("{{ {} }}", (0..11).map(|i| format!("q{i}: a ")).collect::<String>()), TooMuch::Questions);
        refused("subscription { a b }", TooMuch::Subscriptions);
    }

    #[test]
    fn fragments_count_wherever_they_are_used() {
        let doubling = |n: u32| format!("fragment f{n} on T {{ ...f{m} ...f{m} }} ", m = n + 1);
        let bomb: String = (0..40).map(doubling).collect();
        refused(&format!("{{ a {{ ...f0 }} }} {bomb} fragment f40 on T {{ b }}"), TooMuch::Fields);
        refused("{ a { ...f } } fragment f on T { ...f }", TooMuch::Depth);
    }

    #[test]
    fn arguments_are_counted_because_validation_compares_them() {
        let of_question = |n: u32| (0..n).map(|i| format!("x{i}: 1 ")).collect::<String>();
        assert_eq!(check(&format!("{{ a({}) }}", of_question(500)), serde_json::json!({})), Ok(()));
        for query in [
            format!("{{ a({}) }}", of_question(501)),
            format!("{{ a(x: [{}]) }}", "1 ".repeat(500)),
            format!("{{ a(x: {{{}}}) }}", of_question(500)),
            format!("{{ a {} }}", "@b ".repeat(501)),
            format!("{{ a {} }}", "@b(c: $d) ".repeat(251)),
            format!("{} fragment f on T {{ a({}) }}", "query q { ...f } query r { ...f } query s { ...f }", of_question(200)),
            format!("{} fragment f on T {} {{ a }}", "query q { ...f } query r { ...f } query s { ...f }", "@b ".repeat(200)),
        ] {
            refused(&query, TooMuch::Arguments);
        }
        refused(&format!("{{ a {{ b({}) }} }}", of_question(2)), TooMuch::ArgumentsInside);
    }

    #[test]
    fn a_fragment_that_is_not_counted_is_refused() {
        let fragments = "fragment f on T { a } fragment g on T { ...h } fragment h on T { a }";
        let refusal = check(&format!("{{ a {{ ...f }} }} {fragments}"), serde_json::json!({})).unwrap_err();
        assert!(["the fragment g is not used", "the fragment h is not used"].contains(&refusal.as_str()), "{refusal}");
        assert_eq!(check(&format!("{{ a {{ ...f ...g }} }} {fragments}"), serde_json::json!({})), Ok(()));
    }

    #[test]
    fn the_schema_cannot_be_listed_by_itself() {
        refused(
            &format!("{{ __schema {{ types {{ {} name {} }} }} }}", "fields { type { ".repeat(4), " } }".repeat(4)),
            TooMuch::Description,
        );
    }
}
