//! A schema: a JSON Schema for the properties of an event, compiled.
//!
//! The crate `jsonschema` does the work. It is told to read nothing from files or other servers, and to match patterns
//! in linear time. What it cannot bound is bounded before: `shape` and `cost` refuse schemas that would take too long
//! for one event. `flaw` says what is wrong with a schema, and `path` with which part.

mod cost;
mod flaw;
mod path;
mod shape;

use jsonschema::{PatternOptions, ValidationError, Validator};
use serde_json::Value;

pub(crate) use self::flaw::Flaw;
use self::shape::Shape;
use crate::problem::{clipped, one_line};

/// Largest schema in bytes, without white space.
const MAX_BYTES: usize = 64 * 1024;
/// Most levels of nesting. Together with the levels of properties, it bounds the stack that validation takes.
const MAX_DEPTH: usize = 64;
/// What one pattern may take in memory, in bytes, smallest first. The first one that suffices for all patterns is
/// counted for each. Most patterns need the first; one that allows 500 characters of any kind needs the last.
const PATTERN_BYTES: [usize; 3] = [16 << 10, 128 << 10, 1 << 20];
/// What the tables of a pattern may take, which are filled while it is matched.
const TABLE_BYTES: usize = 32 << 10;
/// How much larger a compiled schema is than its text, about.
const GROWTH: usize = 16;

/// If a choice of subschemas does not match, the crate lists what is wrong with each of them. If the cost of the schema
/// times the bytes of the properties exceeds this, the place of the fault is not looked for, because the list could take
/// some 100 MB.
const MAX_EXPLAINED: u64 = 1_000_000;

/// A schema that was compiled.
#[derive(Debug)]
pub(crate) struct CompiledSchema {
    validator: Validator,
    /// See [`cost`].
    pub(super) cost: u64,
    has_choices: bool,
    /// How much memory it takes at most, about.
    pub(crate) memory_bytes: usize,
}

/// Why properties do not match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// The path of the part that does not match.
    pub(super) path: String,
    /// Why. It contains no value of the event.
    pub(super) message: String,
}

impl CompiledSchema {
    /// Compiles a schema, which takes up to some 100 ms.
    ///
    /// # Errors
    /// If it is too large, too deep or too complex, or no schema.
    pub(crate) fn compile(schema: &Value) -> Result<Self, Flaw> {
        let bytes = schema.to_string().len();
        if bytes > MAX_BYTES {
            let message = format!("must have at most {MAX_BYTES} bytes without white space, has {bytes}");
            return Err(Flaw::new("schema", "too_large", message));
        }
        check_values(schema, "schema", MAX_DEPTH)?;
        let shape = Shape::of(schema)?;
        let cost = cost::measure(&shape)?;
        let (validator, pattern_bytes) = build(schema)?;
        let memory_bytes = GROWTH * bytes + shape.patterns * (pattern_bytes + TABLE_BYTES);
        Ok(Self { validator, cost, has_choices: shape.has_choices, memory_bytes })
    }

    /// The properties, read, if they do not match.
    pub(super) fn violating(&self, properties: &str) -> Option<Value> {
        // They are JSON, or they would have been refused.
        let value: Value = serde_json::from_str(properties).ok()?;
        (!self.validator.is_valid(&value)).then_some(value)
    }

    /// What is wrong with properties that do not match. `root` is the name of the field that they were sent in.
    pub(super) fn fault(&self, properties: &Value, bytes: usize, root: &str) -> Fault {
        let is_explained = !self.has_choices || self.cost.saturating_mul(bytes as u64) <= MAX_EXPLAINED;
        match self.validator.validate(properties) {
            Err(error) if is_explained => Fault {
                path: clipped(&path::of_pointer(root, error.instance_path().as_str(), properties)).into_owned(),
                message: message(&error),
            },
            _ => Fault { path: root.to_owned(), message: "does not match; it is too large to say where".to_owned() },
        }
    }
}

/// Compiles the schema, and says how much memory was enough for each pattern.
fn build(schema: &Value) -> Result<(Validator, usize), Flaw> {
    let mut limits = PATTERN_BYTES.into_iter().peekable();
    loop {
        let limit = limits.next().unwrap_or(PATTERN_BYTES[0]);
        let patterns = PatternOptions::regex().size_limit(limit).dfa_size_limit(TABLE_BYTES);
        let options = jsonschema::options().with_pattern_options(patterns).should_validate_formats(true).offline();
        match options.build(schema) {
            Ok(validator) => return Ok((validator, limit)),
            Err(error) if limits.peek().is_some() && is_of_pattern(&error) => {}
            Err(error) => return Err(flaw(&error, schema)),
        }
    }
}

fn is_of_pattern(error: &ValidationError<'_>) -> bool {
    let mut segments = error.instance_path().as_str().rsplit('/');
    segments.next() == Some("pattern") || segments.next() == Some("patternProperties")
}

fn flaw(error: &ValidationError<'_>, schema: &Value) -> Flaw {
    let mut message = message(error);
    if is_of_pattern(error) {
        message += "; a pattern has no look-around and no back-references, and at most 1 MiB when compiled";
    }
    Flaw::new(path::of_pointer("schema", error.instance_path().as_str(), schema), "invalid", message)
}

/// The message of the crate, without the value of the event.
fn message(error: &ValidationError<'_>) -> String {
    one_line(&error.masked().to_string())
}

/// Checks that every text can be stored, and how deep the value is nested.
fn check_values(value: &Value, at: &str, levels: usize) -> Result<(), Flaw> {
    let is_storable = |text: &str| !text.contains('\0');
    let check_text = |text: &str, at: &str| {
        let flaw = || Flaw::new(at, "invalid_text", "contains \\u0000");
        if is_storable(text) { Ok(()) } else { Err(flaw()) }
    };
    if levels == 0 && matches!(value, Value::Array(_) | Value::Object(_)) {
        return Err(Flaw::new(at, "too_deep", format!("must be nested at most {MAX_DEPTH} levels deep")));
    }
    match value {
        Value::String(text) => check_text(text, at),
        Value::Array(items) => {
            items.iter().enumerate().try_for_each(|(place, item)| check_values(item, &path::of_item(at, place), levels - 1))
        }
        Value::Object(entries) => entries.iter().try_for_each(|(name, value)| {
            let at = path::of_property(at, name);
            check_text(name, &at)?;
            check_values(value, &at, levels - 1)
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;

    /// The stack of the threads that check events.
    const STACK_BYTES: usize = 2 << 20;

    /// The fault of properties, if they do not match.
    fn fault(schema: &Value, properties: &Value) -> Option<Fault> {
        let (schema, properties) = (CompiledSchema::compile(schema).unwrap(), properties.to_string());
        let value = schema.violating(&properties)?;
        Some(schema.fault(&value, properties.len(), "properties"))
    }

    #[test]
    fn a_fault_says_where_and_why_without_the_value() {
        let schema = json!({"properties": {"cart": {"items": {"properties": {"price": {"type": "number"}}}}}});
        assert_eq!(fault(&schema, &json!({"cart": [{"price": 1}]})), None);
        let found = fault(&schema, &json!({"cart": [{"price": 1}, {"price": "hush"}]})).unwrap();
        assert_eq!(
            found,
            Fault { path: "properties.cart[1].price".to_owned(), message: "value is not of type \"number\"".to_owned() }
        );
        let long = json!({"pattern": "^[a-z]+$", "enum": ["x".repeat(3_000), "a\nb"]});
        let found = fault(&json!({ "additionalProperties": long }), &json!({"a": "hush"})).unwrap();
        assert!(found.message.chars().count() <= 201 && !found.message.contains("hush"), "{found:?}");
    }

    /// The deepest properties, each level of which is evaluated through as many subschemas as may be nested.
    #[test]
    fn the_deepest_evaluation_fits_the_stack() {
        let level = json!({"type": "object", "properties": {"a": {"$ref": "#"}}});
        let nested = |keyword: &str| (0..14).fold(level.clone(), |schema, _| json!({ keyword: [schema] }));
        let mut definitions: Map<String, Value> =
            (0..14).map(|n| (format!("d{n}"), json!({"$ref": format!("#/$defs/d{}", n + 1)}))).collect();
        definitions.insert("d14".to_owned(), json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/d0"}}}));
        let chain = json!({"$ref": "#/$defs/d0", "$defs": definitions});
        let deep = (0..31).fold(json!({"a": 1}), |inner, _| json!({ "a": inner }));
        for schema in [nested("allOf"), nested("anyOf"), nested("oneOf"), chain] {
            let deep = deep.clone();
            let check = move || fault(&schema, &deep).unwrap();
            let found = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(check).unwrap().join().unwrap();
            assert!(found.path.starts_with("properties"), "{found:?}");
        }
    }

    #[test]
    fn a_long_line_of_references_is_compiled_without_recursion() {
        let mut definitions: Map<String, Value> =
            (0..450).map(|n| (format!("d{n}"), json!({"properties": {"a": {"$ref": format!("#/$defs/d{}", n + 1)}}}))).collect();
        definitions.insert("d450".to_owned(), json!({"type": "string"}));
        let schema = json!({"$ref": "#/$defs/d0", "$defs": definitions});
        let compile = move || CompiledSchema::compile(&schema).map(drop);
        let compiled = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(compile).unwrap().join().unwrap();
        assert_eq!(compiled, Ok(()));
    }
}
