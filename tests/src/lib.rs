//! What the black-box tests stand on: the real service on real servers, one of each a test.
//!
//! [`App::start`] gives a test its own nats-server, its own database in a PostgreSQL that all tests
//! share, an API on a free port, and workers. Everything ends with the test.

mod administration;
mod analysis;
mod app;
mod archive;
mod authority;
mod backup;
mod binary;
mod browser;
pub mod chaos;
mod dashboard;
mod expiry;
mod graphql;
mod graphql_socket;
mod hours;
mod live;
mod metric;
mod model;
mod nats_operator;
mod other_page;
mod pause;
mod poison;
mod port;
mod postgres;
mod prefix_proxy;
mod process;
mod replica;
mod schemas;
mod sessions;
mod stranger;
mod tls_api;
mod users;
mod web_session;

pub use self::administration::MadeKey;
pub use self::analysis::BERLIN_KEY;
pub use self::app::{App, AppOptions, KEY, Servers, event};
pub use self::archive::{Said, TestArchive, stored_rows};
pub use self::authority::{Authority, Certificate};
pub use self::backup::{Backup, restore, restore_onto};
pub use self::binary::binary;
pub use self::browser::{Browser, Look};
pub use self::dashboard::Dashboard;
pub use self::expiry::{History, at, days_ago};
pub use self::graphql::graphql_history;
pub use self::graphql_socket::GraphQlSocket;
pub use self::hours::hour_disagreements;
pub use self::live::{LiveFrame, LiveReader};
pub use self::metric::metric;
pub use self::model::{Fact, Model};
pub use self::nats_operator::NatsOperator;
pub use self::other_page::OtherPage;
pub use self::pause::Pause;
pub use self::poison::Poison;
pub use self::port::free_port;
use self::postgres::own_postgres;
pub use self::postgres::{fresh_database, postgres_log};
pub use self::prefix_proxy::PrefixProxy;
pub use self::process::{Process, STOP_TIMEOUT};
pub use self::replica::{Replica, Version};
pub use self::schemas::path_part;
pub use self::sessions::session_disagreements;
pub use self::stranger::Stranger;
pub use self::tls_api::TlsApi;
pub use self::users::user_disagreements;
pub use self::web_session::{SAME_ORIGIN, WebSession};

use std::time::{Duration, Instant};

/// Longest wait for anything in a test.
pub const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

/// Asks until the answer is `Some`.
///
/// # Panics
/// If it is not within [`WAIT_TIMEOUT`].
pub async fn wait_until<T, F: Future<Output = Option<T>>>(what: &str, ask: impl FnMut() -> F) -> T {
    wait_until_or(what, ask, async || String::new()).await
}

/// The same. If the time is over, the message ends with what `explain` says.
///
/// # Panics
/// If it is not within [`WAIT_TIMEOUT`].
pub async fn wait_until_or<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut ask: impl FnMut() -> F,
    explain: impl AsyncFnOnce() -> String,
) -> T {
    let started = Instant::now();
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    while started.elapsed() < WAIT_TIMEOUT {
        tick.tick().await;
        if let Some(answer) = ask().await {
            return answer;
        }
    }
    panic!("{what}: not within {WAIT_TIMEOUT:?}{}", explain().await);
}
