//! Whether a page of this service sent a request. Browsers add cookies to requests of every page, and `SameSite=Strict`
//! keeps out other sites but not other ports of the same host.
//!
//! Browsers say where a request comes from in `Sec-Fetch-Site`, over TLS and on loopback. Elsewhere only `Origin` tells,
//! and they leave it out where a page reads from its own origin. Another page could cause such a request too, but not
//! read the answer, so a request without it may read and nothing else.

use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, ORIGIN, TRANSFER_ENCODING, UPGRADE};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method};

const SEC_FETCH_SITE: &str = "sec-fetch-site";
/// The ports that addresses leave out.
const DEFAULT_PORTS: [(&str, u16); 2] = [("http", 80), ("https", 443)];

/// Whether the cookie of a request counts.
pub(crate) fn is_request_of_own_page(parts: &Parts) -> bool {
    let reads = matches!(parts.method, Method::GET | Method::HEAD) && !parts.headers.contains_key(UPGRADE);
    if !reads && !has_no_body_of_a_form(&parts.headers) {
        return false;
    }
    comes_from_own_page(parts).unwrap_or(reads)
}

/// Whether a request may begin a session. Programs, which say nothing of pages, may; a page of another origin must not
/// sign somebody in to a project that is not theirs.
pub(crate) fn may_sign_in(parts: &Parts) -> bool {
    comes_from_own_page(parts).unwrap_or(true)
}

/// Whether a page of this service sent the request; `None` if the request does not say.
fn comes_from_own_page(parts: &Parts) -> Option<bool> {
    if let Some(site) = parts.headers.get(SEC_FETCH_SITE) {
        return Some(site == "same-origin");
    }
    let origin = parts.headers.get(ORIGIN)?;
    Some(origin.to_str().is_ok_and(|origin| is_own(origin, parts)))
}

/// Whether an origin has the host and port to which the request was sent. A proxy may have ended TLS, so the scheme only
/// says which port is meant.
fn is_own(origin: &str, parts: &Parts) -> bool {
    let own = match parts.headers.get(HOST) {
        Some(host) => host.to_str().ok().and_then(|host| host.parse().ok()),
        // HTTP/2 has the host in the address.
        None => parts.uri.authority().cloned(),
    };
    let Some((scheme, host)) = origin.split_once("://") else { return false };
    let (Some(own), Ok(host), Some((_, port))) =
        (own, host.parse::<Authority>(), DEFAULT_PORTS.iter().find(|(name, _)| *name == scheme))
    else {
        return false;
    };
    let port_of = |authority: &Authority| authority.port_u16().unwrap_or(*port);
    own.host().eq_ignore_ascii_case(host.host()) && port_of(&own) == port_of(&host)
}

/// Whether the body, if there is one, is of a type that a form of another page cannot send.
fn has_no_body_of_a_form(headers: &HeaderMap) -> bool {
    let Some(media_type) = headers.get(CONTENT_TYPE) else {
        let is_empty = headers.get(CONTENT_LENGTH).is_none_or(|length| length == "0");
        return is_empty && !headers.contains_key(TRANSFER_ENCODING);
    };
    let media_type = media_type.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    ["application/json", "application/x-ndjson"].iter().any(|json| media_type.eq_ignore_ascii_case(json))
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn counts(method: &str, headers: &[(&str, &str)]) -> bool {
        let mut request = Request::builder().method(method).header("host", "rollcall.example:8000");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        is_request_of_own_page(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn what_the_browser_says_about_the_site_decides() {
        let json = ("content-type", "application/json");
        for method in ["GET", "POST"] {
            assert!(counts(method, &[("sec-fetch-site", "same-origin"), json]));
            for site in ["same-site", "cross-site", "none", ""] {
                let own = ("origin", "http://rollcall.example:8000");
                assert!(!counts(method, &[("sec-fetch-site", site), own, json]), "{method} {site}");
            }
        }
    }

    #[test]
    fn without_it_the_origin_must_be_that_of_the_service() {
        let post = |origin| counts("POST", &[("origin", origin), ("content-type", "application/json")]);
        assert!(post("http://rollcall.example:8000") && post("https://ROLLCALL.example:8000"));
        for other in [
            "http://rollcall.example:8001",
            "http://rollcall.example",
            "http://other.example:8000",
            "http://rollcall.example:8000.other.example",
            "http://rollcall.example:8000@other.example",
            "null",
            "rollcall.example:8000",
            "file://rollcall.example:8000",
        ] {
            assert!(!post(other), "{other}");
            assert!(!counts("GET", &[("origin", other)]), "{other}");
        }
    }

    #[test]
    fn a_request_that_says_nothing_may_only_read() {
        assert!(counts("GET", &[]) && counts("HEAD", &[]));
        assert!(!counts("POST", &[]) && !counts("DELETE", &[]) && !counts("OPTIONS", &[]));
        assert!(!counts("GET", &[("upgrade", "websocket")]));
    }

    #[test]
    fn bodies_that_a_form_can_send_do_not_count() {
        let own = ("sec-fetch-site", "same-origin");
        assert!(counts("POST", &[own]) && counts("DELETE", &[own, ("content-length", "0")]));
        assert!(counts("POST", &[own, ("content-type", "application/x-ndjson; charset=utf-8")]));
        for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=a", ""] {
            assert!(!counts("POST", &[own, ("content-type", kind)]), "{kind}");
        }
        assert!(!counts("POST", &[own, ("content-length", "2")]));
        assert!(!counts("POST", &[own, ("transfer-encoding", "chunked")]));
    }

    #[test]
    fn a_default_port_may_be_left_out() {
        let own = |host: &str, origin: &str| {
            let request = Request::builder().method("DELETE").header("host", host).header("origin", origin);
            is_request_of_own_page(&request.body(()).unwrap().into_parts().0)
        };
        assert!(own("rollcall.example", "http://rollcall.example") && own("rollcall.example:443", "https://rollcall.example"));
        assert!(own("[::1]:8000", "http://[::1]:8000"));
        assert!(!own("rollcall.example", "http://rollcall.example:8080"));
    }
}
