//! Trends, whole JSON, from rollups and rows, and against a naive model on random histories.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use proptest::prelude::{Strategy, any, prop};
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rollcall_tests::{App, BERLIN_KEY, KEY, event};
use serde_json::{Value, json};

const OCTOBER: [(&str, &str); 2] = [("from", "2025-10-01"), ("to", "2025-10-03")];

fn with(mut event: Value, properties: &Value) -> Value {
    event["properties"] = properties.clone();
    event
}

async fn october() -> App {
    let app = App::start().await;
    let events = json!([
        with(event("1", "ada", "login", "2025-10-01T10:00:00Z"), &json!({"plan": "pro"})),
        with(event("2", "ada", "login", "2025-10-02T10:00:00Z"), &json!({"plan": "pro"})),
        with(event("3", "bob", "login", "2025-10-01T12:00:00Z"), &json!({"plan": "free"})),
        with(event("4", "bob", "buy", "2025-10-03T10:00:00Z"), &json!({})),
        event("5", "cid", "buy", "2025-10-09T10:00:00Z"),
    ]);
    app.store_as(KEY, &events).await;
    app
}

fn series(event_type: Option<&str>, value: Option<&str>, total: u64, points: &[(&str, u64)]) -> Value {
    let points: Vec<_> = points.iter().map(|(at, value)| json!({"at": at, "value": value})).collect();
    json!({"event_type": event_type, "value": value, "total": total, "points": points})
}

#[tokio::test(flavor = "multi_thread")]
async fn all_events_together_are_one_series_with_every_day() {
    let app = october().await;
    let expected = series(None, None, 4, &[("2025-10-01", 2), ("2025-10-02", 1), ("2025-10-03", 1)]);
    assert_eq!(app.trends_as(KEY, &OCTOBER).await, json!({"data": [expected], "metric": "events", "interval": "day"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_type_that_is_asked_for_is_a_series() {
    let app = october().await;
    let parameters = [("from", "2025-10-01"), ("to", "2025-10-12"), ("interval", "week"), ("metric", "users")];
    let types = [("event_type", "buy"), ("event_type", "login"), ("event_type", "unknown"), ("event_type", "buy")];
    let expected = [
        series(Some("buy"), None, 2, &[("2025-09-29", 1), ("2025-10-06", 1)]),
        series(Some("login"), None, 2, &[("2025-09-29", 2), ("2025-10-06", 0)]),
        series(Some("unknown"), None, 0, &[("2025-09-29", 0), ("2025-10-06", 0)]),
    ];
    let answer = app.trends_as(KEY, &[parameters.as_slice(), &types].concat()).await;
    assert_eq!(answer, json!({"data": expected, "metric": "users", "interval": "week"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_of_several_buckets_is_one_of_the_total() {
    let app = october().await;
    let answer = app.trends_as(KEY, &[OCTOBER.as_slice(), &[("metric", "users")]].concat()).await;
    assert_eq!(answer["data"], json!([series(None, None, 2, &[("2025-10-01", 2), ("2025-10-02", 1), ("2025-10-03", 1)])]));
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_and_breakdown_are_counted_from_the_rows() {
    let app = october().await;
    let parameters = [("from", "2025-10-01"), ("to", "2025-10-03"), ("breakdown", "plan"), ("interval", "month")];
    let of = |value, total| series(None, value, total, &[("2025-10-01", total)]);
    let answer = app.trends_as(KEY, &parameters).await;
    assert_eq!(answer["data"], json!([of(Some("pro"), 2), of(Some("free"), 1), of(None, 1)]));
    let filtered = [parameters.as_slice(), &[("where", "plan:exists:true"), ("event_type", "buy")]].concat();
    assert_eq!(app.trends_as(KEY, &filtered).await["data"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn values_after_the_twentieth_are_counted_as_other() {
    let app = App::start().await;
    let mut events = Vec::new();
    for value in 0..23 {
        // The first value has two people; the last three have the same one.
        for copy in 0..if value == 0 { 2 } else { 1 } {
            let user = if value >= 20 { "same".to_owned() } else { format!("u{value}-{copy}") };
            let event = event(&format!("{value}-{copy}"), &user, "t", "2025-10-01T10:00:00Z");
            events.push(with(event, &json!({"v": format!("{value:02}")})));
        }
    }
    app.store_as(KEY, &json!(events)).await;
    let parameters = [("from", "2025-10-01"), ("to", "2025-10-01"), ("breakdown", "v")];
    for (metric, other) in [("events", 3), ("users", 1)] {
        let answer = app.trends_as(KEY, &[parameters.as_slice(), &[("metric", metric)]].concat()).await;
        let expected: Vec<_> = (0..20)
            .map(|value| (format!("{value:02}"), if value == 0 { 2 } else { 1 }))
            .chain([("other".to_owned(), other)])
            .map(|(value, total)| series(None, Some(&value), total, &[("2025-10-01", total)]))
            .collect();
        assert_eq!(answer["data"], json!(expected), "{metric}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn long_values_are_cut_and_stay_apart() {
    let app = App::start().await;
    let (long, exact) = ("x".repeat(60_000), "y".repeat(200));
    let sent = [format!("{long}a"), format!("{long}a"), format!("{long}b"), exact.clone()];
    let of = |(number, value): (usize, &String)| {
        with(event(&number.to_string(), &format!("u{number}"), "t", "2025-10-01T10:00:00Z"), &json!({"v": value}))
    };
    app.store_as(KEY, &json!(sent.iter().enumerate().map(of).collect::<Vec<_>>())).await;
    let cut = format!("{}…", "x".repeat(200));
    let expected =
        [(&cut, 2), (&cut, 1), (&exact, 1)].map(|(value, total)| series(None, Some(value), total, &[("2025-10-01", total)]));
    for metric in ["events", "users"] {
        let parameters = [("from", "2025-10-01"), ("to", "2025-10-01"), ("breakdown", "v"), ("metric", metric)];
        assert_eq!(app.trends_as(KEY, &parameters).await["data"], json!(expected), "{metric}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hours_of_a_day_on_which_clocks_are_put_back_are_25() {
    let app = App::start().await;
    app.add_berlin().await;
    let events = json!([
        event("1", "ada", "t", "2025-10-25T22:00:00Z"),
        event("2", "ada", "t", "2025-10-26T00:30:00Z"),
        event("3", "bob", "t", "2025-10-26T01:30:00Z"),
        event("4", "bob", "t", "2025-10-26T22:59:59.999999Z"),
        event("5", "cid", "t", "2025-10-26T23:00:00Z"),
    ]);
    app.store_as(BERLIN_KEY, &events).await;
    let answer = app.trends_as(BERLIN_KEY, &[("from", "2025-10-26"), ("to", "2025-10-26"), ("interval", "hour")]).await;
    let points = answer["data"][0]["points"].as_array().unwrap();
    let some: Vec<_> = points.iter().filter(|point| point["value"] != 0).collect();
    assert_eq!((points.len(), &answer["data"][0]["total"]), (25, &json!(4)));
    let expected = json!([
        {"at": "2025-10-26T00:00:00+02:00", "value": 1},
        {"at": "2025-10-26T02:00:00+02:00", "value": 1},
        {"at": "2025-10-26T02:00:00+01:00", "value": 1},
        {"at": "2025-10-26T23:00:00+01:00", "value": 1},
    ]);
    assert_eq!(json!(some), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_several_times_at_once_is_computed_once_and_kept_for_a_moment() {
    let app = october().await;
    let parameters = [OCTOBER.as_slice(), &[("breakdown", "plan")]].concat();
    let answers = join_all((0..8).map(|_| app.answer_as(KEY, "/stats/trends", &parameters))).await;
    assert_eq!(BTreeSet::from_iter(answers.iter().map(|(_, as_of)| as_of)).len(), 1);
    app.store_as(KEY, &event("6", "dan", "login", "2025-10-01T10:00:00Z")).await;
    let total =
        |answer: &Value| answer["data"].as_array().unwrap().iter().map(|series| series["total"].as_u64().unwrap()).sum::<u64>();
    rollcall_tests::wait_until("the answer is computed anew", async || {
        (total(&app.answer_as(KEY, "/stats/trends", &parameters).await.0) == 5).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trends_have_a_table_as_csv() {
    let app = october().await;
    let url = format!("{}/stats/trends?from=2025-10-01&to=2025-10-02&event_type=login&event_type=buy&format=csv", app.url);
    let csv = app.http.get(url).header("X-API-Key", KEY).send().await.unwrap().text().await.unwrap();
    let expected = "event_type,value,at,events,total\nlogin,,2025-10-01,2,3\nlogin,,2025-10-02,1,3\nbuy,,2025-10-01,0,0\n\
                    buy,,2025-10-02,0,0\n";
    assert_eq!(csv, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_parameters_of_trends_are_named() {
    let app = App::start().await;
    for (parameters, field, message) in [
        (vec![("metric", "people")], "metric", "must be events or users"),
        (vec![("interval", "year")], "interval", "must be hour, day, week or month"),
        (
            vec![("interval", "hour"), ("from", "2025-10-01"), ("to", "2025-11-01")],
            "interval",
            "a period that is cut into hours must be 1 to 31 days",
        ),
        (
            vec![("breakdown", "a..b")],
            "breakdown",
            "the path of a property has 1 to 10 parts between dots, and none of them is empty",
        ),
        (vec![("event_type", "t"); 11], "event_type", "may be sent at most 10 times"),
    ] {
        let (status, answer) = app.get_as(KEY, "/stats/trends", &parameters).await;
        let problem = &answer["errors"][0];
        assert_eq!((status, &problem["field"], &problem["message"]), (400, &json!(field), &json!(message)));
    }
}

#[derive(Debug, Clone)]
struct Fact {
    at: Timestamp,
    user: u8,
    event_type: u8,
    plan: Option<u8>,
}

/// Two weeks around the day on which clocks are put back.
fn history() -> impl Strategy<Value = Vec<Fact>> {
    let fact = (0..14 * 24 * 4_i64, 0..5_u8, 0..3_u8, any::<bool>(), 0..30_u8).prop_map(
        |(quarter, user, event_type, has_plan, plan)| Fact {
            at: "2025-10-19T22:00:00Z".parse::<Timestamp>().unwrap() + (15 * quarter).minutes(),
            user,
            event_type,
            plan: has_plan.then_some(plan),
        },
    );
    prop::collection::vec(fact, 1..120)
}

fn bucket(at: Timestamp, interval: &str) -> String {
    let local = at.to_zoned(TimeZone::get("Europe/Berlin").unwrap());
    match interval {
        "hour" => {
            let hour = local.with().minute(0).second(0).build().unwrap();
            hour.timestamp().display_with_offset(hour.offset()).to_string()
        }
        "day" => local.date().to_string(),
        "week" => (local.date() - i64::from(local.weekday().to_monday_zero_offset()).days()).to_string(),
        _ => local.date().first_of_month().to_string(),
    }
}

/// Every bucket from 20 October to 2 November, and what each series has in it.
fn model(facts: &[Fact], interval: &str, metric: &str, types: &[u8], breakdown: bool) -> Value {
    let start: Timestamp = "2025-10-19T22:00:00Z".parse().unwrap();
    let mut labels: Vec<String> = (0..14 * 24 + 1).map(|hour| bucket(start + hour.hours(), interval)).collect();
    labels.dedup();
    let count = |facts: &[&Fact]| match metric {
        "events" => facts.len(),
        _ => facts.iter().map(|fact| fact.user).collect::<BTreeSet<_>>().len(),
    };
    let series = |event_type: Option<u8>, value: Option<String>, facts: &[&Fact]| {
        let at = |label: &String| facts.iter().copied().filter(|fact| bucket(fact.at, interval) == *label).collect::<Vec<_>>();
        let points: Vec<_> = labels.iter().map(|label| json!({"at": label, "value": count(&at(label))})).collect();
        let event_type = event_type.map(|number| format!("t{number}"));
        json!({"event_type": event_type, "value": value, "total": count(facts), "points": points})
    };
    let wanted = if types.is_empty() { vec![None] } else { types.iter().copied().map(Some).collect() };
    let mut data = Vec::new();
    for event_type in wanted {
        let of_type: Vec<&Fact> = facts.iter().filter(|fact| event_type.is_none_or(|one| one == fact.event_type)).collect();
        if !breakdown {
            data.push(series(event_type, None, &of_type));
            continue;
        }
        let mut by_value: BTreeMap<Option<u8>, Vec<&Fact>> = BTreeMap::new();
        of_type.iter().for_each(|fact| by_value.entry(fact.plan).or_default().push(fact));
        let mut by_value: Vec<_> =
            by_value.into_iter().map(|(plan, facts)| (plan.map(|plan| format!("p{plan:02}")), facts)).collect();
        by_value.sort_by_key(|(value, facts)| (Reverse(count(facts)), value.is_none(), value.clone()));
        let other: Vec<&Fact> = by_value.split_off(by_value.len().min(20)).into_iter().flat_map(|(_, facts)| facts).collect();
        data.extend(by_value.iter().map(|(value, facts)| series(event_type, value.clone(), facts)));
        if !other.is_empty() {
            data.push(series(event_type, Some("other".to_owned()), &other));
        }
    }
    json!({"data": data, "metric": metric, "interval": interval})
}

async fn check(app: &App, facts: &[Fact]) {
    for interval in ["hour", "day", "week", "month"] {
        for metric in ["events", "users"] {
            for types in [&[][..], &[1, 0]] {
                for breakdown in [false, true] {
                    let mut parameters =
                        vec![("from", "2025-10-20"), ("to", "2025-11-02"), ("interval", interval), ("metric", metric)];
                    parameters.extend(types.iter().map(|number| ("event_type", ["t0", "t1"][usize::from(*number)])));
                    parameters.extend(breakdown.then_some(("breakdown", "plan")));
                    let answer = app.trends_as(BERLIN_KEY, &parameters).await;
                    assert_eq!(answer, model(facts, interval, metric, types, breakdown), "{parameters:?}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn trends_of_random_histories_are_those_of_the_model() {
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    for _ in 0..3 {
        let facts = history().new_tree(&mut runner).unwrap().current();
        let app = App::start().await;
        app.add_berlin().await;
        let sent = |(number, fact): (usize, &Fact)| {
            let name = format!("u{}", fact.user);
            let event = event(&number.to_string(), &name, &format!("t{}", fact.event_type), &fact.at.to_string());
            with(event, &fact.plan.map_or_else(|| json!({}), |plan| json!({"plan": format!("p{plan:02}")})))
        };
        let events: Vec<_> = facts.iter().enumerate().map(sent).collect();
        for batch in events.chunks(50) {
            app.store_as(BERLIN_KEY, &json!(batch)).await;
        }
        check(&app, &facts).await;
    }
}
