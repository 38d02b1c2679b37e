//! Ports for services that listen on the same one after every start.

use std::net::{Ipv4Addr, TcpListener};

/// Below the range that systems give to outgoing connections, and below that of the private servers:
/// otherwise a client could be given the port of a service that is just being started again.
const PORTS: std::ops::Range<u16> = 10_000..20_000;

/// A port that is free at this moment.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn free_port() -> u16 {
    let mut ports = std::iter::repeat_with(|| rand::random_range(PORTS));
    ports.find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()).expect("there are free ports")
}
