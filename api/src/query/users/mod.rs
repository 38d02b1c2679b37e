//! Users: the people who are counted, with the times of their first and latest events and their totals.
//!
//! `user` reads them from their rollup. This module has the questions.

mod user;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use self::user::{COLUMNS, User, UserKeys, UserRow};
use super::format::Table;
use super::question::{Answer, Asker, Question};
use super::sessions::session;
use crate::auth::Zone;
use crate::error::ApiError;
use crate::paging::Paging;
use crate::parameters::{Param, Parameters};

const QUERY: Param = Param::new(&["query"], "Only users whose ids begin with this text.");
const USER_ID: Param = Param::new(&["user_id"], "The user, as clients sent the id.");

/// `GET /users`
pub(crate) struct Users {
    query: Option<String>,
    paging: Paging,
}

/// `GET /users/{user_id}`
pub(crate) struct OneUser(String);

/// A page of users.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UsersAnswer {
    data: Vec<User>,
    /// The cursor of the next page; null on the last.
    next_cursor: Option<String>,
}

/// The summary of one user.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserAnswer {
    user_id: String,
    /// When the first event happened, in UTC.
    first_seen: Timestamp,
    /// When the latest event happened, in UTC.
    last_seen: Timestamp,
    /// The number of events.
    events: i64,
    /// The number of days in the project's time zone with events.
    days_active: i64,
    /// The number of sessions that `/sessions?user_id=` lists.
    sessions: i64,
}

impl Question for Users {
    type Answer = UsersAnswer;
    const ID: &'static str = "users";
    const PATH: &'static str = "/users";
    const SUMMARY: &'static str = "Users";
    const ABOUT: &'static str = "Lists users by id, in the order of its bytes in UTF-8. A user is the one who is counted for an event: \
                                 its user id; without one, the anonymous id; without both, the session id.";

    fn take(parameters: &mut Parameters, _: &Zone) -> Self {
        Self { query: parameters.text(QUERY), paging: Paging::take(parameters) }
    }

    async fn answer(self, asker: &Asker) -> Result<UsersAnswer, ApiError> {
        let mut connection = asker.connection().await?;
        let after: Option<String> = self.paging.position(&asker.list(), &mut connection).await?;
        let keys = UserKeys::Page { prefix: self.query.unwrap_or_default(), after };
        let rows = user::read(&mut connection, asker.project.id.0, keys, self.paging.limit + 1).await?;
        let mut data: Vec<User> = rows.into_iter().map(User::from).collect();
        let next_cursor = self.paging.next_cursor(&asker.list(), &mut data, User::position, &mut connection).await?;
        connection.answered();
        Ok(UsersAnswer { data, next_cursor })
    }
}

impl Question for OneUser {
    type Answer = UserAnswer;
    const ID: &'static str = "user";
    const PATH: &'static str = "/users/{user_id}";
    const SUMMARY: &'static str = "One user";
    const ABOUT: &'static str = "When the user was seen first and last, and how many events, active days and sessions there are.";

    fn take(parameters: &mut Parameters, _: &Zone) -> Self {
        Self(parameters.required_text(USER_ID))
    }

    async fn answer(self, asker: &Asker) -> Result<UserAnswer, ApiError> {
        let project = asker.project.id.0;
        let mut connection = asker.connection().await?;
        let found = user::read(&mut connection, project, UserKeys::One(self.0), 1).await?.pop();
        let answer = match found {
            Some(user) => Some(UserAnswer {
                days_active: days_active(&mut connection, asker, &user).await?,
                sessions: session::count_of_user(&mut connection, project, &user.user_id).await?,
                first_seen: user.first_seen.to_jiff(),
                last_seen: user.last_seen.to_jiff(),
                events: user.events,
                user_id: user.user_id,
            }),
            None => None,
        };
        connection.answered();
        answer.ok_or(ApiError::NoSuch("user"))
    }
}

/// The number of days with events of the user.
async fn days_active(connection: &mut PgConnection, asker: &Asker, user: &UserRow) -> Result<i64, ApiError> {
    let calendar = &asker.project.zone()?.calendar;
    let day = |at: Timestamp| calendar.day_of(at.as_microsecond()).date().to_sqlx();
    let (first, last) = (day(user.first_seen.to_jiff()), day(user.last_seen.to_jiff()));
    let found = sqlx::query_file!("sql/users/days_active.sql", asker.project.id.0, user.ord, first as _, last as _);
    Ok(found.fetch_one(connection).await?.days)
}

impl Answer for UsersAnswer {
    const IS_TABLE: bool = true;

    fn table(&self) -> Option<Table> {
        Some(Table::new(&COLUMNS, self.data.iter().map(User::cells).collect()))
    }

    fn next_cursor(&self) -> Option<&str> {
        self.next_cursor.as_deref()
    }
}

impl Answer for UserAnswer {}
