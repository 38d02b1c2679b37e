//! The parser and the validator. The first byte tells JSON from NDJSON; the rest is the body.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let [format, body @ ..] = data {
        rollcall_api::fuzzing::ingest(body, *format == b'n');
    }
});
