//! The address that a request came from.

use std::net::IpAddr;

/// The address of a client, as an extension of its requests. Behind a proxy, it is the proxy's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ClientAddress(pub(crate) IpAddr);
