//! The trace that a request belongs to, as W3C Trace Context names it.

use axum::http::HeaderMap;
use rollcall_shared::queue::chunk::TRACE_HEADER;

/// The `traceparent` of the client, if it is well-formed: `00-<32 hex>-<16 hex>-<2 hex>`. Anything else is
/// ignored, as the standard requires. That also limits the size of the header in a message.
pub(crate) fn parent(headers: &HeaderMap) -> Option<String> {
    headers.get(TRACE_HEADER)?.to_str().ok().filter(|value| is_well_formed(value)).map(str::to_owned)
}

fn is_well_formed(value: &str) -> bool {
    let is_hex = |part: &str, digits| part.len() == digits && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let is_zero = |part: &str| part.bytes().all(|byte| byte == b'0');
    let parts: Vec<&str> = value.splitn(5, '-').collect();
    let [version, trace, parent, flags] = parts[..] else { return false };
    version == "00" && is_hex(trace, 32) && !is_zero(trace) && is_hex(parent, 16) && !is_zero(parent) && is_hex(flags, 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_well_formed_parents_are_taken() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert!(is_well_formed(good));
        let long = format!("{good}{}", "0".repeat(66_000));
        for bad in [
            "",
            "00",
            long.as_str(),
            &good.to_uppercase(),
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-extra",
        ] {
            assert!(!is_well_formed(bad), "{bad:.100}");
        }
    }
}
