//! The cost of a schema: how much is evaluated for one part of a value, at most.
//!
//! References and choices can make a small schema evaluate its subschemas any number of times, for the same value and
//! again for every level of it. So the cost is computed before the schema is used: beginning with the value itself, we
//! go to every kind of part that some subschema distinguishes, with the subschemas that apply there and how often, as
//! deep as properties may be.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{BuildHasher, RandomState};

use super::flaw::Flaw;
use super::shape::{Shape, Step};

/// Highest cost of a schema. One that only says `type` costs 1, and evaluating that takes about 10 ns. With this cost,
/// properties of 64 KiB that consist of nothing but short numbers take about a second.
const MAX_COST: u64 = 2_000;
/// Most levels of properties, and so of the steps into them.
const MAX_LEVELS: usize = 32;
/// Most references and choices one inside of the other, for one value. Each takes a part of the stack, on each level.
const MAX_CHAIN: usize = 16;
/// Most kinds of parts that are looked at.
const MAX_KINDS: usize = 5_000;
/// Most steps that are looked at, which takes about 100 ms.
const MAX_STEPS: usize = 5_000_000;

/// The subschemas that apply to a kind of part, each with how often.
type Applied = Vec<(usize, u64)>;

/// A kind of part: a property or an item that some subschema names, or any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part<'s> {
    Property(&'s str),
    OtherProperty,
    Item(usize),
    OtherItem,
}

/// The cost of a schema of this shape.
///
/// # Errors
/// If it is too high, or takes too long to find out.
pub(super) fn measure(shape: &Shape<'_>) -> Result<u64, Flaw> {
    let flaw = |message: &str| Flaw::new("schema", "too_complex", message);
    if longest_chain(shape) > MAX_CHAIN {
        let message = format!("must not have more than {MAX_CHAIN} references, conditions and choices one inside of the other");
        return Err(flaw(&message));
    }
    let hasher = RandomState::new();
    let (mut seen, mut steps, mut greatest) = (HashSet::new(), 0, 0);
    let mut level = vec![closed(shape, BTreeMap::from([(shape.root, 1)]))];
    for _ in 0..=MAX_LEVELS {
        let mut next = Vec::new();
        for applied in level {
            greatest = greatest.max(cost(shape, &applied));
            for part in parts(shape, &applied) {
                let below = closed(shape, step(shape, &applied, part, &mut steps));
                // What applies to a part may apply to a part of it too.
                if !below.is_empty() && seen.insert(hasher.hash_one(&below)) {
                    next.push(below);
                }
            }
            if greatest > MAX_COST || seen.len() > MAX_KINDS || steps > MAX_STEPS {
                return Err(flaw("may evaluate its subschemas too often for one value; use fewer choices and references"));
            }
        }
        level = next;
    }
    Ok(greatest)
}

/// The largest number of subschemas that apply to the same value one inside of the other.
fn longest_chain(shape: &Shape<'_>) -> usize {
    let mut lengths = vec![1; shape.nodes.len()];
    for (index, node) in shape.nodes.iter().enumerate().rev() {
        lengths[index] = 1 + node.in_place.iter().map(|(to, _)| lengths[*to]).max().unwrap_or(0);
    }
    lengths.into_iter().max().unwrap_or(0)
}

/// Adds the subschemas that apply to the same value.
fn closed(shape: &Shape<'_>, mut open: BTreeMap<usize, u64>) -> Applied {
    let mut closed = Vec::with_capacity(open.len());
    // Edges lead only to later ones, so nothing is added to one that was taken.
    while let Some((index, times)) = open.pop_first() {
        for (to, factor) in &shape.nodes[index].in_place {
            let sum = open.entry(*to).or_default();
            *sum = sum.saturating_add(times.saturating_mul(*factor));
        }
        closed.push((index, times));
    }
    closed
}

fn cost(shape: &Shape<'_>, applied: &Applied) -> u64 {
    let costs = applied.iter().map(|(index, times)| shape.nodes[*index].own_cost.saturating_mul(*times));
    costs.fold(0, u64::saturating_add)
}

/// The kinds of parts that these subschemas distinguish.
fn parts<'s>(shape: &Shape<'s>, applied: &Applied) -> BTreeSet<Part<'s>> {
    let steps = applied.iter().flat_map(|(index, _)| &shape.nodes[*index].steps);
    let part = |step: &Step<'s>| match *step {
        Step::Property(name) => Part::Property(name),
        Step::AnyProperty | Step::OtherProperty => Part::OtherProperty,
        Step::Item(place) => Part::Item(place),
        Step::AnyItem => Part::OtherItem,
    };
    steps.map(|(step, _)| part(step)).collect()
}

/// The subschemas that apply to a part.
fn step(shape: &Shape<'_>, applied: &Applied, part: Part<'_>, looked_at: &mut usize) -> BTreeMap<usize, u64> {
    let mut below = BTreeMap::new();
    for (index, times) in applied {
        let steps = &shape.nodes[*index].steps;
        *looked_at += steps.len();
        let names = |name: &str| steps.binary_search_by(|(step, _)| step.cmp(&Step::Property(name))).is_ok();
        for (step, to) in steps {
            let applies = match (part, step) {
                (Part::Property(name), Step::Property(named)) => name == *named,
                (Part::Property(name), Step::OtherProperty) => !names(name),
                (Part::OtherProperty, Step::OtherProperty)
                | (Part::Property(_) | Part::OtherProperty, Step::AnyProperty)
                | (Part::Item(_) | Part::OtherItem, Step::AnyItem) => true,
                (Part::Item(place), Step::Item(named)) => place == *named,
                _ => false,
            };
            if applies {
                let sum: &mut u64 = below.entry(*to).or_default();
                *sum = sum.saturating_add(*times);
            }
        }
    }
    below
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn cost_of(schema: &Value) -> Result<u64, String> {
        Shape::of(schema).and_then(|shape| measure(&shape)).map_err(|flaw| format!("{} {}", flaw.field, flaw.code))
    }

    #[test]
    fn only_what_applies_to_the_same_part_adds_up() {
        let number = json!({"type": "number"});
        assert_eq!(cost_of(&json!(true)), Ok(1));
        assert_eq!(cost_of(&json!({"properties": {"a": number, "b": number, "c": number}})), Ok(4));
        let twice = json!({"properties": {"a": {"allOf": [number, number]}}, "patternProperties": {"^a": number}});
        assert_eq!(cost_of(&twice), Ok(1 + 1 + 32));
        let items = json!({"prefixItems": [number, number], "items": {"anyOf": [number, number, number]}});
        assert_eq!(cost_of(&items), Ok(5));
    }

    #[test]
    fn recursion_is_paid_once_if_it_goes_one_way_at_a_time() {
        let list = json!({"properties": {"value": {}, "next": {"$ref": "#"}}});
        assert_eq!(cost_of(&list), Ok(4));
        let tree = json!({"properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}, "required": ["left"]});
        assert_eq!(cost_of(&tree), Ok(5));
    }

    #[test]
    fn what_doubles_with_every_reference_or_level_is_refused() {
        let mut definitions = serde_json::Map::new();
        for number in 0..7 {
            let next = json!({"$ref": format!("#/$defs/d{}", number + 1)});
            definitions.insert(format!("d{number}"), json!({"allOf": [next, next, next, next]}));
        }
        definitions.insert("d7".to_owned(), json!({}));
        let wide = json!({"$ref": "#/$defs/d0", "$defs": definitions});
        assert_eq!(cost_of(&wide), Err("schema too_complex".to_owned()));
        let deep = json!({"properties": {"a": {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}}});
        assert_eq!(cost_of(&deep), Err("schema too_complex".to_owned()));
    }

    #[test]
    fn a_circle_is_named() {
        for (schema, place) in [
            (json!({"$ref": "#"}), "schema"),
            (json!({"allOf": [{"not": {"$ref": "#"}}]}), "schema"),
            (json!({"properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"$ref": "#/$defs/a"}}}), "schema.$defs.a"),
        ] {
            let flaw = cost_of(&schema).unwrap_err();
            assert!(flaw.starts_with(place) && flaw.ends_with(" invalid"), "{schema}: {flaw}");
        }
    }

    #[test]
    fn a_long_chain_is_refused() {
        let nested = |levels| (0..levels).fold(json!({}), |schema, _| json!({ "not": schema }));
        assert!(cost_of(&nested(MAX_CHAIN - 1)).is_ok());
        assert_eq!(cost_of(&nested(MAX_CHAIN)), Err("schema too_complex".to_owned()));
    }
}
