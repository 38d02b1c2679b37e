//! The metrics of a worker: their descriptions, and the counters' start at zero.

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use rollcall_shared::queue::dead_letter::Code;
use rollcall_shared::queue::priority::Priority;
use strum::{VariantArray, VariantNames};

/// Describes every metric, and sets every counter to zero. A counter that appeared only with its first
/// event could not be told from one that has disappeared. `compaction_kinds` are the kinds of delta.
pub(crate) fn describe(compaction_kinds: &[&'static str]) {
    describe_storing();
    describe_maintenance();
    describe_archive();
    for name in [
        "rollcall_events_stored_total",
        "rollcall_events_duplicate_total",
        "rollcall_store_retries_total",
        "rollcall_messages_refused_total",
        "rollcall_worker_panics_total",
        "rollcall_rollup_keys_compacted_total",
        "rollcall_partition_failures_total",
        "rollcall_expired_events_total",
        "rollcall_expired_identities_total",
        "rollcall_expire_failures_total",
        "rollcall_archived_events_total",
        "rollcall_archived_bytes_total",
        "rollcall_archive_dropped_events_total",
        "rollcall_archive_failures_total",
        "rollcall_merged_partitions_total",
        "rollcall_merge_failures_total",
    ] {
        counter!(name).absolute(0);
    }
    gauge!("rollcall_archive_days_waiting").set(0.0);
    for code in Code::VARIANTS {
        counter!("rollcall_dead_letters_total", "code" => *code).absolute(0);
    }
    for priority in Priority::VARIANTS {
        // This creates the histogram without recording a value.
        let _ = histogram!("rollcall_time_in_queue_seconds", "priority" => priority.name());
    }
    for kind in compaction_kinds {
        counter!("rollcall_rollup_deltas_folded_total", "kind" => *kind).absolute(0);
        counter!("rollcall_compaction_failures_total", "kind" => *kind).absolute(0);
    }
}

fn describe_archive() {
    describe_counter!("rollcall_archived_events_total", "Events that this worker wrote into the archive");
    describe_counter!("rollcall_archived_bytes_total", Unit::Bytes, "Bytes of the files with these events");
    describe_counter!("rollcall_archive_dropped_events_total", "Archived events whose rows this worker dropped");
    describe_counter!("rollcall_archive_failures_total", "Runs of the archive that failed, or left out a day or a partition");
    describe_gauge!("rollcall_archive_days_waiting", "Days of projects that are due and not archived yet, at the last look");
    describe_gauge!(
        "rollcall_archive_last_success_timestamp_seconds",
        Unit::Seconds,
        "When this worker last archived everything that was due, in seconds since 1970"
    );
}

fn describe_storing() {
    describe_counter!("rollcall_events_stored_total", "Events stored for the first time");
    describe_counter!("rollcall_events_duplicate_total", "Events that were stored before");
    describe_counter!("rollcall_store_retries_total", "Batches tried again after a transient fault of PostgreSQL");
    describe_counter!("rollcall_messages_refused_total", "Deliveries of which PostgreSQL refused events");
    describe_counter!("rollcall_dead_letters_total", "Dead letters written, by code");
    describe_counter!("rollcall_worker_panics_total", "Batches and messages whose settling ended in a panic; they come back");
    describe_histogram!("rollcall_store_duration_seconds", Unit::Seconds, "Time to store one batch");
    describe_histogram!("rollcall_store_batch_events", Unit::Count, "Events of one stored batch");
    describe_gauge!("rollcall_consumer_lag_messages", "Messages accepted and not yet acknowledged, by priority");
    describe_gauge!("rollcall_consumer_redelivered_messages", "Unacknowledged messages that were delivered before, by priority");
    describe_histogram!(
        "rollcall_time_in_queue_seconds",
        Unit::Seconds,
        "Time from a message's confirmation until its events are stored or dead letters, by priority"
    );
    describe_gauge!("rollcall_oldest_unstored_age_seconds", Unit::Seconds, "Age of the oldest message not yet stored");
    describe_gauge!("rollcall_stream_bytes", Unit::Bytes, "Size of the stream of accepted events");
}

fn describe_maintenance() {
    describe_counter!("rollcall_rollup_keys_compacted_total", "Rollup keys changed by folding deltas into their base");
    describe_counter!("rollcall_rollup_deltas_folded_total", "Deltas folded into the base of the rollups, by kind");
    describe_counter!("rollcall_compaction_failures_total", "Batches of deltas that could not be folded, by kind");
    describe_gauge!(
        "rollcall_rollup_deltas_waiting",
        "Deltas not yet folded, by kind: event counts up to a million, bitmaps of active users and rows of sessions and of users up to 100,000"
    );
    describe_gauge!(
        "rollcall_rollup_oldest_delta_age_seconds",
        Unit::Seconds,
        "Age of the oldest delta among those counted as waiting, by kind"
    );
    describe_counter!("rollcall_partition_failures_total", "Times that partitions could not be made ahead");
    describe_counter!("rollcall_expired_events_total", "Events deleted because their projects keep them no longer");
    describe_counter!("rollcall_expired_identities_total", "Identities of such events deleted");
    describe_counter!("rollcall_expire_failures_total", "Times that expired events could not be deleted, or not all of them");
    describe_counter!("rollcall_merged_partitions_total", "Partitions that were merged into those of months");
    describe_counter!("rollcall_merge_failures_total", "Times that partitions could not be merged");
    describe_gauge!("rollcall_merge_duration_seconds", Unit::Seconds, "Time of the last merge of a month");
    describe_gauge!("rollcall_merge_locked_seconds", Unit::Seconds, "For how long others could not use the table at its end");
    describe_gauge!("rollcall_expire_duration_seconds", Unit::Seconds, "Time of the last run that deleted expired events");
    describe_gauge!(
        "rollcall_expire_last_success_timestamp_seconds",
        Unit::Seconds,
        "When this worker last found or made sure that nothing expired is left, in seconds since 1970"
    );
    describe_gauge!(
        "rollcall_clock_offset_seconds",
        Unit::Seconds,
        "How far this worker's clock is ahead of PostgreSQL's; negative if it is behind"
    );
}
