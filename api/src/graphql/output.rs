//! The types of answers, generated from the JSON schemas of the API's description.
//!
//! A field has its JSON name in camel case. All fields are resolved from the complete answer, without further
//! queries.

use std::collections::{BTreeMap, HashMap, HashSet};

use async_graphql::dynamic::{Field, FieldFuture, FieldValue, Object, ResolverContext, Scalar, TypeRef};
use async_graphql::{Name, Value};
use serde_json::Value as Json;

use super::name::camel_case;
use crate::query::question::Answer;

/// The scalar for any JSON value.
const JSON: &str = "JSON";
/// The scalar for whole numbers, because GraphQL's own type has only 32 bits.
const LONG: &str = "Long";

/// Fields of a type that have a second name: the type, the JSON name, and the second name in GraphQL.
const SECOND_NAMES: [(&str, &str, &str); 4] = [
    ("Event", "occurred_at", "timestamp"),
    ("Event", "properties", "payload"),
    ("LiveEvent", "occurred_at", "timestamp"),
    ("LiveEvent", "properties", "payload"),
];

/// The types that have been found so far.
#[derive(Default)]
pub(super) struct Types {
    schemas: HashMap<String, Json>,
    objects: BTreeMap<String, Object>,
}

/// The GraphQL type of a JSON schema.
struct Shape {
    ty: TypeRef,
    is_nullable: bool,
    /// Whether it has no fields to select.
    is_leaf: bool,
}

/// A property of an object.
struct Property {
    name: String,
    schema: Json,
    is_required: bool,
}

impl Types {
    /// The type of an answer. It is registered with all types in it.
    pub(super) fn answer<A: Answer>(&mut self) -> TypeRef {
        let mut schemas = vec![(A::name().into_owned(), A::schema())];
        A::schemas(&mut schemas);
        for (name, schema) in schemas {
            // A schema is JSON itself, so it can be written as JSON.
            self.schemas.insert(name, serde_json::to_value(schema).unwrap_or_default());
        }
        self.reference(&A::name()).ty
    }

    /// Adds a type with the fields of another type and one more number.
    pub(super) fn extend(&mut self, of: &str, name: &str, (number, about): (&str, &str)) {
        let mut schema = self.schemas.get(of).cloned().unwrap_or_default();
        schema["properties"][number] = serde_json::json!({ "type": ["integer", "null"], "description": about });
        self.register(&schema, name);
    }

    /// All object types, and the scalars that they use.
    pub(super) fn into_parts(self) -> (Vec<Object>, [Scalar; 2]) {
        let json = Scalar::new(JSON).description("Any JSON value, as it was sent.");
        let long = Scalar::new(LONG).description("A whole number of up to 64 bits.");
        (self.objects.into_values().collect(), [json, long])
    }

    /// The type of the schema with this name.
    fn reference(&mut self, name: &str) -> Shape {
        let schema = self.schemas.get(name).cloned().unwrap_or_default();
        self.shape(&schema, name)
    }

    /// The type of a schema. An object without a name gets the name `name`.
    fn shape(&mut self, schema: &Json, name: &str) -> Shape {
        if let Some(path) = schema["$ref"].as_str() {
            return self.reference(path.rsplit('/').next().unwrap_or_default());
        }
        let (types, is_nullable) = without_null(&schema["type"]);
        if let Some(alternatives) = alternatives_of(schema) {
            return self.alternatives(alternatives, name);
        }
        let leaf = |name: &str| Shape { ty: TypeRef::named(name), is_nullable, is_leaf: true };
        match types.first().copied().unwrap_or("object") {
            "string" => leaf(TypeRef::STRING),
            "boolean" => leaf(TypeRef::BOOLEAN),
            "number" => leaf(TypeRef::FLOAT),
            "integer" => leaf(LONG),
            "array" => {
                let items = self.shape(&schema["items"], name);
                Shape { ty: TypeRef::List(Box::new(required(items.ty, !items.is_nullable))), is_nullable, is_leaf: items.is_leaf }
            }
            _ if self.properties(schema).is_empty() => leaf(JSON),
            _ => {
                self.register(schema, name);
                Shape { ty: TypeRef::named(name), is_nullable, is_leaf: false }
            }
        }
    }

    /// The type of a schema with alternatives. Alternatives with different fields become one type with all
    /// these fields.
    fn alternatives(&mut self, alternatives: &[Json], name: &str) -> Shape {
        let (nulls, others): (Vec<_>, Vec<_>) = alternatives.iter().partition(|schema| schema["type"] == "null");
        if let [only] = others[..] {
            let shape = self.shape(only, name);
            return Shape { is_nullable: shape.is_nullable || !nulls.is_empty(), ..shape };
        }
        let is_nullable = !nulls.is_empty();
        if others.iter().all(|schema| schema["type"] == "array") {
            let items: Vec<Json> = others.iter().map(|schema| schema["items"].clone()).collect();
            let shape = self.alternatives(&items, name);
            return Shape { ty: TypeRef::List(Box::new(required(shape.ty, true))), is_nullable, ..shape };
        }
        let schema = serde_json::json!({ "oneOf": others });
        if self.properties(&schema).is_empty() {
            return Shape { ty: TypeRef::named(JSON), is_nullable, is_leaf: true };
        }
        self.register(&schema, name);
        Shape { ty: TypeRef::named(name), is_nullable, is_leaf: false }
    }

    /// The properties of an object, including those of the schemas that it is composed of.
    fn properties(&self, schema: &Json) -> Vec<Property> {
        let schema = match schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
            Some(name) => self.schemas.get(name).unwrap_or(schema),
            None => schema,
        };
        let is_required = |name: &str| schema["required"].as_array().is_some_and(|names| names.iter().any(|found| found == name));
        let own = schema["properties"].as_object().into_iter().flatten();
        let mut properties: Vec<Property> = own
            .map(|(name, schema)| Property { name: name.clone(), schema: schema.clone(), is_required: is_required(name) })
            .collect();
        let part = |part: &Json| self.properties(part);
        properties.extend(schema["allOf"].as_array().into_iter().flatten().flat_map(part));
        let alternatives = alternatives_of(schema).into_iter().flatten().flat_map(part);
        properties.extend(alternatives.map(|property| Property { is_required: false, ..property }));
        let mut names = HashSet::new();
        properties.retain(|property| names.insert(property.name.clone()));
        properties
    }

    fn register(&mut self, schema: &Json, name: &str) {
        if self.objects.contains_key(name) {
            return;
        }
        // The type is registered before its fields, so that a type may contain itself.
        self.objects.insert(name.to_owned(), Object::new(name));
        let mut object = Object::new(name);
        if let Some(about) = schema["description"].as_str() {
            object = object.description(about);
        }
        for property in self.properties(schema) {
            let inner = format!("{name}{}", pascal_case(&property.name));
            let shape = self.shape(&property.schema, &inner);
            let ty = required(shape.ty, property.is_required && !shape.is_nullable);
            let about = property.schema["description"].as_str();
            object = object.field(field(&camel_case(&property.name), &property.name, ty.clone(), shape.is_leaf, about));
            for (_, _, second) in SECOND_NAMES.iter().filter(|(ty, first, _)| *ty == name && *first == property.name) {
                let about = format!("Another name of `{}`.", camel_case(&property.name));
                object = object.field(field(second, &property.name, ty.clone(), shape.is_leaf, Some(&about)));
            }
        }
        self.objects.insert(name.to_owned(), object);
    }
}

/// An answer as the value from which the fields of its type are resolved.
pub(super) fn whole<'a>(answer: Value) -> FieldValue<'a> {
    FieldValue::owned_any(answer)
}

/// The entries of a list as such values.
pub(super) fn entries<'a>(list: Value) -> FieldValue<'a> {
    let Value::List(entries) = list else { return FieldValue::list(Vec::<FieldValue<'_>>::new()) };
    FieldValue::list(entries.into_iter().map(whole))
}

/// The schemas of which a value fits one, or at least one.
fn alternatives_of(schema: &Json) -> Option<&Vec<Json>> {
    schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array())
}

/// The field that is called `name` in GraphQL and `json_name` in JSON.
fn field(name: &str, json_name: &str, ty: TypeRef, is_leaf: bool, about: Option<&str>) -> Field {
    let json_name = Name::new(json_name);
    let field = Field::new(name, ty, move |context: ResolverContext<'_>| {
        let found = match context.parent_value.downcast_ref::<Value>() {
            Some(Value::Object(object)) => object.get(&json_name),
            _ => None,
        };
        FieldFuture::Value(found.and_then(|value| inside(value, is_leaf)))
    });
    match about {
        Some(about) => field.description(about),
        None => field,
    }
}

/// A part of an answer as the value of a field; `None` if it is null.
fn inside(value: &Value, is_leaf: bool) -> Option<FieldValue<'_>> {
    match value {
        Value::Null => None,
        value if is_leaf => Some(FieldValue::value(value.clone())),
        Value::List(entries) => {
            Some(FieldValue::list(entries.iter().map(|entry| inside(entry, false).unwrap_or(FieldValue::NULL))))
        }
        value => Some(FieldValue::borrowed_any(value)),
    }
}

fn required(ty: TypeRef, is_required: bool) -> TypeRef {
    if is_required { TypeRef::NonNull(Box::new(ty)) } else { ty }
}

/// The names of JSON types without `null`, and whether it was among them.
fn without_null(types: &Json) -> (Vec<&str>, bool) {
    let names: Vec<&str> = match types {
        Json::Array(names) => names.iter().filter_map(Json::as_str).collect(),
        name => name.as_str().into_iter().collect(),
    };
    let is_nullable = names.contains(&"null");
    (names.into_iter().filter(|name| *name != "null").collect(), is_nullable)
}

fn pascal_case(name: &str) -> String {
    camel_case(&format!("_{name}"))
}
