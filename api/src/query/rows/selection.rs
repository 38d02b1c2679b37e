//! A selection: the filters of a question about events.

use rollcall_shared::event::identity;
use rollcall_shared::project::ProjectId;
use sqlx::{PgConnection, Postgres, QueryBuilder};
use uuid::Uuid;

use super::span::{Order, TimeSpan};
use crate::auth::Zone;
use crate::error::ApiError;
use crate::parameters::{Param, Parameters};
use crate::query::filter::Filters;

const EVENT_TYPE: Param = Param::new(&["event_type"], "Only events of this type.");
const USER_ID: Param =
    Param::new(&["user_id"], "Only events of this user: the user id of an event, else its anonymous id, else its session id.");
const SESSION_ID: Param = Param::new(&["session_id"], "Only events of this session.");
const ACCOUNT_ID: Param = Param::new(&["account_id"], "Only events of this account.");
const EVENT_ID: Param = Param::new(&["event_id"], "Only the events with this id.");

/// The filters and the order.
#[derive(Debug)]
pub(crate) struct Selection {
    pub(super) event_type: Option<String>,
    pub(super) user: Option<String>,
    pub(super) session: Option<String>,
    pub(super) account: Option<String>,
    pub(super) event_id: Option<String>,
    pub(super) filters: Filters,
    pub(super) span: TimeSpan,
    pub(super) order: Order,
}

impl Selection {
    /// Reads every filter.
    pub(crate) fn take(parameters: &mut Parameters, zone: &Zone, order: Order) -> Self {
        Self {
            event_type: parameters.text(EVENT_TYPE),
            user: parameters.text(USER_ID),
            session: parameters.text(SESSION_ID),
            account: parameters.text(ACCOUNT_ID),
            event_id: parameters.text(EVENT_ID),
            filters: Filters::take(parameters),
            span: TimeSpan::take(parameters, zone),
            order: Order::take(parameters, order),
        }
    }

    /// Reads the filters for the events of one user, who is required.
    pub(crate) fn take_of_user(parameters: &mut Parameters, zone: &Zone) -> Self {
        let selection = Self::take(parameters, zone, Order::Desc);
        parameters.require(USER_ID, selection.user.is_some());
        selection
    }

    /// Reads the filters for the events of one session, which is required. The earliest event comes first by
    /// default.
    pub(crate) fn take_of_session(parameters: &mut Parameters, zone: &Zone) -> Self {
        let selection = Self::take(parameters, zone, Order::Asc);
        parameters.require(SESSION_ID, selection.session.is_some());
        selection
    }

    /// All events of a type, the latest first.
    pub(crate) fn of_type(event_type: String) -> Self {
        Self {
            event_type: Some(event_type),
            user: None,
            session: None,
            account: None,
            event_id: None,
            filters: Filters::default(),
            span: TimeSpan::ALL,
            order: Order::Desc,
        }
    }

    /// Looks up the numbers of the names. `None` if no event can match.
    ///
    /// # Errors
    /// Those of the database.
    pub(super) async fn resolve(&self, project: ProjectId, connection: &mut PgConnection) -> Result<Option<Keys>, ApiError> {
        let (event_type, user) = (self.event_type.as_deref(), self.user.as_deref());
        let numbers = sqlx::query_file!("sql/rows/numbers.sql", project.0, event_type, user).fetch_one(&mut *connection).await?;
        let is_unknown =
            (event_type.is_some() && numbers.event_type_id.is_none()) || (user.is_some() && numbers.user_ord.is_none());
        Ok((!is_unknown && !self.span.is_empty()).then(|| Keys {
            project: project.0,
            event_type_id: numbers.event_type_id,
            user_ord: numbers.user_ord,
            session: self.session.clone(),
            account: self.account.clone(),
            event_id: self.event_id.as_deref().map(identity),
            filters: self.filters.clone(),
        }))
    }
}

/// The conditions of a selection in terms of the columns of `events`.
pub(super) struct Keys {
    pub(super) project: i32,
    pub(super) event_type_id: Option<i32>,
    pub(super) user_ord: Option<i32>,
    pub(super) session: Option<String>,
    pub(super) account: Option<String>,
    pub(super) event_id: Option<Uuid>,
    pub(super) filters: Filters,
}

impl Keys {
    /// Whether an index other than that of type and time finds the events.
    pub(super) fn has_index_of_its_own(&self) -> bool {
        self.user_ord.is_some() || self.session.is_some() || self.account.is_some() || self.event_id.is_some()
    }

    /// Appends the conditions on the event `e`, except those on its type and time.
    pub(super) fn push_sql(&self, sql: &mut QueryBuilder<Postgres>) {
        sql.push("e.project_id = ").push_bind(self.project);
        if let Some(user_ord) = self.user_ord {
            sql.push(" and e.user_ord = ").push_bind(user_ord);
        }
        if let Some(session) = &self.session {
            sql.push(" and e.session_id = ").push_bind(session.clone());
        }
        if let Some(account) = &self.account {
            sql.push(" and e.account_id = ").push_bind(account.clone());
        }
        if let Some(event_id) = self.event_id {
            sql.push(" and e.event_id = ").push_bind(event_id);
        }
        self.filters.push_sql(sql);
    }
}
