//! The parameters of `POST /events`.

use std::time::Duration;

use serde_json::json;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};

use crate::openapi::parameter;
use crate::parameters::{Param, Parameters};

const PARTIAL: Param = Param::new(
    &["partial"],
    "Accept the valid events of a batch and list the invalid ones, instead of refusing the whole batch.",
);
const WAIT: Param = Param::new(&["wait"], "With `stored`, answer once every event is stored or is a dead letter.");
const TIMEOUT_MS: Param = Param::new(&["timeout_ms"], "Timeout of `wait=stored` in milliseconds. After it, the answer is 202.");

/// The options of a request.
pub(crate) struct Options {
    /// Whether to accept the valid events of a batch that has others too.
    pub(crate) partial: bool,
    /// How long to wait until the events are stored, if at all.
    pub(crate) wait: Option<Duration>,
}

/// The values of `wait`.
#[derive(strum::EnumString)]
#[strum(serialize_all = "snake_case")]
enum Wait {
    Stored,
}

impl Options {
    pub(crate) fn take(parameters: &mut Parameters) -> Self {
        let partial = parameters.flag(PARTIAL);
        let timeout_ms = parameters.number(TIMEOUT_MS, 5_000, 1..=30_000);
        let wait = parameters.parsed(WAIT, "stored", || json!({ "type": "string", "enum": ["stored"] }));
        Self { partial, wait: wait.map(|Wait::Stored| Duration::from_millis(timeout_ms.into())) }
    }
}

impl IntoParams for Options {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        parameter::taken("/events", Self::take)
    }
}
