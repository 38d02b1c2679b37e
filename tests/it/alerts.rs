//! `example/alerts.yml`: every metric and label in it is one that real services have, and the documents say what to do.

use rollcall_tests::{App, AppOptions, event, wait_until};

fn file(name: &str) -> String {
    std::fs::read_to_string(format!("{}/../{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// The values of a key of the rules, such as `alert` or `expr`.
fn values<'a>(rules: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    let lines = rules.lines().map(|line| line.trim_start().trim_start_matches("- "));
    lines.filter_map(move |line| line.strip_prefix(key)?.strip_prefix(": "))
}

/// A label, an operator and a value.
type Condition<'a> = (&'a str, &'a str, &'a str);

/// The selectors in an expression: each a metric, and its conditions.
fn selectors(expression: &str) -> Vec<(String, Vec<Condition<'_>>)> {
    let mut found = Vec::new();
    for (start, _) in expression.match_indices("rollcall_") {
        let rest = &expression[start..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let conditions = rest[end..].strip_prefix('{').map_or("", |conditions| &conditions[..conditions.find('}').unwrap()]);
        let conditions = conditions.split_terminator("\",").map(|condition| condition.trim_end_matches('"'));
        let parts = conditions.map(|condition| {
            let (label, value) = condition.split_once('"').unwrap();
            let name = label.trim_end_matches(['=', '!', '~']);
            (name, &label[name.len()..], value)
        });
        found.push((rest[..end].to_owned(), parts.collect()));
    }
    found
}

/// Whether a line of the exposition is of this metric and has these labels.
fn is_selected(line: &str, metric: &str, conditions: &[Condition<'_>]) -> bool {
    let Some(labels) = line.strip_prefix(metric).filter(|rest| rest.starts_with([' ', '{'])) else { return false };
    conditions.iter().all(|(label, operator, value)| match *operator {
        "=" => labels.contains(&format!("{label}=\"{value}\"")),
        // Which values there are is not known here, but the label must be.
        "!=" | "=~" => labels.contains(&format!("{label}=\"")),
        _ => panic!("{operator}"),
    })
}

/// What API and worker expose, in processes of their own, once they have done something.
async fn exposition() -> String {
    let app = App::start_with(AppOptions { workers: 0, ..AppOptions::default() }).await;
    let ((mut api, api_url), (mut worker, worker_url)) = (app.process("api"), app.process("worker"));
    api.start();
    worker.start();
    app.wait_until_ready(&api_url).await;
    app.wait_until_ready(&worker_url).await;
    let sent = app.http.post(format!("{api_url}/events")).header("X-API-Key", rollcall_tests::KEY);
    assert_eq!(sent.json(&event("a", "ada", "t", "2026-03-01T10:00:00Z")).send().await.unwrap().status(), 202);
    app.wait_until_stored().await;
    // The worker measures some of them only now and then.
    wait_until("everything was measured once", async || {
        let text = async |url: &str| reqwest::get(format!("{url}/metrics")).await.ok()?.text().await.ok();
        let text = format!("{}{}", text(&api_url).await?, text(&worker_url).await?);
        let gauges = ["rollcall_stream_bytes ", "rollcall_clock_offset_seconds ", "rollcall_rollup_oldest_delta_age_seconds{"];
        gauges.iter().all(|gauge| text.contains(&format!("\n{gauge}"))).then_some(text)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_in_the_alerts_is_exposed_with_these_labels() {
    let (rules, exposed) = (file("example/alerts.yml"), exposition().await);
    let mut checked = 0;
    for expression in values(&rules, "expr") {
        for (metric, conditions) in selectors(expression) {
            let is_exposed = exposed.lines().any(|line| is_selected(line, &metric, &conditions));
            assert!(is_exposed, "{metric} with {conditions:?} is not exposed");
            checked += 1;
        }
    }
    assert!(checked >= 20, "only {checked} selectors were found");
}

#[test]
fn every_alert_has_a_name_of_its_own_a_summary_and_something_to_do() {
    let (rules, operations) = (file("example/alerts.yml"), file("docs/operations.md"));
    let mut names: Vec<_> = values(&rules, "alert").collect();
    assert_eq!(values(&rules, "expr").count(), names.len());
    assert_eq!(values(&rules, "summary").count(), names.len());
    for name in &names {
        assert!(operations.contains(&format!("| `{name}` |")), "docs/operations.md does not say what to do about {name}");
    }
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
}

#[test]
fn selectors_are_found_in_expressions() {
    let found = selectors(r#"sum(rate(rollcall_a_total{x="1",y=~"5.."}[5m])) / max(rollcall_b) > 3"#);
    let expected =
        [("rollcall_a_total".to_owned(), vec![("x", "=", "1"), ("y", "=~", "5..")]), ("rollcall_b".to_owned(), vec![])];
    assert_eq!(found, expected);
    assert!(is_selected(r#"rollcall_a_total{x="1",y="503"} 0"#, &found[0].0, &found[0].1));
    assert!(!is_selected(r#"rollcall_a_total{x="2",y="503"} 0"#, &found[0].0, &found[0].1));
    assert!(!is_selected("rollcall_bytes 0", &found[1].0, &found[1].1));
}
