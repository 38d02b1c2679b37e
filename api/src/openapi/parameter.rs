//! Parameters as the description lists them.

use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn, ParameterStyle};
use utoipa::openapi::{RefOr, Required, Schema};

use super::example;
use crate::parameters::{Described, Parameters};

/// The parameters that `take` reads from a request to `path`.
pub(crate) fn taken<T>(path: &str, take: impl FnOnce(&mut Parameters) -> T) -> Vec<Parameter> {
    listed(path, &Parameters::describe(take))
}

/// These parameters for the description of `path`, where a part in braces is the parameter of that name.
pub(crate) fn listed(path: &str, parameters: &[Described]) -> Vec<Parameter> {
    parameters.iter().map(|described| parameter(path, described)).collect()
}

fn parameter(path: &str, described: &Described) -> Parameter {
    let name = described.param.name();
    let is_in_path = path.contains(&format!("{{{name}}}"));
    let is_list = described.schema["type"] == "array";
    let is_required = is_in_path || described.is_required;
    ParameterBuilder::new()
        .name(name)
        .parameter_in(if is_in_path { ParameterIn::Path } else { ParameterIn::Query })
        .required(if is_required { Required::True } else { Required::False })
        .description(Some(described.about()))
        .schema(Some(schema(described)))
        .style(is_list.then_some(ParameterStyle::Form))
        .explode(is_list.then_some(true))
        .example(example::of_parameter(name, is_required))
        .build()
}

/// Converts the schema into the document's own type. A test in `query/description.rs` shows that nothing is
/// lost.
fn schema(described: &Described) -> RefOr<Schema> {
    serde_json::from_value(described.schema.clone()).unwrap_or_default()
}
