//! The statistics: what the API answers, from rollups and from rows, compared with the model.

use jiff::ToSpan;
use jiff::civil::Date;
use serde_json::Value;

use super::catalog::{Catalog, LATE_DAYS, RECENT_DAYS};
use super::check::Check;
use super::failure::Failure;
use crate::{KEY, Model};

/// Weeks that end before the run: three cohorts, each followed through two weeks.
const WEEKS_BACK: i64 = 5;

/// A question, and what should be answered.
struct Question {
    path: String,
    expected: Value,
}

/// Asks every question of these sources.
pub(crate) async fn check(
    http: &reqwest::Client,
    front: u16,
    catalog: &Catalog,
    model: &Model,
    sources: &[&str],
) -> Vec<Failure> {
    let mut failures = Vec::new();
    for Question { path, expected } in questions(catalog, model) {
        for source in sources {
            let answer = ask(http, &format!("http://127.0.0.1:{front}{path}&source={source}")).await;
            failures.extend(judge(&format!("{path}&source={source}"), &expected, answer));
        }
    }
    failures
}

fn judge(question: &str, expected: &Value, answer: Result<Value, String>) -> Option<Failure> {
    match answer {
        Ok(answer) if answer == *expected => None,
        Ok(answer) => Some(Failure::new(Check::Stats, format!("{question}: {}", difference(&answer, expected)))),
        Err(error) => Some(Failure::new(Check::Stats, format!("{question}: {error}"))),
    }
}

/// The first entry that differs, or everything if there is none.
fn difference(answer: &Value, expected: &Value) -> String {
    let entries = |of: &Value| of["data"].as_array().cloned().unwrap_or_default();
    let (answers, expectations) = (entries(answer), entries(expected));
    let differs = answers.iter().zip(&expectations).find(|(answer, expected)| answer != expected);
    let (answer, expected) = differs.unwrap_or((answer, expected));
    format!("{answer} instead of {expected}")
}

async fn ask(http: &reqwest::Client, url: &str) -> Result<Value, String> {
    let response = http.get(url).header("X-API-Key", KEY).send().await.map_err(|error| error.to_string())?;
    let status = response.status();
    let answer = response.json().await.map_err(|error| error.to_string())?;
    if status.is_success() { Ok(answer) } else { Err(format!("{status}: {answer}")) }
}

fn questions(catalog: &Catalog, model: &Model) -> Vec<Question> {
    let to = catalog.today;
    let recent = to.saturating_sub(RECENT_DAYS.days());
    let late = to.saturating_sub(LATE_DAYS.days());
    let mut questions = Vec::new();
    for granularity in ["day", "week", "month"] {
        for (from, event_type) in [(late, None), (recent, Some("type_0")), (recent, Some("type_7"))] {
            let filter = event_type.map(|name| format!("&event_type={name}")).unwrap_or_default();
            let path = format!("/stats/dau?from={from}&to={to}&granularity={granularity}{filter}");
            questions.push(Question { path, expected: model.dau(from, to, granularity, event_type) });
        }
    }
    for from in [late, recent] {
        let path = format!("/stats/top-events?from={from}&to={to}&limit=100");
        questions.push(Question { path, expected: model.top_events(from, to) });
    }
    questions.extend(retention_questions(to, model));
    questions
}

/// Of windows that are over, so that it does not matter when they are asked.
fn retention_questions(today: Date, model: &Model) -> Vec<Question> {
    let start = today.saturating_sub((WEEKS_BACK * 7).days());
    let mut questions = Vec::new();
    for (window_type, cohorts, windows) in [("week", 3, 2), ("day", 5, 3)] {
        for (new, cohort) in [(false, "active"), (true, "new")] {
            for (types, filter) in
                [([None, None], ""), ([Some("type_1"), Some("type_2")], "&event_type=type_1&return_event_type=type_2")]
            {
                let path = format!(
                    "/stats/retention?start_date={start}&window_type={window_type}&cohorts={cohorts}&windows={windows}&cohort={cohort}{filter}"
                );
                let expected = model.retention(start, window_type, cohorts, windows, new, types);
                questions.push(Question { path, expected });
            }
        }
    }
    questions
}
