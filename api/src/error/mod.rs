//! Errors: why a request fails. `answer` says what the client gets.

mod answer;

use std::sync::Arc;

use jiff::civil::Date;

use crate::archived::Archived;
use crate::auth::RateLimited;
use crate::conflict::Conflict;
use crate::problem::Problem;
use crate::queue::dead_letters::Unreadable;
use crate::queue::publish::NotDurable;

/// Why a request fails. Each variant's documentation names the status.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// 400: the body is not JSON, not UTF-8, or ends early.
    #[error("{0}")]
    Body(String),
    /// 400: one or more query parameters or headers are wrong.
    #[error("{}", summary(.0.len(), "parameter"))]
    Parameters(Vec<Problem>),
    /// 400: the text is not a valid GraphQL query of this schema.
    #[error("{0}")]
    InvalidQuery(String),
    /// 400: a GraphQL query is larger than one request may be.
    #[error("{0}")]
    QueryTooComplex(String),
    /// 401: no key, or an unknown one.
    #[error("send a valid API key in X-API-Key, or in Authorization as a Bearer token")]
    Unauthorized,
    /// 403: the key is valid, but lacks the scope.
    #[error("this key lacks the scope {0}")]
    Forbidden(&'static str),
    /// 403: only the key of the installation may do this.
    #[error("only the key of the installation, API_KEY, may do this")]
    InstallationOnly,
    /// 403: the request is about another project than that of the key. The project may not exist.
    #[error("this key governs its own project and no other")]
    OtherProject,
    /// 403: a page of another origin tried to sign somebody in or out.
    #[error("a page of another origin may not do this")]
    OtherOrigin,
    /// 404: the path does not exist.
    #[error("there is nothing at this path")]
    NotFound,
    /// 404: the path is valid, but nothing has the id in it.
    #[error("no {0} has this id")]
    NoSuch(&'static str),
    /// 404: the event type has no schema.
    #[error("this event type has no schema")]
    NoSchema,
    /// 404: no project has the name. Only the key of the installation learns this.
    #[error("there is no project of this name")]
    NoProject,
    /// 405: the path has other methods.
    #[error("this path does not take that method")]
    MethodNotAllowed,
    /// 408: the client stopped sending in the middle of its body.
    #[error("the body did not arrive in time")]
    BodyTimeout,
    /// 409: the state of something does not allow the change.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    /// 409: the answer needs rows that are archived and no longer in the database.
    #[error(
        "the events of {0} are archived and not in the database; ask for days without them, or restore them with rollcall restore"
    )]
    Archived(Archived),
    /// 413: more bytes than a request may hold, counted after decompression.
    #[error("the body is larger than {limit} bytes after decompression; send it in parts")]
    BodyTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// 413: more events than a request may hold.
    #[error("the batch holds more than {limit} events; send it in parts")]
    TooManyEvents {
        /// The limit.
        limit: usize,
    },
    /// 413: checking the events against their schemas takes too long. Nothing of the batch was queued.
    #[error("it takes too long to check these events against their schemas; send the batch in parts, or use simpler schemas")]
    CheckTooSlow,
    /// 415: the content type or encoding is not supported.
    #[error("{0}")]
    Unsupported(String),
    /// 422: the batch holds no event.
    #[error("the batch holds no event; send at least one")]
    EmptyBatch,
    /// 422: events that are not valid; none of the batch was queued.
    #[error("{}", summary(*.events, "event"))]
    InvalidEvents {
        /// How many events are bad.
        events: usize,
        /// What is wrong with the first hundred of them.
        problems: Vec<Problem>,
    },
    /// 422: the object that contains the events is invalid.
    #[error("the object around the events is not valid; see errors")]
    InvalidEnvelope(Problem),
    /// 422: fields of the body are not valid; nothing was changed.
    #[error("{}", summary(.0.len(), "field"))]
    InvalidFields(Vec<Problem>),
    /// 422: the question is about days of which events or counts were deleted.
    #[error("this needs {what} of days before {kept_from}, which were deleted; an answer without them would be wrong")]
    Expired {
        /// `events` or `counts`.
        what: &'static str,
        /// The first day that can be asked about, in the time zone of the project.
        kept_from: Date,
        /// The parameter that is too early.
        problem: Problem,
    },
    /// 503: the queue is full.
    #[error("the event queue is full; try again later")]
    QueueFull,
    /// 503: the queue does not answer, or not in time.
    #[error("the event queue does not answer; try again")]
    QueueUnavailable,
    /// 503: the stream of dead letters does not answer, or not in time.
    #[error("the dead letters cannot be read at the moment; try again")]
    DeadLettersUnavailable,
    /// 503: the queue is full or did not confirm in time, and some events of the batch may be in it.
    #[error(
        "{} before it confirmed every event; send the whole batch again with Idempotency-Key {idempotency_key}, and none is doubled",
        if *.is_full { "the event queue was full" } else { "the time ran out for the event queue" }
    )]
    NotConfirmed {
        /// Whether the queue is full.
        is_full: bool,
        /// The key that gives the same events the same ids: the client's own if it sent one.
        idempotency_key: String,
    },
    /// 503: requests already hold all the memory that they may. Nothing of the batch was queued.
    #[error("too many or too large requests at once; nothing was accepted, send the batch again in a moment")]
    Overloaded,
    /// 503: answers that clients have not taken yet hold all the memory that they may.
    #[error("clients are slow to take large answers, and there is no room for another; try again, or ask for less")]
    UnsentFull,
    /// 503: this process is about to end.
    #[error("this replica is stopping; resend the request, another will take it")]
    Stopping,
    /// 429: the project already runs as many queries as it may.
    #[error("{limit} queries of this project are already running; try again when one has finished")]
    TooManyQueries {
        /// How many it may have.
        limit: usize,
    },
    /// 429: the key or the project already has as many readers of live events, or WebSockets, as it may.
    #[error("{limit} readers or WebSockets of this {whose} are already connected; try again when one has left")]
    TooManyReaders {
        /// How many it may have.
        limit: usize,
        /// `key` or `project`.
        whose: &'static str,
    },
    /// 429: the key or the project sends more in a second than it may.
    #[error("{0}")]
    RateLimited(RateLimited),
    /// 429: the project already has as many requests in progress as it may.
    #[error("{limit} requests of this project are already in progress; send the request again when one has ended")]
    TooManyAtOnce {
        /// How many it may have.
        limit: usize,
    },
    /// 429: the project was changed as often as it may be within a day.
    #[error("this project has had {limit} changes within 24 hours, which is the limit; try again later")]
    TooManyChanges {
        /// How many it may have.
        limit: i64,
    },
    /// 429: many keys from this address did not exist, so no other unknown key of it is looked up at the moment.
    #[error("too many unknown keys came from your address; try again, and more slowly")]
    TooManyUnknownKeys,
    /// 503: this replica already has as many readers of live events, or WebSockets, as it may.
    #[error("{limit} readers or WebSockets are already connected to this replica; try again when one has left")]
    LiveFull {
        /// How many it may have.
        limit: usize,
    },
    /// 503: the database answers, but no connection or lock is free.
    #[error("the database is busy at the moment; try again")]
    DatabaseBusy(#[source] sqlx::Error),
    /// 503: the database does not answer.
    #[error("the database does not answer at the moment; try again")]
    DatabaseUnavailable(#[source] sqlx::Error),
    /// 503: the query ran into the statement timeout.
    #[error("the answer took longer than allowed; ask for a shorter period")]
    TooSlow(#[source] sqlx::Error),
    /// The error of another request whose answer this request waited for.
    #[error(transparent)]
    OfAnother(Arc<ApiError>),
    /// 500: an internal error.
    #[error("something went wrong on our side; the log has the details under this request id")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl ApiError {
    /// An internal error, with its cause.
    pub(crate) fn internal(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(error.into())
    }

    /// The error of a computation that several requests waited for.
    pub(crate) fn of_another(error: Arc<Self>) -> Self {
        Arc::try_unwrap(error).unwrap_or_else(Self::OfAnother)
    }

    /// Whether a limit of a key or a project refuses the request. The same request is accepted later.
    pub(crate) fn is_limit(&self) -> bool {
        matches!(self, Self::RateLimited(_) | Self::TooManyAtOnce { .. })
    }
}

impl From<NotDurable> for ApiError {
    fn from(error: NotDurable) -> Self {
        match error {
            NotDurable::Full => Self::QueueFull,
            NotDurable::Unconfirmed => Self::QueueUnavailable,
            NotDurable::Refused => Self::internal(error),
        }
    }
}

impl From<Unreadable> for ApiError {
    fn from(_: Unreadable) -> Self {
        Self::DeadLettersUnavailable
    }
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(|error| error.code()).map(|code| code.into_owned());
        match (&error, code.as_deref()) {
            // query_canceled: the statement timeout of the read pool.
            (_, Some("57014")) => Self::TooSlow(error),
            (sqlx::Error::Io(_) | sqlx::Error::Tls(_), _) => Self::DatabaseUnavailable(error),
            // Shutting down, starting up; undefined_table, undefined_column: the schema is not up to date yet.
            (_, Some(code)) if code.starts_with("57P") || code == "42P01" || code == "42703" => Self::DatabaseUnavailable(error),
            // lock_not_available: the lock timeout. Class 53: out of connections, memory or disk.
            (sqlx::Error::PoolTimedOut, _) | (_, Some("55P03")) => Self::DatabaseBusy(error),
            (_, Some(code)) if code.starts_with("53") => Self::DatabaseBusy(error),
            _ => Self::internal(error),
        }
    }
}

fn summary(count: usize, noun: &str) -> String {
    match count {
        1 => format!("1 {noun} is not valid; see errors"),
        _ => format!("{count} {noun}s are not valid; see errors"),
    }
}
