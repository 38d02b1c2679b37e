//! The JSON schemas of arguments and answers, generated from the parameters and types of the questions.

use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::parameters::Described;

/// The argument that limits a list.
pub(super) const LIMIT: &str = "limit";
/// The field that every result has in addition to those of the endpoint's answer.
pub(super) const TIME_ZONE: &str = "time_zone";

/// Maximum default of `limit`. It is lower than over HTTP, because an assistant reads every entry.
const MAX_DEFAULT_LIMIT: u64 = 50;

type Object = Map<String, Value>;

/// The default of `limit` where it differs from the endpoint's.
pub(super) fn default_limit(parameters: &[Described]) -> Option<u64> {
    let limit = parameters.iter().find(|described| described.param.name() == LIMIT)?;
    limit.schema["default"].as_u64().filter(|&default| default > MAX_DEFAULT_LIMIT).map(|_| MAX_DEFAULT_LIMIT)
}

/// The schema of the arguments of a question with these parameters.
pub(super) fn of_arguments(parameters: &[Described]) -> Object {
    let limit = default_limit(parameters);
    let properties = parameters.iter().map(|described| {
        let mut schema = described.schema.clone();
        schema["description"] = json!(described.param.about);
        if let Some(limit) = limit.filter(|_| described.param.name() == LIMIT) {
            schema["default"] = json!(limit);
        }
        (described.param.name().to_owned(), schema)
    });
    let required = parameters.iter().filter(|described| described.is_required).map(|described| described.param.name());
    let mut object = Object::from_iter([
        ("type".to_owned(), json!("object")),
        ("properties".to_owned(), Value::Object(properties.collect())),
        ("additionalProperties".to_owned(), json!(false)),
    ]);
    object.insert("required".to_owned(), json!(required.collect::<Vec<_>>()));
    object
}

/// The schema of an answer with its time zone, including all definitions that it refers to; `None` if the
/// answer is not an object with fields.
pub(super) fn of_answer<A: ToSchema>() -> Option<Object> {
    let mut named = Vec::new();
    A::schemas(&mut named);
    let mut schema = json_schema(A::schema())?;
    schema.get_mut("properties")?.as_object_mut()?.insert(
        TIME_ZONE.to_owned(),
        json!({ "type": "string", "description": "Where the days of the answer begin and end: an IANA name." }),
    );
    match schema.entry("required").or_insert_with(|| json!([])) {
        Value::Array(required) => required.push(json!(TIME_ZONE)),
        _ => return None,
    }
    let definitions: Object =
        named.into_iter().filter_map(|(name, schema)| Some((name, Value::Object(json_schema(schema)?)))).collect();
    if !definitions.is_empty() {
        schema.insert("$defs".to_owned(), Value::Object(definitions));
    }
    Some(schema)
}

/// Converts a schema of an OpenAPI document into a self-contained one.
fn json_schema(schema: impl serde::Serialize) -> Option<Object> {
    let mut schema = serde_json::to_value(schema).ok()?;
    refer_to_definitions(&mut schema);
    match schema {
        Value::Object(object) => Some(object),
        _ => None,
    }
}

/// Replaces references to components of an OpenAPI document by references to the definitions of the schema.
/// The recursion is only as deep as the types of this program.
fn refer_to_definitions(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::String(reference)) = object.get_mut("$ref") {
                *reference = reference.replace("#/components/schemas/", "#/$defs/");
            }
            object.values_mut().for_each(refer_to_definitions);
        }
        Value::Array(values) => values.iter_mut().for_each(refer_to_definitions),
        _ => {}
    }
}
