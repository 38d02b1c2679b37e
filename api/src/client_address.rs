//! The address of a client, which may be behind proxies.
//!
//! A proxy writes the address of whoever connected to it at the end of a header. Everything before that is what the
//! client, or another proxy, had sent, and a client can send whatever it likes. So the header is read from its end, and
//! only as far as the addresses are those of trusted proxies: the first one that is not is the client. Addresses are
//! never logged.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, header};
use axum::middleware::Next;
use axum::response::Response;
use ipnet::IpNet;
use rollcall_shared::settings::Environment;
use strum::VariantNames;

use crate::error::ApiError;
use crate::settings::ApiSettings;

/// Most proxies that a request is expected to pass. More entries than that are not looked at.
const MAX_PROXIES: usize = 16;

/// Which proxies are believed.
#[derive(Debug, Clone)]
pub struct ProxySettings {
    /// Their networks. Without any, the client is whoever connects.
    pub trusted: Vec<Network>,
    /// The header that they write. A proxy that writes one of them passes on what the client sent in the other.
    pub header: ProxyHeader,
}

/// A network, or a single address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network(IpNet);

/// The headers that name clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display, strum::EnumString, strum::VariantNames)]
#[strum(serialize_all = "kebab-case", parse_err_ty = String, parse_err_fn = no_header)]
pub enum ProxyHeader {
    /// Addresses separated by commas.
    XForwardedFor,
    /// RFC 7239.
    Forwarded,
}

fn no_header(_: &str) -> String {
    format!("must be {}", ProxyHeader::VARIANTS.join(" or "))
}

impl FromStr for Network {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let address = || text.parse().map(|address: IpAddr| IpNet::from(address));
        text.parse().or_else(|_| address()).map(Self).map_err(|_| "is neither a network nor an address")
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ProxySettings {
    /// Reads `TRUSTED_PROXIES` and `TRUSTED_PROXY_HEADER`.
    pub(crate) fn from_env(environment: &mut Environment) -> Self {
        Self {
            trusted: environment.read_list(
                "TRUSTED_PROXIES",
                "networks or addresses of proxies in front of the API, as 10.0.0.0/8, separated by commas; none when empty",
            ),
            header: environment.read(
                "TRUSTED_PROXY_HEADER",
                ProxyHeader::XForwardedFor,
                "header in which these proxies name the client: x-forwarded-for or forwarded",
            ),
        }
    }

    /// The client that sent a request with these headers over a connection from `peer`.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        let name = match self.header {
            ProxyHeader::XForwardedFor => HeaderName::from_static("x-forwarded-for"),
            ProxyHeader::Forwarded => header::FORWARDED,
        };
        let lines = headers.get_all(name).iter().rev().map(|line| line.to_str().unwrap_or_default());
        for entry in lines.flat_map(|line| line.rsplit(',')).take(MAX_PROXIES) {
            if !self.trusted.iter().any(|network| network.0.contains(&client)) {
                break;
            }
            // Without an address, as in `for=unknown`, the client is somewhere behind this proxy.
            let Some(address) = self.address(entry) else { break };
            client = address;
        }
        client
    }

    fn address(&self, entry: &str) -> Option<IpAddr> {
        let node = match self.header {
            ProxyHeader::XForwardedFor => entry.trim(),
            ProxyHeader::Forwarded => entry.split(';').find_map(|pair| {
                let (name, value) = pair.trim().split_once('=')?;
                name.eq_ignore_ascii_case("for").then(|| value.trim_matches('"'))
            })?,
        };
        // An address of IPv6 is in brackets where a port may follow, and some proxies write them always.
        let bare = node.strip_prefix('[').and_then(|node| node.strip_suffix(']')).unwrap_or(node);
        let address = bare.parse().or_else(|_| node.parse().map(|socket: SocketAddr| socket.ip()));
        address.ok().map(|address| address.to_canonical())
    }
}

/// Who connected, as an extension of every request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// The address of the client, as far as it can be known. Another extension of every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ClientAddress(pub(crate) IpAddr);

impl<S: Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get().copied().ok_or_else(|| ApiError::internal("the request has no peer"))
    }
}

/// Gives the request the address of its client.
pub(crate) async fn find(State(settings): State<Arc<ApiSettings>>, mut request: Request, next: Next) -> Response {
    if let Some(Peer(peer)) = request.extensions().get().copied() {
        let client = ClientAddress(settings.proxies.client(peer, request.headers()));
        request.extensions_mut().insert(client);
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use proptest::prelude::{any, prop, prop_assert_eq, proptest};

    use super::*;

    const PROXY: &str = "10.0.0.1";

    fn settings(header: ProxyHeader) -> ProxySettings {
        let trusted = ["10.0.0.0/8", "192.168.7.7", "fd00::/8"].map(|network| network.parse().unwrap());
        ProxySettings { trusted: trusted.into(), header }
    }

    fn client(header: ProxyHeader, peer: &str, lines: &[&str]) -> String {
        let name = HeaderName::try_from(header.to_string()).unwrap();
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(&name, HeaderValue::from_str(line).unwrap());
        }
        settings(header).client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn the_client_is_the_last_address_that_is_no_trusted_proxy() {
        for (lines, expected) in [
            (&[][..], PROXY),
            (&["1.2.3.4"], "1.2.3.4"),
            (&["9.9.9.9, 1.2.3.4"], "1.2.3.4"),
            (&["9.9.9.9, 1.2.3.4, 10.1.1.1, 192.168.7.7"], "1.2.3.4"),
            (&["9.9.9.9", "1.2.3.4", "10.1.1.1"], "1.2.3.4"),
            (&["1.2.3.4:5678"], "1.2.3.4"),
            (&["2001:db8::1"], "2001:db8::1"),
            (&["[2001:db8::1]:5678"], "2001:db8::1"),
            (&["[2001:db8::1]"], "2001:db8::1"),
            (&["::ffff:1.2.3.4"], "1.2.3.4"),
            (&["10.2.2.2, 10.3.3.3"], "10.2.2.2"),
            (&["1.2.3.4, unknown"], PROXY),
            (&["1.2.3.4, "], PROXY),
        ] {
            assert_eq!(client(ProxyHeader::XForwardedFor, PROXY, lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn the_header_of_rfc_7239_says_the_same() {
        for (line, expected) in [
            ("for=1.2.3.4", "1.2.3.4"),
            ("for=9.9.9.9, For=1.2.3.4;proto=https;by=10.1.1.1", "1.2.3.4"),
            ("proto=https ; for=\"[2001:db8::1]:5678\"", "2001:db8::1"),
            ("for=\"1.2.3.4:5678\"", "1.2.3.4"),
            ("for=1.2.3.4, for=unknown", PROXY),
            ("for=1.2.3.4, for=_hidden", PROXY),
            ("for=\"9.9.9.9, for=1.2.3.4", "1.2.3.4"),
            ("for=1.2.3.4, by=10.1.1.1", PROXY),
        ] {
            assert_eq!(client(ProxyHeader::Forwarded, PROXY, &[line]), expected, "{line}");
        }
    }

    #[test]
    fn nobody_else_is_believed() {
        for peer in ["1.1.1.1", "11.0.0.1", "2001:db8::2"] {
            assert_eq!(client(ProxyHeader::XForwardedFor, peer, &["1.2.3.4"]), peer);
        }
        // A dual-stack listener sees an address of IPv4 as one of IPv6.
        assert_eq!(client(ProxyHeader::XForwardedFor, "::ffff:10.0.0.1", &["1.2.3.4"]), "1.2.3.4");
    }

    #[test]
    fn a_network_is_an_address_with_or_without_a_length() {
        for text in ["10.0.0.0/8", "fd00::/8", "192.168.7.7", "::1"] {
            assert!(text.parse::<Network>().is_ok(), "{text}");
        }
        for text in ["", "10.0.0.0/33", "proxy.example.com", "10.0.0.0/8/8"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }

    proptest! {
        /// Whatever a client sends, the address that the proxy added after it counts.
        #[test]
        fn what_the_client_sends_changes_nothing(
            sent in prop::collection::vec("[ -~]{0,60}", 0..5),
            address: [u8; 4],
            uses_forwarded in any::<bool>(),
        ) {
            let address = IpAddr::from([address[0] % 10, address[1], address[2], address[3]]);
            let (header, added) = match uses_forwarded {
                true => (ProxyHeader::Forwarded, format!("for={address};proto=https")),
                false => (ProxyHeader::XForwardedFor, address.to_string()),
            };
            let mut lines: Vec<&str> = sent.iter().map(String::as_str).collect();
            // A proxy adds to the last line, or adds a line.
            let last = lines.pop().map_or_else(|| added.clone(), |last| format!("{last}, {added}"));
            lines.push(&last);
            prop_assert_eq!(client(header, PROXY, &lines), address.to_string());
            lines.push(&added);
            prop_assert_eq!(client(header, PROXY, &lines), address.to_string());
        }
    }
}
