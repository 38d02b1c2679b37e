//! CORS: which web pages of other origins may call the API.
//!
//! A browser lets a page read the answers of another origin only if that origin agrees. Rollcall has no cookies, and a
//! page that calls it must have a key, so the key decides what the page may do. The setting says only which pages may
//! use keys at all. Paths that need no key, and those of administration, agree to no other origin (see `router`):
//! otherwise any web page could read them through the browser of somebody inside the network.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, Uri, header};
use rollcall_shared::settings::Environment;
use tower_http::cors::{AllowOrigin, CorsLayer};

/// How long a browser may remember the answer to a preflight request. Browsers remember for two hours at most, and a
/// page that is no longer allowed is refused after this time.
const MAX_AGE: Duration = Duration::from_secs(600);

const MEANING: &str =
    "origins of web pages that may call the API, as https://app.example.com, separated by commas; * for all, none when empty";

/// The origins whose pages may call the API.
#[derive(Debug, Clone, Default)]
pub struct CorsSettings {
    /// None by default.
    pub allowed_origins: Vec<Origin>,
}

/// Origins of web pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// All of them.
    Any,
    /// The one that browsers send as this value of `Origin`.
    Exact(HeaderValue),
}

impl FromStr for Origin {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = "must be a scheme and a host, and a port if it is not the usual one, without a path";
        if text == "*" {
            return Ok(Self::Any);
        }
        // Browsers send host names in lower case.
        let text = text.to_ascii_lowercase();
        let uri: Uri = text.parse().map_err(|_| form)?;
        let (scheme, host) = (uri.scheme_str().ok_or(form)?, uri.host().ok_or(form)?);
        if !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte)) {
            return Err(form);
        }
        let usual_port = match scheme {
            "http" => 80,
            "https" => 443,
            _ => return Err(form),
        };
        let port = uri.port_u16().filter(|port| *port != usual_port).map(|port| format!(":{port}")).unwrap_or_default();
        // Whatever else is in the text, such as a path or a user, is not part of an origin.
        let origin = format!("{scheme}://{host}{port}");
        if text != origin { Err(form) } else { HeaderValue::from_str(&origin).map(Self::Exact).map_err(|_| form) }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Exact(origin) => f.write_str(&String::from_utf8_lossy(origin.as_bytes())),
        }
    }
}

impl CorsSettings {
    /// Reads `CORS_ALLOWED_ORIGINS`.
    pub(crate) fn from_env(environment: &mut Environment) -> Self {
        Self { allowed_origins: environment.read_list("CORS_ALLOWED_ORIGINS", MEANING) }
    }

    /// The layer that answers preflight requests and adds the headers; none if no page of another origin may call.
    pub(crate) fn layer(&self) -> Option<CorsLayer> {
        let exact = self.allowed_origins.iter().map(|origin| match origin {
            Origin::Any => None,
            Origin::Exact(origin) => Some(origin.clone()),
        });
        let origins = match exact.collect::<Option<Vec<_>>>() {
            None => AllowOrigin::any(),
            Some(exact) if exact.is_empty() => return None,
            Some(exact) => AllowOrigin::list(exact),
        };
        let asked = [
            header::AUTHORIZATION,
            header::CONTENT_ENCODING,
            header::CONTENT_TYPE,
            HeaderName::from_static("idempotency-key"),
            HeaderName::from_static("last-event-id"),
            HeaderName::from_static("x-api-key"),
            HeaderName::from_static("x-request-id"),
        ];
        let answered = ["ratelimit", "ratelimit-policy", "retry-after", "x-next-cursor", "x-request-id"];
        // Credentials, which are cookies to a browser, are never allowed.
        let layer = CorsLayer::new().allow_origin(origins).allow_methods([Method::GET, Method::POST]).allow_headers(asked);
        Some(layer.expose_headers(answered.map(HeaderName::from_static)).max_age(MAX_AGE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_scheme_a_host_and_a_port() {
        for text in ["*", "https://app.example.com", "http://localhost:3000", "http://[::1]:3000"] {
            assert_eq!(text.parse::<Origin>().unwrap().to_string(), text);
        }
        assert_eq!("https://App.Example.com".parse::<Origin>().unwrap().to_string(), "https://app.example.com");
        for text in [
            "",
            "null",
            "app.example.com",
            "ftp://app.example.com",
            "https://",
            "https://app.example.com/",
            "https://app.example.com/path",
            "https://app.example.com:443",
            "https://user@app.example.com",
            "https://*.example.com",
        ] {
            assert!(text.parse::<Origin>().is_err(), "{text}");
        }
    }
}
