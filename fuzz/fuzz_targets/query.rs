//! Query parameters, and the days, weeks and months that are computed from them.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|query: &str| rollcall_api::fuzzing::query(query));
