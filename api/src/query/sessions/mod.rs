//! Sessions: the events with the same `session_id`. Rollcall does not infer sessions.
//!
//! `session` reads them from their rollup. This module has the questions.

pub(super) mod session;

use serde::Serialize;
use utoipa::ToSchema;

use self::session::{COLUMNS, Position, Session, SessionKeys};
use super::format::Table;
use super::question::{Answer, Asker, Question};
use super::rows::span::TimeSpan;
use crate::auth::Zone;
use crate::error::ApiError;
use crate::paging::Paging;
use crate::parameters::{Param, Parameters};

const USER_ID: Param = Param::new(&["user_id"], "Only sessions of this user.");
const SESSION_ID: Param = Param::new(&["session_id"], "The session, as clients sent it.");

/// `GET /sessions`
pub(crate) struct Sessions {
    user: Option<String>,
    span: TimeSpan,
    paging: Paging,
}

/// `GET /sessions/{session_id}`
pub(crate) struct OneSession(String);

/// A page of sessions.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionsAnswer {
    data: Vec<Session>,
    /// The cursor of the next page; null on the last.
    next_cursor: Option<String>,
}

impl Question for Sessions {
    type Answer = SessionsAnswer;
    const ID: &'static str = "sessions";
    const PATH: &'static str = "/sessions";
    const SUMMARY: &'static str = "Sessions";
    const ABOUT: &'static str = "Lists sessions by their latest event, the latest first. `from` and `to` are about that event too. A \
                                 session that gets another event while its list is read moves to the front.";

    fn take(parameters: &mut Parameters, zone: &Zone) -> Self {
        Self { user: parameters.text(USER_ID), span: TimeSpan::take(parameters, zone), paging: Paging::take(parameters) }
    }

    async fn answer(self, asker: &Asker) -> Result<SessionsAnswer, ApiError> {
        let mut connection = asker.connection().await?;
        let after: Option<Position> = self.paging.position(&asker.list(), &mut connection).await?;
        let keys = SessionKeys { project: asker.project.id.0, user: self.user, session: None, span: self.span };
        let mut data = session::read(&mut connection, &keys, after.as_ref(), self.paging.limit + 1).await?;
        let next_cursor = self.paging.next_cursor(&asker.list(), &mut data, Session::position, &mut connection).await?;
        connection.answered();
        Ok(SessionsAnswer { data, next_cursor })
    }
}

impl Question for OneSession {
    type Answer = Session;
    const ID: &'static str = "session";
    const PATH: &'static str = "/sessions/{session_id}";
    const SUMMARY: &'static str = "One session";
    const ABOUT: &'static str = "When the session began, when its latest event happened, and how many events it has.";

    fn take(parameters: &mut Parameters, _: &Zone) -> Self {
        Self(parameters.required_text(SESSION_ID))
    }

    async fn answer(self, asker: &Asker) -> Result<Session, ApiError> {
        let mut connection = asker.connection().await?;
        let keys = SessionKeys { project: asker.project.id.0, user: None, session: Some(self.0), span: TimeSpan::ALL };
        let found = session::read(&mut connection, &keys, None, 1).await?;
        connection.answered();
        found.into_iter().next().ok_or(ApiError::NoSuch("session"))
    }
}

impl Answer for SessionsAnswer {
    const IS_TABLE: bool = true;

    fn table(&self) -> Option<Table> {
        Some(Table::new(&COLUMNS, self.data.iter().map(Session::cells).collect()))
    }

    fn next_cursor(&self) -> Option<&str> {
        self.next_cursor.as_deref()
    }
}

impl Answer for Session {}
