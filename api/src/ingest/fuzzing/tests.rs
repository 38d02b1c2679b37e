//! Properties of every body, with random bodies and with those that fuzzing has found.

use proptest::prelude::*;

use super::*;

/// Any JSON value of limited depth whose numbers and texts can be stored.
fn value() -> impl Strategy<Value = Value> {
    let text = "[^\u{0}]{0,12}";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(text, inner, 0..6).prop_map(|entries| entries.into_iter().collect()),
        ]
    })
}

/// One of the names, or none, with a value.
fn field(names: &'static [&'static str], value: impl Strategy<Value = Value>) -> impl Strategy<Value = Option<(String, Value)>> {
    prop::option::of((prop::sample::select(names).prop_map(str::to_owned), value))
}

fn id() -> impl Strategy<Value = Value> {
    prop_oneof![any::<i64>().prop_map(Value::from), any::<u64>().prop_map(Value::from), "[^\u{0}]{1,40}".prop_map(Value::from)]
}

/// A valid event of any shape.
fn event() -> impl Strategy<Value = Map<String, Value>> {
    let object = prop::collection::btree_map("[^\u{0}]{0,12}", value(), 0..6).prop_map(|entries| entries.into_iter().collect());
    let seconds = (0_u64..1_795_255_200).prop_map(Value::from);
    (
        ("[^\u{0}]{1,40}", prop::sample::select(&["user_id", "userId", "distinct_id"][..]), id()),
        field(&["event_id", "messageId", "uuid"], "[a-zA-Z0-9\u{e0}-\u{ff}-]{1,40}".prop_map(Value::from)),
        field(&["anonymous_id", "anonymousId"], id()),
        field(&["session_id", "sessionId"], id()),
        field(&["occurred_at", "timestamp", "time", "ts"], seconds),
        field(&["properties", "payload", "metadata", "jsonDetails"], object),
        prop::collection::btree_map("x[^\u{0}]{0,12}", value(), 0..4),
    )
        .prop_map(|((event_type, name, user), id, anonymous, session, time, properties, unknown)| {
            let mut event = Map::from_iter(unknown);
            event.extend([("event_type".to_owned(), event_type.into()), (name.to_owned(), user)]);
            event.extend([id, anonymous, session, time, properties].into_iter().flatten());
            event
        })
}

proptest! {
    #[test]
    fn a_valid_event_is_accepted_as_serde_json_reads_it(event in event(), is_pretty: bool) {
        let json = if is_pretty { serde_json::to_string_pretty(&event) } else { serde_json::to_string(&event) }.unwrap();
        let (lines, invalid) = judge(json.as_bytes(), false).expect("JSON");
        prop_assert_eq!((invalid, lines.iter().filter(|byte| **byte == b'\n').count()), (0, 1), "{}", json);
    }

    /// Most changes make it no JSON any more, and some change what it means.
    #[test]
    fn a_changed_body_is_read_alike_in_every_way(
        events in prop::collection::vec(event(), 1..5),
        shape in 0_u8..3,
        is_pretty: bool,
        (place, removed) in (any::<prop::sample::Index>(), 0_usize..4),
        added in prop::sample::select(&["", ",", "}", "]", "{}", "\"", "\\", "\\ud800", "1e999", " \n", "\t", "\u{1}", "[", ":", "é", "-", "0", "null", ",\"events\":[]"][..]),
    ) {
        let write = |event| if is_pretty && shape > 0 { serde_json::to_string_pretty(event) } else { serde_json::to_string(event) }.unwrap();
        let events: Vec<String> = events.iter().map(write).collect();
        let mut body = match shape {
            0 => events.join("\n"),
            1 => format!("[{}]", events.join(",")),
            _ => format!("\n{{ \"events\" : [{}] }} ", events.join(" , ")),
        }.into_bytes();
        let place = place.index(body.len());
        let end = (place + removed).min(body.len());
        body.splice(place..end, added.bytes());
        judge(&body, shape == 0);
    }

    #[test]
    fn a_deep_wide_or_long_keyed_event_has_few_and_short_problems(
        levels in 0_usize..20_000,
        (key, width) in ("(\\\\u0000|\\\\ud800|k){1,8}", 0_usize..5_000),
        (repeats, inner) in (1_usize..3_000, prop::sample::select(&["1", "1e999", "\"\\u0000\"", "\"\\ud800\""][..])),
    ) {
        let key = key.repeat(repeats);
        let deep = "[".repeat(levels) + inner + &"]".repeat(levels);
        let wide = vec![format!(r#""ts":{inner},"ts":2,"w":{inner}"#); width.max(1)].join(",");
        for fields in [format!(r#""{key}":{deep}"#), wide.clone(), format!(r#""payload":{{"{key}":{deep},{wide}}}"#)] {
            let body = format!(r#"{{"event_type":"t","user_id":1,{fields}}}"#);
            judge(body.as_bytes(), false).expect("JSON");
        }
    }
}

/// Every test run repeats the inputs that fuzzing has found.
#[test]
fn the_corpus_of_the_fuzz_targets_holds() {
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    let inputs = |target: &str| {
        let files = std::fs::read_dir(corpus.join(target)).unwrap();
        files.map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect::<Vec<_>>()
    };
    let (bodies, compressed) = (inputs("ingest"), inputs("decompress"));
    assert!(bodies.len() > 10 && compressed.len() > 3);
    for input in &bodies {
        let [format, body @ ..] = &input[..] else { continue };
        judge(body, *format == b'n');
    }
    for input in &compressed {
        let [encoding, body @ ..] = &input[..] else { continue };
        decompress(*encoding, body);
    }
}

#[test]
fn a_body_that_nobody_waits_for_is_not_read_to_its_end() {
    let cancel = CancellationToken::new();
    cancel.cancel();
    let identity = BatchIdentity::new(None, RECEIVED_AT);
    let preparation = Preparation { format: Format::Json, limits: LIMITS, identity, horizon: None, event_rules: None };
    for how in [How::Quick, How::Whole, How::OneByOne] {
        let prepared = prepare_from(how, b"[{},{}]", &preparation, &cancel);
        assert!(matches!(prepared, Err(ApiError::Stopping)), "{prepared:?}");
    }
}
