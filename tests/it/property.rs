//! Random histories: rollups, rows and the naive model must always agree.

use jiff::civil::{Date, date};
use jiff::{Timestamp, ToSpan};
use proptest::prelude::{Strategy, any, prop, prop_oneof};
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rollcall_tests::{App, AppOptions, Fact, Model};
use serde_json::{Value, json};

const START: Date = date(2024, 1, 1);
const DAYS: i64 = 100;
const DAY_SECS: i64 = 86_400;
const WEEK_SECS: i64 = 7 * DAY_SECS;
const HISTORIES: u32 = 12;

/// One event as drawn: small ranges, so that ids, users and days meet often.
#[derive(Debug, Clone)]
struct Draw {
    id: u8,
    uuid_id: bool,
    upper_case: bool,
    who: (u8, u8),
    event_type: u8,
    second: i64,
    time_form: u8,
    aliases: u8,
}

fn draw() -> impl Strategy<Value = Draw> {
    // Most events come in order of time within a week; some come late, from anywhere.
    let second = prop_oneof![4 => 0..WEEK_SECS, 1 => 0..DAYS * DAY_SECS];
    let drawn = (any::<u8>(), any::<bool>(), any::<bool>(), (0..3_u8, 0..12_u8), 0..4_u8, second, 0..4_u8, any::<u8>());
    drawn.prop_map(|(id, uuid_id, upper_case, who, event_type, second, time_form, aliases)| Draw {
        id,
        uuid_id,
        upper_case,
        who,
        event_type,
        second,
        time_form,
        aliases,
    })
}

/// Batches, each beginning at a week of its own.
fn history() -> impl Strategy<Value = Vec<(i64, Vec<Draw>)>> {
    prop::collection::vec((0..13_i64, prop::collection::vec(draw(), 1..60)), 1..8)
}

/// The event as sent, and as the model should know it.
fn event(week: i64, draw: &Draw) -> (Value, Fact) {
    let second = (week * WEEK_SECS + draw.second) % (DAYS * DAY_SECS);
    let instant = Timestamp::from_second(1_704_067_200 + second).unwrap();
    let id = if draw.uuid_id { format!("00000000-0000-4000-8000-0000000000{:02x}", draw.id) } else { format!("evt_{}", draw.id) };
    let actor = format!("{}{}", ["u", "a", "s"][usize::from(draw.who.0)], draw.who.1);
    let event_type = format!("type_{}", draw.event_type);
    let pick = |names: &[&'static str]| names[usize::from(draw.aliases) % names.len()];
    let sent_id = if draw.uuid_id && draw.upper_case { id.to_uppercase() } else { id.clone() };
    let mut sent =
        json!({ pick(&["event_id", "messageId", "uuid"]): sent_id, pick(&["event_type", "event", "type"]): event_type });
    let who = [pick(&["user_id", "userId"]), pick(&["anonymous_id", "anonymousId"]), pick(&["session_id", "sessionId"])];
    sent[who[usize::from(draw.who.0)]] = json!(actor);
    if draw.who.0 == 0 && draw.upper_case {
        // A user is counted as such, whatever else the event names.
        sent["session_id"] = json!("s0");
    }
    let time = pick(&["occurred_at", "timestamp", "ts"]);
    match draw.time_form {
        0 => sent[time] = json!(instant.as_second()),
        1 => sent[time] = json!(instant.as_millisecond()),
        // No time at all: the id stands for all days, and the event counts today, outside the
        // periods that are asked for.
        2 => {
            let today = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
            return (sent, Fact { identity: (id, None), actor, event_type, day: today });
        }
        _ => sent[time] = json!(instant.to_string()),
    }
    let day = instant.to_zoned(jiff::tz::TimeZone::UTC).date();
    (sent, Fact { identity: (id, Some(day)), actor, event_type, day })
}

async fn check(app: &App, model: &Model) {
    let end = START.saturating_add((DAYS + 20).days());
    for granularity in ["day", "week", "month"] {
        for event_type in [None, Some("type_1")] {
            let filter = event_type.map(|name| format!("&event_type={name}")).unwrap_or_default();
            let answer = app.ask(&format!("/stats/dau?from={START}&to={end}&granularity={granularity}{filter}")).await;
            assert_eq!(answer, model.dau(START, end, granularity, event_type));
        }
    }
    let top = app.ask(&format!("/stats/top-events?from={START}&to={end}")).await;
    assert_eq!(top, model.top_events(START, end));
    for (window_type, cohorts, windows) in [("day", 9, 5), ("week", 6, 8), ("month", 2, 3)] {
        for new in [false, true] {
            for types in [[None, None], [Some("type_0"), None], [Some("type_1"), Some("type_2")]] {
                let start = START.saturating_add(3.days());
                let mut question =
                    format!("/stats/retention?start_date={start}&window_type={window_type}&cohorts={cohorts}&windows={windows}");
                question += if new { "&cohort=new" } else { "" };
                question += &types[0].map(|name| format!("&event_type={name}")).unwrap_or_default();
                question += &types[1].map(|name| format!("&return_event_type={name}")).unwrap_or_default();
                assert_eq!(
                    app.ask(&question).await,
                    model.retention(start, window_type, cohorts, windows, new, types),
                    "{question}"
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rollups_rows_and_model_agree_on_random_histories() {
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    for number in 0..HISTORIES {
        let history = history().new_tree(&mut runner).unwrap().current();
        let app = App::start_with(AppOptions { workers: 2, ..AppOptions::default() }).await;
        let mut model = Model::default();
        for (week, draws) in &history {
            let (sent, facts): (Vec<_>, Vec<_>) = draws.iter().map(|draw| event(*week, draw)).unzip();
            app.send(&json!(sent)).await;
            // Half of the batches are sent twice, the second time while the first may be under way.
            if week % 2 == 0 {
                app.send(&json!(sent)).await;
            }
            // The first of an identity stays, so the model must see batches in the order of storage.
            app.wait_until_stored().await;
            facts.into_iter().for_each(|fact| model.add(fact));
            // Later batches change weeks and months that are united already.
            if week % 2 == 1 {
                app.wait_until_united().await;
            }
        }
        check(&app, &model).await;
        app.wait_until_compacted().await;
        check(&app, &model).await;
        app.wait_until_united().await;
        check(&app, &model).await;
        assert_eq!(app.stored().await, i64::try_from(model.events()).unwrap(), "history {number}");
    }
}
