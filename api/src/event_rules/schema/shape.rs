//! The shape of a schema: its subschemas, and which of them apply to which part of a value.
//!
//! The shape is a graph. An edge leads from a subschema to another one for the same value, such as one of `allOf` or
//! the target of a `$ref`; a step leads to one for a property or an item of it. The shape is known before the schema is
//! compiled, so `cost` can refuse a schema whose validation would take too much time or stack.

use std::collections::HashMap;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::flaw::Flaw;
use super::path;

/// Most subschemas that a schema may have.
const MAX_SUBSCHEMAS: usize = 1_000;
/// Most patterns that a schema may have, because each is compiled separately.
const MAX_PATTERNS: usize = 100;

/// What a subschema costs in relation to one that only says `type`. A regular expression:
const PATTERN_COST: u64 = 32;
/// A comparison of all items with each other.
const UNIQUE_COST: u64 = 16;
/// A division of numbers of any size.
const DIVISION_COST: u64 = 500;
/// So many values are compared in the time of one subschema.
const COMPARED_AT_ONCE: u64 = 8;
/// What is unevaluated is found by evaluating the subschemas of the same value again.
const UNEVALUATED_TIMES: u64 = 3;

/// A subschema.
#[derive(Debug)]
pub(super) struct Node<'s> {
    /// Where it is.
    path: String,
    /// What it costs for one value, without other subschemas.
    pub(super) own_cost: u64,
    /// Subschemas of the same value, each with how often it is evaluated.
    pub(super) in_place: Vec<(usize, u64)>,
    /// Subschemas of parts of the value, in order.
    pub(super) steps: Vec<(Step<'s>, usize)>,
}

/// The parts of a value that a subschema applies to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step<'s> {
    /// The property of this name.
    Property(&'s str),
    /// Every property.
    AnyProperty,
    /// Every property that the same subschema does not name.
    OtherProperty,
    /// The item at this index.
    Item(usize),
    /// Every item.
    AnyItem,
}

/// The subschemas of a schema, which is one of them. Edges lead only from one to a later one.
#[derive(Debug)]
pub(super) struct Shape<'s> {
    pub(super) nodes: Vec<Node<'s>>,
    /// The number of the schema itself.
    pub(super) root: usize,
    /// The number of patterns.
    pub(super) patterns: usize,
    /// Whether a value may match one of several subschemas. Then there are many reasons if it matches none.
    pub(super) has_choices: bool,
}

impl<'s> Shape<'s> {
    /// The shape of a schema.
    ///
    /// # Errors
    /// If the schema is too large, refers to something outside of itself, or to itself without end.
    pub(super) fn of(root: &'s Value) -> Result<Self, Flaw> {
        let shape = Shape { nodes: Vec::new(), root: 0, patterns: 0, has_choices: false };
        // In draft 4, the keyword has another name.
        let is_draft_4 = root.get("$schema").and_then(Value::as_str).is_some_and(|draft| draft.contains("draft-04"));
        let id = if is_draft_4 { "id" } else { "$id" };
        let mut walk = Walk { root, shape, id, indexes: HashMap::new(), unread: Vec::new() };
        walk.node(root, "schema".to_owned())?;
        while let Some((schema, index)) = walk.unread.pop() {
            walk.read(schema, index)?;
        }
        let mut shape = walk.shape;
        shape.sort()?;
        Ok(shape)
    }

    /// Numbers the subschemas so that edges lead only from one to a later one.
    fn sort(&mut self) -> Result<(), Flaw> {
        let mut incoming = vec![0_usize; self.nodes.len()];
        for (to, _) in self.nodes.iter().flat_map(|node| &node.in_place) {
            incoming[*to] += 1;
        }
        let mut order: Vec<usize> = (0..self.nodes.len()).filter(|index| incoming[*index] == 0).collect();
        let mut next = 0;
        while let Some(index) = order.get(next) {
            next += 1;
            for (to, _) in &self.nodes[*index].in_place {
                incoming[*to] -= 1;
                if incoming[*to] == 0 {
                    order.push(*to);
                }
            }
        }
        if order.len() < self.nodes.len() {
            return Err(Flaw::new(self.in_circle(&incoming), "invalid", "refers to itself for the same value, without end"));
        }
        let mut places = vec![0; self.nodes.len()];
        order.iter().enumerate().for_each(|(place, index)| places[*index] = place);
        self.root = places[self.root];
        let mut nodes: Vec<_> = std::mem::take(&mut self.nodes).into_iter().enumerate().collect();
        nodes.sort_by_key(|(index, _)| places[*index]);
        self.nodes = nodes.into_iter().map(|(_, node)| node).collect();
        for node in &mut self.nodes {
            node.in_place.iter_mut().for_each(|(to, _)| *to = places[*to]);
            node.steps.iter_mut().for_each(|(_, to)| *to = places[*to]);
            node.steps.sort_unstable();
        }
        Ok(())
    }

    /// The path of a subschema that leads to itself. `incoming` counts the edges to each that could not be sorted.
    fn in_circle(&self, incoming: &[usize]) -> String {
        let is_left = |index: usize| incoming[index] > 0;
        let mut before = vec![0; self.nodes.len()];
        for (from, node) in self.nodes.iter().enumerate().filter(|(from, _)| is_left(*from)) {
            node.in_place.iter().filter(|(to, _)| is_left(*to)).for_each(|(to, _)| before[*to] = from);
        }
        // Going back from any of them ends in a circle.
        let mut at = (0..self.nodes.len()).find(|index| is_left(*index)).unwrap_or_default();
        for _ in 0..self.nodes.len() {
            at = before[at];
        }
        self.nodes[at].path.clone()
    }
}

/// A walk through a schema. Subschemas that were found and not read yet wait in a list, so it needs no recursion.
struct Walk<'s> {
    root: &'s Value,
    shape: Shape<'s>,
    /// The keyword that changes what the references below it mean.
    id: &'static str,
    /// The number of each subschema by its address: several references may lead to it.
    indexes: HashMap<usize, usize>,
    unread: Vec<(&'s Map<String, Value>, usize)>,
}

impl<'s> Walk<'s> {
    /// The number of a subschema.
    fn node(&mut self, schema: &'s Value, path: String) -> Result<usize, Flaw> {
        let address = std::ptr::from_ref(schema).addr();
        if let Some(index) = self.indexes.get(&address) {
            return Ok(*index);
        }
        let index = self.shape.nodes.len();
        if index >= MAX_SUBSCHEMAS {
            return Err(Flaw::new("schema", "too_complex", format!("must have at most {MAX_SUBSCHEMAS} subschemas")));
        }
        self.indexes.insert(address, index);
        let own_cost = schema.as_object().map_or(1, own_cost);
        self.shape.nodes.push(Node { path, own_cost, in_place: Vec::new(), steps: Vec::new() });
        // Anything but an object and a truth value is no schema; compiling it says so.
        self.unread.extend(schema.as_object().map(|schema| (schema, index)));
        Ok(index)
    }

    fn read(&mut self, schema: &'s Map<String, Value>, index: usize) -> Result<(), Flaw> {
        let of_node = self.shape.nodes[index].path.clone();
        for (keyword, value) in schema {
            let path = path::of_property(&of_node, keyword);
            match (keyword.as_str(), value) {
                ("$ref", Value::String(reference)) => {
                    let target = self.target(reference, &path)?;
                    self.edge(schema, index, target);
                }
                ("$dynamicRef" | "$recursiveRef", _) => {
                    return Err(Flaw::new(path, "invalid", "is not supported; use $ref"));
                }
                (keyword, Value::String(_)) if keyword == self.id && index > 0 => {
                    return Err(Flaw::new(path, "invalid", "is allowed only at the top of the schema"));
                }
                ("not" | "if" | "then" | "else", value) => {
                    let target = self.node(value, path)?;
                    self.edge(schema, index, target);
                }
                ("allOf" | "anyOf" | "oneOf", Value::Array(options)) => {
                    self.shape.has_choices |= keyword != "allOf";
                    for (place, option) in options.iter().enumerate() {
                        let target = self.node(option, path::of_item(&path, place))?;
                        self.edge(schema, index, target);
                    }
                }
                ("dependentSchemas" | "dependencies", Value::Object(entries)) => {
                    // A dependency that is an array lists names.
                    for (name, value) in entries.iter().filter(|(_, value)| !value.is_array()) {
                        let target = self.node(value, path::of_property(&path, name))?;
                        self.edge(schema, index, target);
                    }
                }
                ("properties", Value::Object(entries)) => {
                    for (name, value) in entries {
                        self.step(index, Step::Property(name), value, path::of_property(&path, name))?;
                    }
                }
                ("patternProperties", Value::Object(entries)) => {
                    for (pattern, value) in entries {
                        self.count_pattern()?;
                        self.step(index, Step::AnyProperty, value, path::of_property(&path, pattern))?;
                    }
                }
                ("pattern", Value::String(_)) => self.count_pattern()?,
                ("items" | "prefixItems", Value::Array(items)) => {
                    for (place, value) in items.iter().enumerate() {
                        self.step(index, Step::Item(place), value, path::of_item(&path, place))?;
                    }
                }
                ("additionalProperties", value) => self.step(index, Step::OtherProperty, value, path)?,
                ("unevaluatedProperties" | "propertyNames", value) => self.step(index, Step::AnyProperty, value, path)?,
                ("items" | "additionalItems" | "unevaluatedItems" | "contains", value) => {
                    self.step(index, Step::AnyItem, value, path)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn edge(&mut self, schema: &Map<String, Value>, from: usize, to: usize) {
        let is_repeated = schema.contains_key("unevaluatedProperties") || schema.contains_key("unevaluatedItems");
        self.shape.nodes[from].in_place.push((to, if is_repeated { UNEVALUATED_TIMES } else { 1 }));
    }

    fn step(&mut self, from: usize, step: Step<'s>, schema: &'s Value, path: String) -> Result<(), Flaw> {
        let to = self.node(schema, path)?;
        self.shape.nodes[from].steps.push((step, to));
        Ok(())
    }

    fn count_pattern(&mut self) -> Result<(), Flaw> {
        self.shape.patterns += 1;
        if self.shape.patterns <= MAX_PATTERNS {
            return Ok(());
        }
        Err(Flaw::new("schema", "too_complex", format!("must have at most {MAX_PATTERNS} patterns")))
    }

    /// The number of the subschema that a reference leads to.
    fn target(&mut self, reference: &str, path: &str) -> Result<usize, Flaw> {
        let flaw = |message: &str| Flaw::new(path, "invalid", message);
        let fragment = reference.strip_prefix('#').and_then(|fragment| percent_decode_str(fragment).decode_utf8().ok());
        let pointer = fragment.filter(|pointer| pointer.is_empty() || pointer.starts_with('/'));
        let Some(pointer) = pointer else {
            return Err(flaw("must refer to a part of this schema by its place, as #/$defs/name; nothing else is read"));
        };
        let root = self.root;
        let target = root.pointer(&pointer).ok_or_else(|| flaw("refers to nothing in this schema"))?;
        self.node(target, path::of_pointer("schema", &pointer, root))
    }
}

/// What the keywords of a subschema cost that are no subschemas.
fn own_cost(schema: &Map<String, Value>) -> u64 {
    let costs = schema.iter().map(|(keyword, value)| match (keyword.as_str(), value) {
        ("required", Value::Array(names)) => names.len() as u64,
        ("properties", Value::Object(entries)) => entries.len() as u64,
        ("dependentRequired" | "dependencies", value) => size(value),
        ("enum" | "const", value) => size(value) / COMPARED_AT_ONCE,
        ("patternProperties", Value::Object(entries)) => entries.len() as u64 * PATTERN_COST,
        ("pattern", _) => PATTERN_COST,
        ("uniqueItems", Value::Bool(true)) => UNIQUE_COST,
        ("multipleOf", value) if !value.is_u64() => DIVISION_COST,
        _ => 0,
    });
    1 + costs.sum::<u64>()
}

/// The number of values in a value.
fn size(value: &Value) -> u64 {
    match value {
        Value::Array(items) => 1 + items.iter().map(size).sum::<u64>(),
        Value::Object(entries) => 1 + entries.values().map(size).sum::<u64>(),
        _ => 1,
    }
}
