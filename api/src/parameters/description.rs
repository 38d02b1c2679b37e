//! The description of the parameters of a request.
//!
//! To describe its parameters, a question reads them from an empty request, and every getter of
//! [`Parameters`](super::Parameters) records the parameter that it looks for. So the description cannot
//! differ from the code.

use serde_json::{Value, json};

use super::param::Param;

/// One parameter and the JSON schema of its values.
#[derive(Debug, Clone)]
pub(crate) struct Described {
    pub(crate) param: Param,
    /// JSON Schema, draft 2020-12.
    pub(crate) schema: Value,
    pub(crate) is_required: bool,
}

impl Described {
    /// Its meaning, with its other names.
    pub(crate) fn about(&self) -> String {
        let others = &self.param.names[1..];
        if others.is_empty() {
            return self.param.about.to_owned();
        }
        format!("{} Also accepted as `{}`.", self.param.about, others.join("`, `"))
    }
}

/// The parameters that getters have looked for.
#[derive(Debug, Default)]
pub(crate) struct Descriptions(Vec<Described>);

impl Descriptions {
    pub(super) fn note(&mut self, param: Param, schema: Value) {
        self.0.push(Described { param, schema, is_required: false });
    }

    pub(super) fn require(&mut self, param: Param) {
        let noted = self.0.iter_mut().filter(|described| described.param.name() == param.name());
        noted.for_each(|described| described.is_required = true);
    }

    pub(super) fn into_vec(self) -> Vec<Described> {
        self.0
    }
}

/// The schema of a text with a limited length.
pub(super) fn text() -> Value {
    json!({ "type": "string", "minLength": 1 })
}

/// The schema of a date.
pub(super) fn date() -> Value {
    json!({ "type": "string", "format": "date", "examples": ["2025-10-01"] })
}
