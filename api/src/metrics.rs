//! The metrics of the API: their descriptions, and the counters' start at zero.
//!
//! The code that does something also counts it. Every metric of this crate is described here.

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::PrometheusHandle;
use rollcall_shared::telemetry;
use strum::VariantNames;

use crate::auth::{Limit, limit_names};
use crate::event_rules::Mode;

/// Every status with which `POST /events` can be answered.
const INGEST_STATUSES: [&str; 12] = ["200", "202", "400", "401", "403", "408", "413", "415", "422", "429", "500", "503"];

/// The metrics of this process. Every metric of the API is described, and every counter starts at zero: a
/// counter that appeared only with its first event could not be told from one that has disappeared, and
/// `rate()` would not see its first increase.
///
/// Of the metrics with labels, those of `POST /events` start at zero; the other routes appear with their
/// first request.
pub(crate) fn begin() -> PrometheusHandle {
    // The recorder must be installed first, because earlier descriptions are lost.
    let recorded = telemetry::metrics();
    describe_requests();
    describe_events();
    describe_limits();
    describe_live();
    for name in [
        "rollcall_connections_displaced_total",
        "rollcall_connections_refused_total",
        "rollcall_tls_handshakes_failed_total",
        "rollcall_received_bytes_total",
        "rollcall_events_accepted_total",
        "rollcall_events_rejected_total",
        "rollcall_chunks_published_total",
        "rollcall_bulk_chunks_published_total",
        "rollcall_published_bytes_total",
        "rollcall_live_missed_events_total",
    ] {
        counter!(name).increment(0);
    }
    for mode in Mode::VARIANTS {
        counter!("rollcall_schema_violations_total", "mode" => *mode).increment(0);
    }
    gauge!("rollcall_live_readers").increment(0.0);
    for status in INGEST_STATUSES {
        counter!("rollcall_http_requests_total", "method" => "POST", "route" => "/events", "status" => status).increment(0);
    }
    for limit in limit_names() {
        counter!("rollcall_limited_requests_total", "limit" => limit).increment(0);
    }
    for limit in Limit::ALL.iter().filter(|limit| limit.unit().is_some()) {
        counter!("rollcall_limited_events_total", "limit" => limit.name()).increment(0);
    }
    // This creates the histogram without recording a value.
    let _ = histogram!("rollcall_http_request_duration_seconds", "method" => "POST", "route" => "/events");
    for name in ["rollcall_request_batch_events", "rollcall_publish_duration_seconds"] {
        let _ = histogram!(name);
    }
    recorded
}

fn describe_requests() {
    describe_counter!("rollcall_connections_displaced_total", "Waiting connections closed to make room for new ones");
    describe_counter!("rollcall_connections_refused_total", "Connections refused because all others had requests in progress");
    describe_counter!("rollcall_tls_handshakes_failed_total", "TLS handshakes that failed or took too long");
    describe_counter!("rollcall_http_requests_total", "Requests by method, route and status");
    describe_histogram!(
        "rollcall_http_request_duration_seconds",
        Unit::Seconds,
        "Time from request to answer by method and route"
    );
}

fn describe_events() {
    describe_counter!("rollcall_received_bytes_total", Unit::Bytes, "Bytes of batches after decompression");
    describe_counter!("rollcall_events_accepted_total", "Events durable in the queue and answered with 202 or 200");
    describe_counter!("rollcall_events_rejected_total", "Events refused as invalid");
    describe_counter!("rollcall_schema_violations_total", "Events that did not match the schema of their type, by mode");
    describe_histogram!("rollcall_request_batch_events", Unit::Count, "Events of one accepted request");
    describe_counter!("rollcall_chunks_published_total", "Messages confirmed by the queue");
    describe_counter!("rollcall_bulk_chunks_published_total", "Messages confirmed by the queue that are bulk");
    describe_counter!("rollcall_published_bytes_total", Unit::Bytes, "Compressed bytes confirmed by the queue");
    describe_histogram!("rollcall_publish_duration_seconds", Unit::Seconds, "Time from publish to confirmation");
}

fn describe_limits() {
    describe_counter!("rollcall_limited_requests_total", "Requests refused with 429 by the limit that they exceed");
    describe_counter!(
        "rollcall_limited_events_total",
        "Events of batches refused with 429 by the limit that they exceed, as far as the events were counted"
    );
}

fn describe_live() {
    describe_gauge!("rollcall_live_readers", "Readers of live events that are connected");
    describe_counter!(
        "rollcall_live_missed_events_total",
        "Events that readers of live events missed, as far as they are counted"
    );
}
