//! The check of the events of one request by the rules of their project.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::book::EventRules;
use super::project_schemas::{EventSchema, Mode};
use super::violations::{Sample, Violations};
use crate::problem::Problem;

/// For so many events of a request that are refused, the place of the fault is looked for. An answer lists no more.
pub(crate) const MAX_LOCATED: usize = 100;
/// How long the events of one request may be checked against schemas. 100,000 events of usual schemas take about one
/// second.
const CHECK_TIMEOUT: Duration = Duration::from_secs(30);

/// The parts of a valid event that rules are about.
pub(crate) struct Subject<'a> {
    pub(crate) id: &'a str,
    pub(crate) event_type: &'a str,
    /// The name of the field that the type was sent in.
    pub(crate) type_field: &'a str,
    /// A JSON object.
    pub(crate) properties: &'a str,
    /// The name of the field that the properties were sent in.
    pub(crate) properties_field: &'a str,
}

/// What an event must meet in addition to being valid.
pub(crate) trait Check {
    /// What is wrong with an event.
    fn check(&mut self, subject: &Subject<'_>) -> Option<Problem>;
}

/// No rules. The compiler leaves nothing of it.
impl Check for () {
    fn check(&mut self, _: &Subject<'_>) -> Option<Problem> {
        None
    }
}

/// The check of one request's events.
pub(crate) struct Checking<'r> {
    rules: &'r EventRules,
    /// Cancelled when nobody waits for the events any longer, or when checking them has taken too long.
    stop: &'r CancellationToken,
    at: Timestamp,
    spent: Duration,
    /// How many events were refused whose faults were looked for.
    located: usize,
    violations: Violations,
}

impl<'r> Checking<'r> {
    pub(crate) fn new(rules: &'r EventRules, stop: &'r CancellationToken) -> Self {
        let (at, spent) = (Timestamp::now(), Duration::ZERO);
        Self { rules, stop, at, spent, located: 0, violations: Violations::default() }
    }

    /// Whether it has taken so long that the request cannot be answered.
    pub(crate) fn took_too_long(&self) -> bool {
        self.spent > CHECK_TIMEOUT
    }

    /// The events that did not match a schema.
    pub(crate) fn into_violations(self) -> Violations {
        self.violations
    }

    /// Refuses an event that is new to a project that is full.
    fn new_type(&self, subject: &Subject<'_>) -> Option<Problem> {
        let full = self.rules.full.as_ref().filter(|full| !full.types.may_have(subject.event_type))?;
        let limit = full.limit;
        let message =
            format!("is none of the event types of this project, which has as many as it may: {limit} (max_event_types)");
        Some(Problem::of_parameter(subject.type_field, "event_type_limit", message))
    }

    fn by_schema(&mut self, schema: &Arc<EventSchema>, subject: &Subject<'_>) -> Option<Problem> {
        let properties = schema.compiled.violating(subject.properties)?;
        let is_refused = schema.mode == Mode::Reject;
        let has_room = self.violations.add(schema);
        self.located += usize::from(is_refused);
        let is_shown = is_refused && self.located <= MAX_LOCATED;
        if !has_room && !is_shown {
            return is_refused.then(|| refused(subject.properties_field, ""));
        }
        let fault = schema.compiled.fault(&properties, subject.properties.len(), subject.properties_field);
        let problem = is_refused.then(|| refused(&fault.path, &format!(": {}", fault.message)));
        if has_room {
            let (event_id, at) = (subject.id.to_owned(), self.at);
            self.violations.show(schema, Sample { at, event_id, path: fault.path, message: fault.message });
        }
        problem
    }
}

fn refused(path: &str, why: &str) -> Problem {
    Problem::of_parameter(path, "schema_violation", format!("does not match the schema of this event type{why}"))
}

impl Check for Checking<'_> {
    fn check(&mut self, subject: &Subject<'_>) -> Option<Problem> {
        if let Some(problem) = self.new_type(subject) {
            return Some(problem);
        }
        let rules = self.rules;
        let schema = rules.schemas.as_ref()?.of(subject.event_type)?;
        // Nobody waits for the result any longer.
        if self.stop.is_cancelled() {
            return None;
        }
        let begin = Instant::now();
        let problem = self.by_schema(schema, subject);
        self.spent += begin.elapsed();
        if self.took_too_long() {
            self.stop.cancel();
        }
        problem
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::event_rules::project_schemas::ProjectSchemas;

    /// The rules of a project whose events of the type `t` must have no properties.
    fn rules() -> EventRules {
        let schemas = ProjectSchemas::of_one("t", Mode::Reject, &json!({"maxProperties": 0}));
        EventRules { schemas: Some(Arc::new(schemas)), full: None }
    }

    fn check(checking: &mut Checking<'_>, event_type: &str) -> Option<Problem> {
        let (type_field, properties_field) = ("type", "payload");
        checking.check(&Subject { id: "e", event_type, type_field, properties: r#"{"a":"hush"}"#, properties_field })
    }

    #[test]
    fn nothing_more_is_checked_once_it_has_taken_too_long() {
        let (rules, stop) = (rules(), CancellationToken::new());
        let mut checking = Checking::new(&rules, &stop);
        assert!(check(&mut checking, "t").is_some() && check(&mut checking, "other").is_none());
        assert!(!checking.took_too_long() && !stop.is_cancelled());
        checking.spent = CHECK_TIMEOUT;
        // The event that exceeds the time is the last one.
        assert!(check(&mut checking, "t").is_some());
        assert!(checking.took_too_long() && stop.is_cancelled());
        assert!(check(&mut checking, "t").is_none());
    }

    #[test]
    fn faults_are_explained_as_long_as_answers_list_them() {
        let (rules, stop) = (rules(), CancellationToken::new());
        let mut checking = Checking::new(&rules, &stop);
        let problems: Vec<_> = (0..=MAX_LOCATED).map(|_| check(&mut checking, "t").unwrap()).collect();
        let (last, listed) = problems.split_last().unwrap();
        let explained = "does not match the schema of this event type: value has more than 0 properties";
        assert!(listed.iter().all(|problem| problem.field == "payload" && problem.message == explained), "{listed:?}");
        assert_eq!((last.code, last.message.as_str()), ("schema_violation", "does not match the schema of this event type"));
    }
}
