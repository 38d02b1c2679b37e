//! The decompressors of request bodies. The first byte chooses one.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let [encoding, body @ ..] = data {
        rollcall_api::fuzzing::decompress(*encoding, body);
    }
});
