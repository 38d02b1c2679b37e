//! Paths: which part of a value a problem is about, as `properties.cart[0].price`.

use serde_json::Value;

use crate::problem::clipped;

/// The path of a property.
pub(super) fn of_property(parent: &str, name: &str) -> String {
    format!("{parent}.{}", clipped(name).escape_debug())
}

/// The path of an item.
pub(super) fn of_item(parent: &str, index: usize) -> String {
    format!("{parent}[{index}]")
}

/// The path of the part of `value` that a JSON pointer leads to. `root` is the path of `value` itself.
pub(super) fn of_pointer(root: &str, pointer: &str, value: &Value) -> String {
    let (mut path, mut at) = (root.to_owned(), Some(value));
    for segment in pointer.split('/').skip(1) {
        let name = segment.replace("~1", "/").replace("~0", "~");
        path = match (at, name.parse()) {
            (Some(Value::Array(_)), Ok(index)) => of_item(&path, index),
            _ => of_property(&path, &name),
        };
        at = match at {
            Some(Value::Array(items)) => name.parse().ok().and_then(|index: usize| items.get(index)),
            Some(Value::Object(entries)) => entries.get(&name),
            _ => None,
        };
    }
    path
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_number_is_a_name_in_an_object_and_an_index_in_an_array() {
        let value = json!({"2026": [{"a/b": {"~": 1}}]});
        assert_eq!(of_pointer("p", "", &value), "p");
        assert_eq!(of_pointer("p", "/2026/0/a~1b/~0", &value), "p.2026[0].a/b.~");
        assert_eq!(of_pointer("p", "/none/7", &value), "p.none.7");
    }
}
