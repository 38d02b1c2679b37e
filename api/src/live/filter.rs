//! A filter: which events a reader wants.

use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};

use super::event::LiveEvent;
use crate::openapi::parameter;
use crate::parameters::{Param, Parameters};

const EVENT_TYPE: Param = Param::new(&["event_type"], "Sends only events of this type.");
const USER_ID: Param =
    Param::new(&["user_id"], "Sends only events of this actor: the first of user, anonymous and session id that an event has.");
const SESSION_ID: Param = Param::new(&["session_id"], "Sends only events of this session.");

/// The conditions on an event. An empty filter passes every event.
#[derive(Debug, Clone, Default)]
pub(super) struct Filter {
    event_type: Option<String>,
    /// The actor.
    user_id: Option<String>,
    session_id: Option<String>,
}

impl Filter {
    /// Reads its parameters.
    pub(super) fn take(parameters: &mut Parameters) -> Self {
        Self {
            event_type: parameters.text(EVENT_TYPE),
            user_id: parameters.text(USER_ID),
            session_id: parameters.text(SESSION_ID),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.event_type.is_none() && self.user_id.is_none() && self.session_id.is_none()
    }

    pub(super) fn passes(&self, event: &LiveEvent) -> bool {
        let fits = |wanted: &Option<String>, found: Option<&str>| wanted.is_none() || wanted.as_deref() == found;
        fits(&self.event_type, Some(&event.event_type))
            && fits(&self.user_id, Some(&event.actor))
            && fits(&self.session_id, event.session_id.as_deref())
    }
}

impl IntoParams for Filter {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        parameter::taken("/live", Self::take)
    }
}
