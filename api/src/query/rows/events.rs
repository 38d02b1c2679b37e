//! The questions whose answers are lists of events.

use super::page::{self, EventsAnswer};
use super::selection::Selection;
use super::span::Order;
use crate::auth::Zone;
use crate::error::ApiError;
use crate::paging::Paging;
use crate::parameters::Parameters;
use crate::query::question::{Asker, Question};

/// `GET /events`
pub(crate) struct Events(Selection, Paging);

/// `GET /users/{user_id}/events`
pub(crate) struct UserEvents(Selection, Paging);

/// `GET /sessions/{session_id}/events`
pub(crate) struct SessionEvents(Selection, Paging);

const ABOUT: &str = "Lists events by time, and events of the same time by their id, page by page. Every filter that is sent must \
                     match. Events that arrive meanwhile neither repeat nor hide others on later pages.";

impl Question for Events {
    type Answer = EventsAnswer;
    const ID: &'static str = "events";
    const PATH: &'static str = "/events";
    const SUMMARY: &'static str = "Events";
    const ABOUT: &'static str = ABOUT;
    const READS_ROWS: bool = true;

    fn take(parameters: &mut Parameters, zone: &Zone) -> Self {
        Self(Selection::take(parameters, zone, Order::Desc), Paging::take(parameters))
    }

    async fn answer(self, asker: &Asker) -> Result<EventsAnswer, ApiError> {
        page::events(asker, self.0, self.1).await
    }
}

impl Question for UserEvents {
    type Answer = EventsAnswer;
    const ID: &'static str = "user_events";
    const PATH: &'static str = "/users/{user_id}/events";
    const OTHER_PATHS: &'static [&'static str] = &["/events/{user_id}"];
    const SUMMARY: &'static str = "Timeline of a user";
    const ABOUT: &'static str = ABOUT;
    const READS_ROWS: bool = true;

    fn take(parameters: &mut Parameters, zone: &Zone) -> Self {
        Self(Selection::take_of_user(parameters, zone), Paging::take(parameters))
    }

    async fn answer(self, asker: &Asker) -> Result<EventsAnswer, ApiError> {
        page::events(asker, self.0, self.1).await
    }
}

impl Question for SessionEvents {
    type Answer = EventsAnswer;
    const ID: &'static str = "session_events";
    const PATH: &'static str = "/sessions/{session_id}/events";
    const SUMMARY: &'static str = "Events of a session";
    const ABOUT: &'static str = ABOUT;
    const READS_ROWS: bool = true;

    fn take(parameters: &mut Parameters, zone: &Zone) -> Self {
        Self(Selection::take_of_session(parameters, zone), Paging::take(parameters))
    }

    async fn answer(self, asker: &Asker) -> Result<EventsAnswer, ApiError> {
        page::events(asker, self.0, self.1).await
    }
}
