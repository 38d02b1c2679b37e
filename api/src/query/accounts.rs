//! Accounts: the organisations on whose behalf events happen.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rollcall_shared::day::DAY_US;
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::format::{Cell, Table};
use super::kept;
use super::question::{Answer, Asker, Question};
use super::rows::counted_days::days_of_project;
use super::rows::span::{self, TimeSpan, instant};
use crate::auth::Zone;
use crate::error::ApiError;
use crate::parameters::{Param, Parameters};

const LIMIT: Param = Param::new(&["limit"], "How many accounts to list at most.");
const ACCOUNT_ID: Param = Param::new(&["account_id"], "The account, as clients sent it.");
const WINDOW: Param = Param::new(&["window"], "The period up to now. Send either this, or `from` and `to`.");

/// Days in which a sample is looked for first, and then. The last are more than any event is old.
const SAMPLE_DAYS: [i64; 3] = [7, 90, 100_000];

/// `GET /accounts/sample`
pub(crate) struct AccountSample {
    limit: usize,
}

/// `GET /accounts/{account_id}/summary`
pub(crate) struct AccountSummary {
    account: String,
    period: SummaryPeriod,
}

/// Which events are summed up.
#[derive(Debug, Clone, Copy)]
enum SummaryPeriod {
    Window(SummaryWindow),
    Span(TimeSpan),
}

/// A period that ends now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema, strum::EnumString, strum::VariantNames, strum::Display)]
pub(crate) enum SummaryWindow {
    #[serde(rename = "last_24h")]
    #[strum(serialize = "last_24h")]
    Last24h,
    #[serde(rename = "last_7d")]
    #[strum(serialize = "last_7d")]
    Last7d,
    #[serde(rename = "last_30d")]
    #[strum(serialize = "last_30d")]
    Last30d,
}

/// Some accounts that have events, sorted by id.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AccountSampleAnswer {
    account_ids: Vec<String>,
}

/// The events of an account in a period.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AccountSummaryAnswer {
    account_id: String,
    /// The period; null if it was given by `from` and `to`.
    window: Option<SummaryWindow>,
    /// How often each event type occurred.
    totals: BTreeMap<String, i64>,
    /// The ten users with the most events.
    top_users: Vec<UserEventCount>,
}

/// The number of events of a user.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserEventCount {
    user_id: String,
    events: i64,
}

impl Question for AccountSample {
    type Answer = AccountSampleAnswer;
    const ID: &'static str = "account_sample";
    const PATH: &'static str = "/accounts/sample";
    const SUMMARY: &'static str = "Some accounts";
    const ABOUT: &'static str = "Lists accounts that had events lately or, where these are too few, ever. Only events that are in the \
                                 database count, so those of deleted and archived days do not.";

    fn take(parameters: &mut Parameters, _: &Zone) -> Self {
        Self { limit: parameters.number(LIMIT, 10, 1..=100) as usize }
    }

    async fn answer(self, asker: &Asker) -> Result<AccountSampleAnswer, ApiError> {
        let project = asker.project.id.0;
        let calendar = &asker.project.zone()?.calendar;
        let mut connection = asker.connection().await?;
        let mut account_ids = Vec::new();
        if let Some((_, last)) = days_of_project(project, &mut connection).await? {
            let to_us = calendar.start_us(last) + 2 * DAY_US;
            for days in SAMPLE_DAYS {
                let span = TimeSpan { from_us: (to_us - days * DAY_US).max(0), to_us };
                account_ids = sample(&mut connection, project, span, self.limit).await?;
                if account_ids.len() == self.limit {
                    break;
                }
            }
        }
        connection.answered();
        Ok(AccountSampleAnswer { account_ids })
    }
}

async fn sample(connection: &mut PgConnection, project: i32, span: TimeSpan, limit: usize) -> sqlx::Result<Vec<String>> {
    let (from, to) = (instant(span.from_us), instant(span.to_us));
    let limit = i32::try_from(limit).unwrap_or(i32::MAX);
    sqlx::query_file_scalar!("sql/accounts/sample.sql", project, from as _, to as _, limit).fetch_all(connection).await
}

impl Question for AccountSummary {
    type Answer = AccountSummaryAnswer;
    const ID: &'static str = "account_summary";
    const PATH: &'static str = "/accounts/{account_id}/summary";
    const SUMMARY: &'static str = "Summary of an account";
    const ABOUT: &'static str = "Counts the events of an account by type, and lists its ten most active users. Users with equally many \
                                 events are sorted by id.";
    const READS_ROWS: bool = true;
    const NEEDS_WHOLE_PERIOD: bool = true;

    fn take(parameters: &mut Parameters, zone: &Zone) -> Self {
        let account = parameters.required_text(ACCOUNT_ID);
        let window = parameters.optional_one_of::<SummaryWindow>(WINDOW);
        let span = TimeSpan::take_if_sent(parameters, zone);
        if window.is_some() && span.is_some() {
            parameters.problem(WINDOW.name(), "conflict", "must not be sent together with from or to");
        }
        let period = span.map_or(SummaryPeriod::Window(window.unwrap_or(SummaryWindow::Last24h)), SummaryPeriod::Span);
        Self { account, period }
    }

    async fn answer(self, asker: &Asker) -> Result<AccountSummaryAnswer, ApiError> {
        let (window, span) = match self.period {
            SummaryPeriod::Window(window) => (Some(window), window.span()),
            SummaryPeriod::Span(span) => (None, span),
        };
        let (from, to) = (instant(span.from_us), instant(span.to_us));
        let mut connection = asker.connection().await?;
        let rows = sqlx::query_file!("sql/accounts/summary.sql", asker.project.id.0, self.account, from as _, to as _)
            .fetch_all(&mut *connection)
            .await?;
        span.refuse_archived(asker.project.id, &mut connection).await?;
        let parameter = if window.is_some() { WINDOW.name() } else { span::FROM.name() };
        kept::check_instant(asker, connection, span.from_us, parameter).await?;
        let (types, users): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.is_type);
        Ok(AccountSummaryAnswer {
            account_id: self.account,
            window,
            totals: types.into_iter().map(|row| (row.name, row.events)).collect(),
            top_users: users.into_iter().map(|row| UserEventCount { user_id: row.name, events: row.events }).collect(),
        })
    }
}

impl SummaryWindow {
    fn span(self) -> TimeSpan {
        let days = match self {
            Self::Last24h => 1,
            Self::Last7d => 7,
            Self::Last30d => 30,
        };
        let now_us = Timestamp::now().as_microsecond();
        TimeSpan { from_us: now_us - days * DAY_US, to_us: now_us }
    }
}

impl Answer for AccountSampleAnswer {
    const IS_TABLE: bool = true;

    fn table(&self) -> Option<Table> {
        Some(Table::new(&["account_id"], self.account_ids.iter().map(|id| vec![Cell::text(Some(id))]).collect()))
    }
}

impl Answer for AccountSummaryAnswer {}
