//! Arguments: the parameters of a question, with GraphQL names.
//!
//! They are passed on as parameters, so limits, defaults and errors are those of the REST API.

use async_graphql::Value;
use async_graphql::dynamic::{InputValue, ObjectAccessor, TypeRef};
use serde_json::Value as Json;

use super::name::camel_case;
use crate::parameters::Described;

/// An argument of a field.
#[derive(Debug, Clone)]
pub(super) struct Argument {
    /// The name of the parameter.
    parameter: &'static str,
    name: String,
    ty: TypeRef,
    about: String,
    /// The default of the parameter, if it is a number.
    default: Option<u64>,
}

impl Argument {
    /// The argument for a parameter.
    pub(super) fn of(described: &Described, is_required: bool) -> Self {
        let parameter = described.param.name();
        let schema = &described.schema;
        let named = match schema["type"].as_str() {
            Some("integer") => TypeRef::named(TypeRef::INT),
            Some("boolean") => TypeRef::named(TypeRef::BOOLEAN),
            Some("array") => TypeRef::named_nn_list(TypeRef::STRING),
            _ => TypeRef::named(TypeRef::STRING),
        };
        let ty = if is_required { TypeRef::NonNull(Box::new(named)) } else { named };
        let about = format!("{}{}", described.param.about, notes(schema));
        Self { parameter, name: camel_case(parameter), ty, about, default: schema["default"].as_u64() }
    }

    /// The same argument, but required.
    pub(super) fn required(self) -> Self {
        let ty = if matches!(self.ty, TypeRef::NonNull(_)) { self.ty } else { TypeRef::NonNull(Box::new(self.ty)) };
        Self { ty, ..self }
    }

    /// The name of the parameter.
    pub(super) fn parameter(&self) -> &'static str {
        self.parameter
    }

    /// The default, if it is a number.
    pub(super) fn default(&self) -> Option<u64> {
        self.default
    }

    /// The argument as a part of the schema.
    pub(super) fn input(&self) -> InputValue {
        InputValue::new(&self.name, self.ty.clone()).description(&self.about)
    }
}

/// The parameters for these arguments. An argument that is null counts as absent.
pub(super) fn pairs(arguments: &[Argument], sent: &ObjectAccessor<'_>) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    for argument in arguments {
        let Some(value) = sent.get(&argument.name) else { continue };
        let values = match value.as_value() {
            Value::List(values) => values.as_slice(),
            value => std::slice::from_ref(value),
        };
        pairs.extend(values.iter().filter_map(text).map(|text| (argument.parameter.to_owned(), text)));
    }
    pairs
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Boolean(flag) => Some(flag.to_string()),
        // The schema allows no other types.
        _ => None,
    }
}

/// The constraints that the JSON schema of a parameter contains in addition to its type, as text.
fn notes(schema: &Json) -> String {
    let plain = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut notes = String::new();
    if let Some(names) = schema["enum"].as_array() {
        let names: Vec<String> = names.iter().map(|name| format!("`{}`", plain(name))).collect();
        notes.push_str(&format!(" One of {}.", names.join(", ")));
    }
    if let (Some(minimum), Some(maximum)) = (schema["minimum"].as_u64(), schema["maximum"].as_u64()) {
        notes.push_str(&format!(" From {minimum} to {maximum}."));
    }
    if let Some(default) = schema.get("default") {
        notes.push_str(&format!(" The default is `{}`.", plain(default)));
    }
    notes
}
