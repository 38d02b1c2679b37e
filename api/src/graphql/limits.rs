//! Limits: how large one query may be. They are checked before the query is validated and run.
//!
//! The cost of validation grows with the number of fields after fragments are expanded, so this number must
//! be limited before. Fields of GraphQL's introspection have weights, because a query can select the fields
//! of types and the types of fields again and again.

use std::collections::HashMap;

use async_graphql::parser::types::{ExecutableDocument, Field, OperationDefinition, OperationType, Selection, SelectionSet};
use async_graphql::{Name, Value, Variables};

use crate::error::ApiError;

/// Maximum number of open brackets. The parser limits the depth of selections, but not of lists.
const MAX_OPEN_BRACKETS: usize = 64;
/// Maximum number of fields in a query. A fragment counts each time it is used.
const MAX_FIELDS: usize = 1_000;
/// Maximum number of questions in one request. The questions of a project share its connections to the
/// database.
const MAX_QUESTIONS: usize = 10;
/// Maximum depth of fields. Answers need five levels.
const MAX_DEPTH: usize = 10;
/// The maximum depth of introspection. The queries of common tools need about fifteen levels.
const MAX_DESCRIPTION_DEPTH: usize = 20;
/// Maximum number of values in an answer: a page of 1,000 events with every field, and some more.
const MAX_VALUES: u64 = 20_000;
/// The maximum number of values of introspection, estimated with [`weight`]. Common tools need about 50,000.
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
    #[error("the query has more than {MAX_OPEN_BRACKETS} brackets inside one another")]
    Brackets,
    #[error("the query has more than {MAX_FIELDS} fields, counted wherever their fragments are used")]
    Fields,
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

/// The position of a selection in a query.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// The number of fields that enclose it.
    depth: usize,
    /// The number of selections that enclose it, including those of fragments.
    level: usize,
    /// How many times it is answered.
    times: u64,
    /// Whether it is part of introspection.
    is_description: bool,
}

/// The counts of one query.
struct Count<'a> {
    limits: &'a Limits,
    document: &'a ExecutableDocument,
    operation: &'a OperationDefinition,
    variables: &'a Variables,
    fields: usize,
    /// The names of the questions' answers.
    questions: Vec<Name>,
    values: u64,
    description_values: u64,
}

/// Refuses a query whose brackets are nested too deeply for the parser. Brackets in strings count too.
///
/// # Errors
/// [`ApiError::QueryTooComplex`].
pub(super) fn check_brackets(query: &str) -> Result<(), ApiError> {
    let mut open = 0_usize;
    for byte in query.bytes() {
        match byte {
            b'{' | b'[' | b'(' => open += 1,
            b'}' | b']' | b')' => open = open.saturating_sub(1),
            _ => {}
        }
        if open > MAX_OPEN_BRACKETS {
            return Err(TooMuch::Brackets.into());
        }
    }
    Ok(())
}

impl Limits {
    /// Records the default limit of the list that a question answers with.
    pub(super) fn add_list(&mut self, question: &str, default: Option<u64>) {
        self.entries.insert(question.to_owned(), default.unwrap_or(ENTRIES));
    }

    /// Refuses a query that is too large. Returns the names of the answers to its questions, in order.
    ///
    /// # Errors
    /// [`ApiError::QueryTooComplex`].
    pub(super) fn check(&self, document: &ExecutableDocument, variables: &Variables) -> Result<Vec<Name>, ApiError> {
        // Fragments that nothing uses are validated too.
        let mut fields = document.fragments.len();
        let mut questions = Vec::new();
        for (_, operation) in document.operations.iter() {
            let operation = &operation.node;
            let mut count = Count {
                limits: self,
                document,
                operation,
                variables,
                fields,
                questions: Vec::new(),
                values: 0,
                description_values: 0,
            };
            count.selections(&operation.selection_set.node, Place { depth: 0, level: 0, times: 1, is_description: false })?;
            if operation.ty == OperationType::Subscription && count.questions.len() > 1 {
                return Err(TooMuch::Subscriptions.into());
            }
            fields = count.fields;
            questions.extend(count.questions);
        }
        Ok(questions)
    }
}

impl Count<'_> {
    /// Counts the selected fields. The recursion ends when a query is too deep.
    fn selections(&mut self, selections: &SelectionSet, place: Place) -> Result<(), TooMuch> {
        if place.level > MAX_OPEN_BRACKETS {
            return Err(TooMuch::Depth);
        }
        let inner = Place { level: place.level + 1, ..place };
        for selection in &selections.items {
            self.fields += 1;
            if self.fields > MAX_FIELDS {
                return Err(TooMuch::Fields);
            }
            match &selection.node {
                Selection::Field(field) => self.field(&field.node, inner)?,
                Selection::InlineFragment(fragment) => self.selections(&fragment.node.selection_set.node, inner)?,
                Selection::FragmentSpread(spread) => {
                    // Validation reports a fragment that does not exist.
                    if let Some(fragment) = self.document.fragments.get(&spread.node.fragment_name.node) {
                        self.selections(&fragment.node.selection_set.node, inner)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn field(&mut self, field: &Field, place: Place) -> Result<(), TooMuch> {
        let name = field.name.node.as_str();
        let is_description = place.is_description || matches!(name, "__schema" | "__type");
        if place.depth == 0 {
            self.questions.push(field.response_key().node.clone());
            if self.questions.len() > MAX_QUESTIONS {
                return Err(TooMuch::Questions);
            }
        }
        let depth = place.depth + 1;
        if depth > if is_description { MAX_DESCRIPTION_DEPTH } else { MAX_DEPTH } {
            return Err(TooMuch::Depth);
        }
        let entries = if is_description {
            weight(name)
        } else if place.depth == 0 {
            self.entries(field)
        } else {
            1
        };
        let times = place.times.saturating_mul(entries);
        self.add(times, is_description)?;
        self.selections(&field.selection_set.node, Place { depth, times, is_description, ..place })
    }

    fn add(&mut self, values: u64, is_description: bool) -> Result<(), TooMuch> {
        let (total, most, error) = if is_description {
            (&mut self.description_values, MAX_DESCRIPTION_VALUES, TooMuch::Description)
        } else {
            (&mut self.values, MAX_VALUES, TooMuch::Values)
        };
        *total = total.saturating_add(values);
        if *total > most { Err(error) } else { Ok(()) }
    }

    /// The maximum number of entries in the answer to a question.
    fn entries(&self, question: &Field) -> u64 {
        let Some(default) = self.limits.entries.get(question.name.node.as_str()) else { return 1 };
        let Some(limit) = question.get_argument("limit") else { return *default };
        match limit.node.clone().into_const_with(|name| self.variable(&name).ok_or(())) {
            Ok(Value::Null) => *default,
            // A value that is not an allowed number is refused later.
            Ok(Value::Number(number)) => number.as_u64().unwrap_or(MAX_ENTRIES).min(MAX_ENTRIES),
            _ => MAX_ENTRIES,
        }
    }

    fn variable(&self, name: &Name) -> Option<Value> {
        if let Some(value) = self.variables.get(name) {
            return Some(value.clone());
        }
        let definition = self.operation.variable_definitions.iter().find(|definition| definition.node.name.node == *name)?;
        Some(definition.node.default_value.as_ref().map_or(Value::Null, |value| value.node.clone()))
    }
}

/// The approximate number of entries in a list of introspection.
fn weight(name: &str) -> u64 {
    match name {
        "types" => 60,
        "fields" | "inputFields" | "enumValues" | "possibleTypes" => 8,
        "directives" => 5,
        "args" => 3,
        _ => 1,
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
        check_brackets(query)
            .and_then(|()| limits.check(&parse_query(query).unwrap(), &variables))
            .map(drop)
            .map_err(|error| error.to_string())
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
        assert!(check_brackets(&format!("{{ a(b: {}", "[".repeat(30_000))).is_err());
    }

    #[test]
    fn fragments_count_wherever_they_are_used() {
        let doubling = |n: u32| format!("fragment f{n} on T {{ ...f{m} ...f{m} }} ", m = n + 1);
        let bomb: String = (0..40).map(doubling).collect();
        refused(&format!("{{ a {{ ...f0 }} }} {bomb} fragment f40 on T {{ b }}"), TooMuch::Fields);
        refused("{ a { ...f } } fragment f on T { ...f }", TooMuch::Depth);
    }

    #[test]
    fn the_schema_cannot_be_listed_by_itself() {
        refused(
            &format!("{{ __schema {{ types {{ {} name {} }} }} }}", "fields { type { ".repeat(4), " } }".repeat(4)),
            TooMuch::Description,
        );
    }
}
