//! Filters, `where`: every operator on every kind of value, against a naive model in memory.

use std::cmp::Ordering;
use std::collections::HashMap;

use futures::{StreamExt, stream};
use rollcall_tests::{App, KEY};
use serde_json::value::RawValue;
use serde_json::{Value, json};

const VALUES: [&str; 27] = [
    "10",
    "10.0",
    "1e1",
    "\"10\"",
    "\"10.0\"",
    "9",
    "\"9\"",
    "-0",
    "0.0",
    "-1.5",
    "1E+2",
    "123456789012345678901234567890",
    "123456789012345678901234567891",
    "1e-400",
    "1e-99999",
    "true",
    "\"true\"",
    "null",
    "\"null\"",
    "[1, 2]",
    "{\"a\":1}",
    "\"\"",
    "\"Zebra\"",
    "\"apple\"",
    "\"\\u00e4pfel\"",
    "\"a\\\"b\"",
    "\"x:y\"",
];
const OPERANDS: [&str; 22] = [
    "10",
    "10.0",
    "1e1",
    "9",
    "0",
    "-0",
    "100",
    "123456789012345678901234567890",
    "0.000",
    "1e-99999",
    "007",
    "true",
    "null",
    "[1, 2]",
    "[1,2]",
    "{\"a\":1}",
    "",
    "apple",
    "Zebra",
    "äpfel",
    "a\"b",
    "x:y",
];
const PATHS: [&str; 6] = ["p", "o.p", "o", "it's a \"key\"", "0", "l.0"];
const OPERATORS: [&str; 8] = ["eq", "ne", "gt", "gte", "lt", "lte", "contains", "exists"];

/// Properties with the value at every place where a path may find or miss it.
fn properties() -> Vec<String> {
    let around = |value: &&str| {
        [
            format!("{{\"p\":{value}}}"),
            format!("{{\"o\": {{\"q\":1,\"p\" : {value} }} }}"),
            format!("{{\"p\":1,\"p\":{value}}}"),
            format!("{{\"o\":{{\"p\":{value}}},\"o\":{{\"q\":2}}}}"),
            format!("{{\"it's a \\\"key\\\"\":{value},\"0\":{value},\"l\":[{value}]}}"),
        ]
    };
    VALUES.iter().flat_map(around).chain(["{}".to_owned()]).collect()
}

fn find<'a>(properties: &'a str, path: &str) -> Option<&'a str> {
    path.split('.').try_fold(properties, |json, name| {
        // Of a name that is there twice, the map keeps the last.
        let object: HashMap<String, &RawValue> = serde_json::from_str(json).ok()?;
        object.get(name).map(|value| value.get())
    })
}

fn text(json: &str) -> String {
    serde_json::from_str::<String>(json).unwrap_or_else(|_| json.to_owned())
}

/// Sign, digits without zeros around them, and the place of the decimal point before them.
fn decimal(text: &str) -> Option<(bool, Vec<u8>, i64)> {
    let json: &RawValue = serde_json::from_str(text).ok()?;
    let first = *text.as_bytes().first()?;
    if json.get() != text || text.len() > 100 || !(first == b'-' || first.is_ascii_digit()) {
        return None;
    }
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    if exponent.trim_start_matches(['+', '-']).len() > 3 {
        return None;
    }
    let (whole, fraction) = mantissa.trim_start_matches('-').split_once('.').unwrap_or((mantissa.trim_start_matches('-'), ""));
    let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
    let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
    let mut significant = digits[zeros..].to_vec();
    while significant.last() == Some(&b'0') {
        significant.pop();
    }
    let point = whole.len() as i64 - zeros as i64 + exponent.parse::<i64>().unwrap();
    Some(if significant.is_empty() { (false, significant, 0) } else { (mantissa.starts_with('-'), significant, point) })
}

fn compare_decimals(one: &(bool, Vec<u8>, i64), other: &(bool, Vec<u8>, i64)) -> Ordering {
    let sign = |number: &(bool, Vec<u8>, i64)| {
        if number.1.is_empty() {
            0
        } else if number.0 {
            -1
        } else {
            1
        }
    };
    let magnitude = (one.2, &one.1).cmp(&(other.2, &other.1));
    sign(one).cmp(&sign(other)).then(if sign(one) < 0 { magnitude.reverse() } else { magnitude })
}

/// Whether the model lets an event pass.
fn passes(properties: &str, path: &str, operator: &str, operand: &str) -> bool {
    let Some(json) = find(properties, path) else { return operator == "ne" || (operator == "exists" && operand == "false") };
    if operator == "exists" {
        return operand == "true";
    }
    let value = text(json);
    if operator == "contains" {
        return value.contains(operand);
    }
    // A string is no number, whatever it says.
    let order = match (decimal(json), decimal(operand)) {
        (Some(number), Some(bound)) => compare_decimals(&number, &bound),
        _ => value.as_bytes().cmp(operand.as_bytes()),
    };
    match operator {
        "eq" => order.is_eq(),
        "ne" => order.is_ne(),
        "gt" => order.is_gt(),
        "gte" => order.is_ge(),
        "lt" => order.is_lt(),
        _ => order.is_le(),
    }
}

async fn store(app: &App, properties: &[String]) {
    let line = |(number, properties): (usize, &String)| {
        format!(
            "{{\"event_id\":\"{number}\",\"user_id\":\"u\",\"event_type\":\"t\",\"occurred_at\":\"2026-03-01T10:00:00Z\",\"properties\":{properties}}}\n"
        )
    };
    let body: String = properties.iter().enumerate().map(line).collect();
    let (status, answer) = app.post("/events", &[("content-type", "application/x-ndjson")], body).await;
    assert_eq!(status, 202, "{answer}");
    app.wait_until_stored().await;
}

async fn total(app: &App, filters: &[&str]) -> Value {
    let mut parameters = vec![("from", "2026-03-01"), ("to", "2026-03-01")];
    parameters.extend(filters.iter().map(|filter| ("where", *filter)));
    app.answer_as(KEY, "/stats/trends", &parameters).await.0["data"][0]["total"].take()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operator_does_to_every_value_what_the_model_does() {
    let app = App::start().await;
    let properties = properties();
    store(&app, &properties).await;
    let mut cases = Vec::new();
    for path in PATHS {
        for operator in OPERATORS {
            let operands = if operator == "exists" { &["true", "false"] } else { OPERANDS.as_slice() };
            cases.extend(operands.iter().map(|operand| (path, operator, *operand)));
        }
    }
    let wrong = stream::iter(cases).map(async |(path, operator, operand)| {
        let found = total(&app, &[&format!("{path}:{operator}:{operand}")]).await;
        let expected: Vec<&String> = properties.iter().filter(|properties| passes(properties, path, operator, operand)).collect();
        (found != expected.len()).then(|| format!("{path}:{operator}:{operand} finds {found} instead of {expected:?}"))
    });
    let wrong: Vec<String> = wrong.buffer_unordered(3).filter_map(async |wrong| wrong).collect().await;
    assert_eq!(wrong, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn several_filters_must_all_hold() {
    let app = App::start().await;
    let properties = ["{\"a\":1,\"b\":\"x\"}", "{\"a\":1,\"b\":\"y\"}", "{\"a\":2,\"b\":\"x\"}", "{\"a\":1}"].map(str::to_owned);
    store(&app, &properties).await;
    assert_eq!(total(&app, &["a:1", "b:x"]).await, 1);
    assert_eq!(total(&app, &["a:1", "b:ne:x"]).await, 2);
    assert_eq!(total(&app, &["a:gt:0", "a:lt:2", "b:exists:true"]).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_is_none_is_refused_with_its_reason() {
    let app = App::start().await;
    let (long_path, long_value) = ("a".repeat(201), format!("a:{}", "x".repeat(1_001)));
    for (filter, message) in [
        ("plan", "must be <property>:<value> or <property>:<operator>:<value>"),
        (":pro", "the path of a property has 1 to 200 bytes"),
        (&format!("{long_path}:x"), "the path of a property has 1 to 200 bytes"),
        ("a..b:x", "the path of a property has 1 to 10 parts between dots, and none of them is empty"),
        ("a.b.c.d.e.f.g.h.i.j.k:x", "the path of a property has 1 to 10 parts between dots, and none of them is empty"),
        (&long_value, "the value has at most 1000 bytes"),
        ("a:exists:x", "exists must be followed by true or false"),
        ("a:x\0", "contains a NUL character"),
        ("", "must not be empty; leave it out instead"),
    ] {
        let (status, answer) = app.get_as(KEY, "/stats/trends", &[("where", filter)]).await;
        assert_eq!(
            (status, &answer["errors"][0]["field"], &answer["errors"][0]["message"]),
            (400, &json!("where"), &json!(message))
        );
    }
    let (status, answer) = app.get_as(KEY, "/stats/trends", &[("where", "a:b"); 11]).await;
    assert_eq!((status, &answer["errors"][0]["message"]), (400, &json!("may be sent at most 10 times")));
}
