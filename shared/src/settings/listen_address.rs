//! Where a service listens.

use std::fmt::{self, Display};
use std::net::{SocketAddr, ToSocketAddrs};
use std::str::FromStr;

/// Where a service listens, written as an address or a host name with a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenAddress(pub SocketAddr);

impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = |error| format!("must be an address and a port, as 127.0.0.1:8000 or localhost:8000 ({error})");
        let found: Vec<SocketAddr> = text.to_socket_addrs().map_err(form)?.collect();
        // A name such as localhost has addresses of both kinds, and every client on this machine tries IPv4.
        let address = found.iter().find(|address| address.is_ipv4()).or(found.first()).copied();
        address.map(Self).ok_or_else(|| "names a host without an address".to_owned())
    }
}

impl Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_name_is_a_place_to_listen() {
        assert_eq!("localhost:8000".parse(), Ok(ListenAddress(SocketAddr::from(([127, 0, 0, 1], 8000)))));
        assert!("localhost".parse::<ListenAddress>().unwrap_err().starts_with("must be an address and a port"));
    }
}
