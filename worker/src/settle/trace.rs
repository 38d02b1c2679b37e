//! The span in which messages are settled: each log line in it names the requests, projects and traces
//! whose events it is about.

use std::collections::BTreeSet;

use tracing::{Span, info_span};

use crate::settle::delivery::Delivery;

/// Names listed in a field of the span. A batch may hold thousands of requests.
const MAX_LISTED: usize = 16;

/// The span of these messages.
pub(crate) fn span(deliveries: &[Delivery]) -> Span {
    let requests = deliveries.iter().flat_map(|delivery| delivery.requests().split(','));
    let projects: BTreeSet<String> = deliveries.iter().filter_map(|delivery| Some(delivery.project()?.to_string())).collect();
    info_span!(
        "settle",
        messages = deliveries.len(),
        projects = listed(projects.iter().map(String::as_str)),
        requests = listed(requests),
        trace_ids = listed(deliveries.iter().filter_map(Delivery::trace_id)),
    )
}

/// The first names, separated by commas.
fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.filter(|name| !name.is_empty()).take(MAX_LISTED).collect::<Vec<_>>().join(",")
}
