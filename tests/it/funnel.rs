//! Funnels, whole JSON, and against a naive model on random histories.

use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan};
use proptest::prelude::{Strategy, prop};
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rollcall_tests::{App, BERLIN_KEY, KEY, event};
use serde_json::{Value, json};

/// An id whose order is that of its number.
fn id(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

fn happened(number: usize, user: &str, event_type: &str, at: &str) -> Value {
    event(&id(number), user, event_type, at)
}

fn step(name: &str, users: u64, percents: (f64, f64), median_seconds: Option<f64>) -> Value {
    let (first, previous) = percents;
    json!({"step": name, "users": users, "percent_of_first": first, "percent_of_previous": previous, "median_seconds": median_seconds})
}

async fn funnel(app: &App, key: &str, parameters: &[(&str, &str)]) -> Value {
    app.answer_as(key, "/stats/funnel", parameters).await.0
}

/// How many people reached each step.
async fn users(app: &App, key: &str, parameters: &[(&str, &str)]) -> Vec<u64> {
    let answer = funnel(app, key, parameters).await;
    answer["data"].as_array().unwrap().iter().map(|step| step["users"].as_u64().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_counts_for_every_step_that_their_deepest_chain_reaches() {
    let app = App::start().await;
    let events = json!([
        happened(1, "ada", "view", "2025-10-01T10:00:00Z"),
        happened(2, "ada", "cart", "2025-10-01T10:00:10Z"),
        happened(3, "ada", "buy", "2025-10-01T10:01:10Z"),
        // The first view leads nowhere; of the two that lead to the end, the earlier one gives the times.
        happened(4, "bob", "view", "2025-10-01T10:00:00Z"),
        happened(5, "bob", "view", "2025-10-09T10:00:00Z"),
        happened(6, "bob", "view", "2025-10-09T10:00:20Z"),
        happened(7, "bob", "cart", "2025-10-09T10:00:30Z"),
        happened(8, "bob", "buy", "2025-10-09T10:00:33Z"),
        // In the wrong order.
        happened(9, "cid", "buy", "2025-10-01T10:00:00Z"),
        happened(10, "cid", "cart", "2025-10-01T11:00:00Z"),
        happened(11, "cid", "view", "2025-10-01T12:00:00Z"),
        happened(12, "dan", "cart", "2025-10-01T10:00:00Z"),
    ]);
    app.store_as(KEY, &events).await;
    let parameters = [("steps", "view,cart,buy"), ("from", "2025-10-01"), ("to", "2025-10-31")];
    let steps = [
        step("view", 3, (100.0, 100.0), None),
        step("cart", 2, (66.67, 66.67), Some(20.0)),
        step("buy", 2, (66.67, 100.0), Some(31.5)),
    ];
    assert_eq!(funnel(&app, KEY, &parameters).await, json!({"data": steps, "within_seconds": 604_800, "complete": true}));
}

#[tokio::test(flavor = "multi_thread")]
async fn time_ends_within_the_last_microsecond_and_may_end_after_the_period() {
    let app = App::start().await;
    let events = json!([
        happened(1, "just", "a", "2025-10-01T23:59:59.999999Z"),
        happened(2, "just", "b", "2025-10-02T00:59:59.999999Z"),
        happened(3, "late", "a", "2025-10-01T23:59:59.999999Z"),
        happened(4, "late", "b", "2025-10-02T01:00:00Z"),
        happened(5, "after", "a", "2025-10-02T00:00:00Z"),
        happened(6, "after", "b", "2025-10-02T00:00:01Z"),
        happened(7, "before", "a", "2025-09-30T23:59:59.999999Z"),
        happened(8, "before", "b", "2025-10-01T00:00:00Z"),
    ]);
    app.store_as(KEY, &events).await;
    let parameters = [("steps", "a,b"), ("from", "2025-10-01"), ("to", "2025-10-01"), ("within", "1h")];
    assert_eq!(users(&app, KEY, &parameters).await, [2, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_is_one_of_the_projects_zone_also_when_clocks_change() {
    let app = App::start().await;
    app.add_berlin().await;
    let events = json!([
        happened(1, "before", "a", "2025-10-25T21:59:59Z"),
        happened(2, "first", "a", "2025-10-25T22:00:00Z"),
        happened(3, "last", "a", "2025-10-26T22:59:59Z"),
        happened(4, "last", "b", "2025-10-27T22:59:59Z"),
        happened(5, "after", "a", "2025-10-26T23:00:00Z"),
    ]);
    app.store_as(BERLIN_KEY, &events).await;
    let parameters = [("steps", "a,b"), ("from", "2025-10-26"), ("to", "2025-10-26"), ("within", "1d")];
    assert_eq!(users(&app, BERLIN_KEY, &parameters).await, [2, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn at_one_instant_the_ids_decide_and_no_event_is_used_twice() {
    let app = App::start().await;
    let at = "2025-10-01T10:00:00Z";
    let events = json!([
        happened(1, "ordered", "a", at),
        happened(2, "ordered", "b", at),
        happened(4, "reversed", "a", at),
        happened(3, "reversed", "b", at),
        happened(5, "thrice", "a", at),
        happened(6, "thrice", "a", at),
        happened(7, "thrice", "a", "2025-10-01T10:00:01Z"),
    ]);
    app.store_as(KEY, &events).await;
    let day = [("from", "2025-10-01"), ("to", "2025-10-01")];
    assert_eq!(users(&app, KEY, &[day.as_slice(), &[("steps", "a,b")]].concat()).await, [3, 1]);
    assert_eq!(users(&app, KEY, &[day.as_slice(), &[("steps", "a,a,a,a")]].concat()).await, [3, 1, 1, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_steps_are_taken_in_the_order_in_which_they_are_sent() {
    let app = App::start().await;
    let events = json!([
        happened(1, "ada", "a", "2025-10-01T10:00:00Z"),
        happened(2, "ada", "b", "2025-10-01T10:00:01Z"),
        happened(3, "bob", "a", "2025-10-01T10:00:00Z"),
    ]);
    app.store_as(KEY, &events).await;
    let day = [("from", "2025-10-01"), ("to", "2025-10-01")];
    // One right after the other, so that the first answer is still kept.
    assert_eq!(users(&app, KEY, &[day, [("steps", "a"), ("steps", "b")]].concat()).await, [2, 1]);
    assert_eq!(users(&app, KEY, &[day, [("steps", "b"), ("steps", "a")]].concat()).await, [1, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_breakdown_takes_the_value_of_the_entry_and_a_filter_every_step() {
    let app = App::start().await;
    let mut events = Vec::new();
    for value in 0..23_usize {
        let (user, plan) = (format!("u{value}"), json!({"plan": format!("{:02}", value.min(21)), "n": value}));
        for (place, name) in ["a", "b"].into_iter().enumerate().take(if value == 22 { 2 } else { 1 }) {
            let mut event = happened(2 * value + place, &user, name, &format!("2025-10-01T10:00:0{place}Z"));
            event["properties"] = plan.clone();
            events.push(event);
        }
    }
    events.push(happened(99, "nobody", "a", "2025-10-01T10:00:00Z"));
    app.store_as(KEY, &json!(events)).await;
    let day = [("from", "2025-10-01"), ("to", "2025-10-01"), ("steps", "a,b"), ("breakdown", "plan")];
    let of = |value: &str, users: u64, second: u64| {
        let percent = 100.0 * second as f64 / users as f64;
        let steps = [step("a", users, (100.0, 100.0), None), step("b", second, (percent, percent), (second > 0).then_some(1.0))];
        json!({"value": value, "steps": steps})
    };
    let mut expected = vec![of("21", 2, 1)];
    expected.extend((0..19).map(|value| of(&format!("{value:02}"), 1, 0)));
    // Two values, and one person without any.
    expected.push(of("other", 3, 0));
    assert_eq!(funnel(&app, KEY, &day).await["data"], json!(expected));
    let filtered = funnel(&app, KEY, &[day.as_slice(), &[("where", "n:gte:22")]].concat()).await;
    assert_eq!(filtered["data"], json!([of("21", 1, 1)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_in_a_funnel_is_zero_and_a_running_time_is_not_complete() {
    let app = App::start().await;
    let today = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date().to_string();
    app.store_as(KEY, &happened(1, "ada", "b", &Timestamp::now().to_string())).await;
    let answer = funnel(&app, KEY, &[("steps", "a,b"), ("from", &today), ("to", &today), ("within", "1m")]).await;
    let steps = [step("a", 0, (0.0, 0.0), None), step("b", 0, (0.0, 0.0), None)];
    assert_eq!(answer, json!({"data": steps, "within_seconds": 60, "complete": false}));
    let (status, csv) = {
        let url = format!("{}/stats/funnel?steps=a&steps=x,y&format=csv", app.url);
        let response = app.http.get(url).header("X-API-Key", KEY).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    let expected = "step,users,percent_of_first,percent_of_previous,median_seconds\na,0,0,0,\n\"x,y\",0,0,0,\n";
    assert_eq!((status, csv.as_str()), (200, expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_parameters_of_a_funnel_are_named() {
    let app = App::start().await;
    let steps = "must be 2 to 10 event types, separated by commas, and none of them empty";
    for (parameters, field, message) in [
        (vec![("steps", "a")], "steps", steps),
        (vec![("steps", "a,,b")], "steps", steps),
        (vec![("steps", "a,b,c,d,e,f,g,h,i,j,k")], "steps", steps),
        (vec![("steps", "a,b"), ("within", "91d")], "within", "must be a time from 1m to 90d such as 30m, 12h or 7d"),
        (vec![("steps", "a,b"), ("within", "30s")], "within", "must be a time from 1m to 90d such as 30m, 12h or 7d"),
        (
            vec![("steps", "a,b"), ("breakdown", ".")],
            "breakdown",
            "the path of a property has 1 to 10 parts between dots, and none of them is empty",
        ),
    ] {
        let (status, answer) = app.get_as(KEY, "/stats/funnel", &parameters).await;
        assert_eq!((status, answer["errors"].as_array().map(Vec::len)), (400, Some(1)), "{answer}");
        assert_eq!((&answer["errors"][0]["field"], &answer["errors"][0]["message"]), (&json!(field), &json!(message)));
    }
    let (status, answer) = app.get("/stats/funnel").await;
    assert_eq!((status, &answer["errors"][0]["code"]), (400, &json!("required")));
}

#[derive(Debug, Clone, Copy)]
struct Fact {
    second: i64,
    user: u8,
    event_type: u8,
}

fn start() -> Timestamp {
    "2025-10-01T00:00:00Z".parse().unwrap()
}

/// Three days of events on few instants, so that many have the same one.
fn history() -> impl Strategy<Value = Vec<Fact>> {
    let fact = (0..72_i64, 0..6_u8, 0..3_u8).prop_map(|(hour, user, event_type)| Fact { second: 3_600 * hour, user, event_type });
    prop::collection::vec(fact, 1..60)
}

/// How many people reach each step, by trying every chain of every person. Entries are those of the
/// second day.
fn model(facts: &[Fact], steps: &[u8], within_secs: i64) -> Vec<u64> {
    let mut people: BTreeMap<u8, Vec<(i64, usize, u8)>> = BTreeMap::new();
    for (number, fact) in facts.iter().enumerate() {
        people.entry(fact.user).or_default().push((fact.second, number, fact.event_type));
    }
    let mut reached = vec![0; steps.len()];
    for history in people.values_mut() {
        history.sort_unstable();
        let is_entry = |place: &usize| history[*place].2 == steps[0] && history[*place].0 / 86_400 == 1;
        let mut chains: Vec<Vec<usize>> = (0..history.len()).filter(is_entry).map(|place| vec![place]).collect();
        for step in 0..steps.len() {
            reached[step] += u64::from(!chains.is_empty());
            let Some(next) = steps.get(step + 1) else { break };
            chains = chains
                .iter()
                .flat_map(|chain| (chain[step] + 1..history.len()).map(move |place| [chain.as_slice(), &[place]].concat()))
                .filter(|chain| {
                    let (last, first) = (history[chain[step + 1]], history[chain[0]]);
                    last.2 == *next && last.0 - first.0 <= within_secs
                })
                .collect();
        }
    }
    reached
}

#[tokio::test(flavor = "multi_thread")]
async fn funnels_of_random_histories_are_those_of_the_model() {
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    for _ in 0..4 {
        let facts = history().new_tree(&mut runner).unwrap().current();
        let app = App::start().await;
        let sent = |(number, fact): (usize, &Fact)| {
            let at = (start() + fact.second.seconds()).to_string();
            happened(number, &format!("u{}", fact.user), &format!("t{}", fact.event_type), &at)
        };
        let mut events: Vec<_> = facts.iter().enumerate().map(sent).collect();
        // Late events: the last ones first.
        events.reverse();
        for batch in events.chunks(25) {
            app.store_as(KEY, &json!(batch)).await;
        }
        for steps in [&[0, 1][..], &[0, 1, 2], &[1, 1, 1], &[2, 0, 2, 0], &[0, 1, 2, 0, 1, 2]] {
            let names: Vec<_> = steps.iter().map(|number| format!("t{number}")).collect();
            for (within, secs) in [("1h", 3_600), ("6h", 21_600), ("2d", 172_800)] {
                let parameters = [
                    ("steps", names.join(",")),
                    ("from", "2025-10-02".into()),
                    ("to", "2025-10-02".into()),
                    ("within", within.into()),
                ];
                let parameters: Vec<(&str, &str)> = parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
                assert_eq!(users(&app, KEY, &parameters).await, model(&facts, steps, secs), "{parameters:?}");
            }
        }
    }
}
