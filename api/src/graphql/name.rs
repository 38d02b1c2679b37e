//! Names: `event_type` of the REST API is `eventType` in GraphQL.

/// The name in camel case.
pub(super) fn camel_case(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    let mut is_start = false;
    for character in name.chars() {
        match character {
            '_' => is_start = true,
            _ if is_start => {
                camel.extend(character.to_uppercase());
                is_start = false;
            }
            _ => camel.push(character),
        }
    }
    camel
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_underscore_makes_a_capital() {
        for (name, camel) in [("events", "events"), ("event_type", "eventType"), ("percent_of_first", "percentOfFirst")] {
            assert_eq!(camel_case(name), camel);
        }
    }
}
