//! Plans: how PostgreSQL executes each statement at the largest stage, written to `plans.md`.
//!
//! PostgreSQL's module `auto_explain` logs the plan of each statement that the services send, with the values
//! that they send. Every query of the API is sent once, events are stored, and the rollups are folded.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use sqlx::{AssertSqlSafe, Connection as _, Executor, PgConnection};

use crate::Bench;
use crate::batch::Batch;
use crate::client::{Connection, get};
use crate::outcome::Outcome;
use crate::service::Service;
use crate::topic::lists::Subjects;

/// The folders with the statements, seen from the folder of the checkout.
const FOLDERS: [&str; 2] = ["api/sql", "worker/sql"];
/// Longest line of a plan in the report. The rest of a longer one is left out.
const MAX_LINE_CHARS: usize = 240;
/// Number of lines of a plan in the report. What is left out repeats for other partitions.
const MAX_LINES: usize = 36;
/// Number of events of a batch that is inserted and not copied.
const SMALL_BATCH_EVENTS: u64 = 100;
/// Number of users who send the events.
const USERS: u32 = 10_000;
/// How long the worker gets for one round of its maintenance.
const MAINTENANCE: Duration = Duration::from_secs(12);

/// Makes new sessions load the module, which logs nothing at first. Sessions that exist already cannot load
/// it, so this comes before the services start.
const LOAD_MODULE: [&str; 2] = ["alter system set session_preload_libraries = 'auto_explain'", "select pg_reload_conf()"];
const LOG_PLANS: [&str; 4] = [
    "alter system set auto_explain.log_min_duration = 0",
    "alter system set auto_explain.log_analyze = on",
    "alter system set auto_explain.log_buffers = on",
    "select pg_reload_conf()",
];
const LOG_NO_PLANS: [&str; 5] = [
    "alter system reset session_preload_libraries",
    "alter system reset auto_explain.log_min_duration",
    "alter system reset auto_explain.log_analyze",
    "alter system reset auto_explain.log_buffers",
    "select pg_reload_conf()",
];

/// One plan from the log.
struct Plan {
    statement: String,
    duration_ms: f64,
    lines: Vec<String>,
}

/// Prepares the server for this topic. Call it before the services connect.
pub(super) async fn load_module(postgres: &rollcall_stack::Postgres) -> anyhow::Result<()> {
    execute(&postgres.url("rollcall"), &LOAD_MODULE).await
}

pub(super) async fn run(bench: &Bench, outcome: &mut Outcome) -> anyhow::Result<()> {
    let service = &bench.full().service;
    service.quiet().await?;
    let paths = paths(service).await?;
    let log = bench.stack.postgres.log_path();
    let begin = fs::read(log)?.len();
    execute(&service.database.url, &LOG_PLANS).await?;
    let mut api = Connection::open(service.api_address).await?;
    for path in &paths {
        let answer = api.exchange(&get(path)).await?;
        anyhow::ensure!(answer.status < 500, "{path}: status {}", answer.status);
    }
    // A large batch is copied and a small one is inserted.
    // With one seed, the second would consist of duplicates.
    for (seed, events) in (bench.first_seed..).zip([bench.arguments.events, SMALL_BATCH_EVENTS]) {
        let batch = Batch::new(events, USERS, seed)?;
        service.ingest(&batch.json, events).await?;
    }
    tokio::time::sleep(MAINTENANCE).await;
    execute(&service.database.url, &LOG_NO_PLANS).await?;
    let text = fs::read(log)?;
    let report = report(&plans(&String::from_utf8_lossy(&text[begin..])), &bench.full().name())?;
    let file = bench.arguments.out.join("plans.md");
    fs::create_dir_all(&bench.arguments.out)?;
    fs::write(&file, report).with_context(|| file.display().to_string())?;
    outcome.note(format!("The plans of all statements are in {}.", file.display()));
    Ok(())
}

/// Runs statements on a connection of their own. All of them are constants.
async fn execute(url: &str, statements: &[&'static str]) -> anyhow::Result<()> {
    let mut connection = PgConnection::connect(url).await?;
    for statement in statements {
        connection.execute(AssertSqlSafe(*statement)).await.with_context(|| (*statement).to_owned())?;
    }
    connection.close().await?;
    Ok(())
}

/// A request for each query of the API, and for each way in which one of them is answered.
async fn paths(service: &Service) -> anyhow::Result<Vec<String>> {
    let subjects = Subjects::choose(&service.database.pool).await?;
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let days = format!("from={}&to={today}", today.saturating_sub(29.days()));
    let start = today.saturating_sub(70.days());
    let Subjects { user, session, account, event_id, rarest_type, .. } = &subjects;
    let more = [
        format!("/stats/dau?{days}"),
        format!("/stats/dau?{days}&event_type=login"),
        format!("/stats/dau?{days}&source=events"),
        format!("/stats/top-events?{days}"),
        format!("/stats/top-events?{days}&source=events"),
        format!("/stats/retention?start_date={start}&cohorts=4&windows=4"),
        format!("/stats/retention?start_date={start}&cohorts=2&windows=2&source=events"),
        format!("/stats/trends?{days}&interval=day"),
        format!("/stats/trends?{days}&interval=hour"),
        format!("/stats/trends?{days}&metric=users"),
        format!("/stats/trends?{days}&metric=users&interval=hour"),
        format!("/stats/trends?{days}&breakdown=device"),
        format!("/stats/trends?{days}&breakdown=device&metric=users"),
        format!("/stats/funnel?{days}&steps=page_view,click,login"),
        format!("/stats/funnel?{days}&steps=page_view,click&breakdown=device"),
        format!("/events?where=device:ios&{days}"),
        format!("/events?event_type={rarest_type}&user_id={user}"),
        format!("/events?session_id={session}&account_id={account}"),
        format!("/events?account_id={account}"),
        format!("/sessions?user_id={user}"),
        format!("/sessions?{days}"),
        "/users".to_owned(),
        "/accounts/sample".to_owned(),
        "/event-types?query=log".to_owned(),
        "/event-types/page_view/properties".to_owned(),
        "/pipeline".to_owned(),
        format!("/pipeline/events/{event_id}"),
    ];
    Ok(subjects.questions().into_iter().map(|question| question.path).chain(more).collect())
}

/// The plans in a part of PostgreSQL's log. Lines of an entry after its first begin with a tab.
fn plans(log: &str) -> Vec<Plan> {
    let mut plans: Vec<Plan> = Vec::new();
    let mut lines = log.lines().peekable();
    while let Some(line) = lines.next() {
        let Some((_, duration)) = line.split_once("duration: ").filter(|(_, rest)| rest.ends_with("ms  plan:")) else { continue };
        let duration_ms = duration.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or_default();
        let mut entry = Vec::new();
        while let Some(line) = lines.next_if(|line| line.starts_with('\t')) {
            entry.push(line[1..].to_owned());
        }
        let is_plan = |line: &String| line.contains("(cost=");
        let plan_begins = entry.iter().position(is_plan).unwrap_or(entry.len());
        let plan = entry.split_off(plan_begins);
        let statement = entry.join("\n").trim_start_matches("Query Text:").trim().to_owned();
        plans.push(Plan { statement, duration_ms, lines: plan });
    }
    plans
}

/// The plans by statement, of each the slowest.
fn report(plans: &[Plan], stage: &str) -> anyhow::Result<String> {
    let files = files()?;
    let mut by_name: BTreeMap<String, (&Plan, usize)> = BTreeMap::new();
    for plan in plans {
        let name = match files.get(&plan.statement) {
            Some(file) => format!("`{file}`"),
            None if plan.statement.starts_with("--") => {
                format!("{} (built in the code)", plan.statement.lines().next().unwrap_or_default().trim_start_matches("-- "))
            }
            None => continue,
        };
        let entry = by_name.entry(name).or_insert((plan, 0));
        entry.1 += 1;
        if plan.duration_ms > entry.0.duration_ms {
            entry.0 = plan;
        }
    }
    let missing: BTreeSet<_> = files.values().filter(|file| !by_name.contains_key(&format!("`{file}`"))).collect();
    let mut out = format!("# Plans of the statements, {stage}\n");
    for (name, (plan, times)) in &by_name {
        write!(out, "\n## {name}\n\n{times} times, at most {:.2} ms:\n\n```\n", plan.duration_ms)?;
        for line in plan.lines.iter().take(MAX_LINES) {
            writeln!(out, "{}", line.chars().take(MAX_LINE_CHARS).collect::<String>())?;
        }
        if let Some(more) = plan.lines.len().checked_sub(MAX_LINES).filter(|more| *more > 0) {
            writeln!(out, "... and {more} more lines, most of them for other partitions")?;
        }
        out.push_str("```\n");
    }
    write!(out, "\n## Without a plan\n\nThese statements were not executed, or are not queries:\n\n")?;
    for file in missing {
        writeln!(out, "- `{file}`")?;
    }
    Ok(out)
}

/// The statements in the checkout, with their files.
fn files() -> anyhow::Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    for folder in FOLDERS {
        collect(Path::new(folder), &mut files)
            .with_context(|| format!("{folder}; run the benchmark in the folder of the checkout"))?;
    }
    Ok(files)
}

fn collect(folder: &Path, files: &mut BTreeMap<String, String>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.insert(fs::read_to_string(&path)?.trim().to_owned(), name(&path));
        }
    }
    Ok(())
}

fn name(path: &Path) -> String {
    path.display().to_string()
}
