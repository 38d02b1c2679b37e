//! The counts of one request, with fragments expanded.

use std::collections::HashSet;
use std::convert::Infallible;

use async_graphql::parser::types::{
    Directive, ExecutableDocument, Field, OperationDefinition, OperationType, Selection, SelectionSet, VariableDefinition,
};
use async_graphql::{Name, Positioned, Value, Variables};

use super::{
    Limits, MAX_ARGUMENTS, MAX_ARGUMENTS_INSIDE, MAX_DEPTH, MAX_DESCRIPTION_DEPTH, MAX_DESCRIPTION_VALUES, MAX_ENTRIES,
    MAX_FIELDS, MAX_QUESTIONS, MAX_VALUES, TooMuch,
};
use crate::graphql::brackets;

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

/// The counts of one request.
pub(super) struct Count<'a> {
    limits: &'a Limits,
    document: &'a ExecutableDocument,
    variables: &'a Variables,
    /// The variables of the operation.
    definitions: &'a [Positioned<VariableDefinition>],
    fields: usize,
    arguments: usize,
    /// The fragments that are used.
    used: HashSet<&'a str>,
    /// The names of the questions' answers, in order.
    pub(super) questions: Vec<Name>,
    /// How many of them belong to earlier operations.
    questions_before: usize,
    values: u64,
    description_values: u64,
}

impl<'a> Count<'a> {
    /// Counts that are zero.
    pub(super) fn new(limits: &'a Limits, document: &'a ExecutableDocument, variables: &'a Variables) -> Self {
        Self {
            limits,
            document,
            variables,
            definitions: &[],
            fields: 0,
            arguments: 0,
            used: HashSet::new(),
            questions: Vec::new(),
            questions_before: 0,
            values: 0,
            description_values: 0,
        }
    }

    /// Counts an operation. Only one of a request is run, but all of them are validated.
    pub(super) fn operation(&mut self, operation: &'a OperationDefinition) -> Result<(), TooMuch> {
        self.definitions = &operation.variable_definitions;
        self.questions_before = self.questions.len();
        (self.values, self.description_values) = (0, 0);
        self.directives(&operation.directives)?;
        self.selections(&operation.selection_set.node, Place { depth: 0, level: 0, times: 1, is_description: false })?;
        let is_subscription = operation.ty == OperationType::Subscription;
        if is_subscription && self.questions_of_operation() > 1 { Err(TooMuch::Subscriptions) } else { Ok(()) }
    }

    /// A fragment that no operation uses, if there is one.
    pub(super) fn unused(&self) -> Option<&'a Name> {
        self.document.fragments.keys().find(|name| !self.used.contains(name.as_str()))
    }

    fn questions_of_operation(&self) -> usize {
        self.questions.len() - self.questions_before
    }

    /// Counts the selected fields. The recursion ends when a query is too deep.
    fn selections(&mut self, selections: &SelectionSet, place: Place) -> Result<(), TooMuch> {
        if place.level > brackets::MAX_OPEN {
            return Err(TooMuch::Depth);
        }
        let inner = Place { level: place.level + 1, ..place };
        for selection in &selections.items {
            self.fields += 1;
            if self.fields > MAX_FIELDS {
                return Err(TooMuch::Fields);
            }
            self.directives(selection.node.directives())?;
            match &selection.node {
                Selection::Field(field) => self.field(&field.node, inner)?,
                Selection::InlineFragment(fragment) => self.selections(&fragment.node.selection_set.node, inner)?,
                Selection::FragmentSpread(spread) => {
                    // Validation reports a fragment that does not exist.
                    if let Some((name, fragment)) = self.document.fragments.get_key_value(&spread.node.fragment_name.node) {
                        self.used.insert(name);
                        self.directives(&fragment.node.directives)?;
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
            if self.questions_of_operation() > MAX_QUESTIONS {
                return Err(TooMuch::Questions);
            }
        }
        let depth = place.depth + 1;
        if depth > if is_description { MAX_DESCRIPTION_DEPTH } else { MAX_DEPTH } {
            return Err(TooMuch::Depth);
        }
        if place.depth > 0 && field.arguments.len() > MAX_ARGUMENTS_INSIDE {
            return Err(TooMuch::ArgumentsInside);
        }
        for (_, value) in &field.arguments {
            self.argument(value.node.clone().into_const_with(without_variables))?;
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

    fn directives(&mut self, directives: &[Positioned<Directive>]) -> Result<(), TooMuch> {
        for Positioned { node: directive, .. } in directives {
            self.argument(Ok(Value::Null))?;
            for (_, value) in &directive.arguments {
                self.argument(value.node.clone().into_const_with(without_variables))?;
            }
        }
        Ok(())
    }

    fn argument(&mut self, value: Result<Value, Infallible>) -> Result<(), TooMuch> {
        let Ok(value) = value;
        self.arguments += values(&value);
        if self.arguments > MAX_ARGUMENTS { Err(TooMuch::Arguments) } else { Ok(()) }
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
        let definition = self.definitions.iter().find(|definition| definition.node.name.node == *name)?;
        Some(definition.node.default_value.as_ref().map_or(Value::Null, |value| value.node.clone()))
    }
}

/// Replaces variables, each of which counts as one value.
fn without_variables(_: Name) -> Result<Value, Infallible> {
    Ok(Value::Null)
}

/// The number of values, including nested ones. The recursion is only as deep as the brackets of the query.
fn values(value: &Value) -> usize {
    match value {
        Value::List(entries) => 1 + entries.iter().map(values).sum::<usize>(),
        Value::Object(fields) => 1 + fields.values().map(values).sum::<usize>(),
        _ => 1,
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
