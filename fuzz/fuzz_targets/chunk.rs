//! What a worker makes of a message: `z` and a compressed payload, or anything else and lines.

#![no_main]

use async_nats::HeaderMap;
use libfuzzer_sys::fuzz_target;
use rollcall_shared::queue::chunk::{ENCODING, ENCODING_HEADER, SCHEMA, SCHEMA_HEADER, decompress, events};

fuzz_target!(|data: &[u8]| {
    let [kind, data @ ..] = data else { return };
    let mut headers = HeaderMap::new();
    headers.insert(SCHEMA_HEADER, SCHEMA);
    headers.insert(ENCODING_HEADER, ENCODING);
    let lines = if *kind == b'z' { decompress(Some(&headers), data) } else { Ok(data.to_vec()) };
    let Ok(lines) = lines else { return };
    for event in events(&lines).flatten() {
        let _ = (event.actor(), event.identity_day());
        // What was read is written and read again as the same.
        let mut line = Vec::new();
        event.write_line(&mut line);
        let again = events(&line).next().expect("a line").expect("an event");
        assert_eq!(format!("{event:?}"), format!("{again:?}"));
    }
});
