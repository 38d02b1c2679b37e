//! Functions for the fuzz target of the parameters of queries.

use axum::http::Uri;
use jiff::civil::date;

use super::period::Period;
use super::source::Source;
use super::{dau, funnel, retention, trends};
use crate::auth::Zone;
use crate::parameters::Parameters;

/// Parses a query string as every question does, and computes what needs no database.
///
/// # Panics
/// If an assertion fails.
pub fn take(query: &str) {
    let Ok(uri) = format!("/?{query}").parse::<Uri>() else { return };
    let today = date(2026, 11, 25);
    let Ok(zone) = Zone::named("UTC".to_owned()) else { return };
    let Ok(mut parameters) = Parameters::of(&uri) else { return };
    let period = Period::take(&mut parameters, today);
    Source::take(&mut parameters);
    if parameters.finish().is_ok() {
        assert!(period.from() <= period.to(), "{period:?}");
    }
    if let Ok(parameters) = Parameters::of(&uri) {
        dau::empty_answer(parameters, &zone);
    }
    if let Ok(parameters) = Parameters::of(&uri) {
        retention::empty_answer(parameters, &zone);
    }
    if let Ok(parameters) = Parameters::of(&uri) {
        funnel::empty_answer(parameters, &zone);
    }
    if let Ok(parameters) = Parameters::of(&uri) {
        trends::empty_answer(parameters, &zone);
    }
}
