//! Free ports for the servers.
//!
//! A port that is free now may be taken before the server listens on it, so whoever asks for one
//! tries again with another when the server finds it taken.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::net::{Ipv4Addr, TcpListener};

use crate::StackError;

/// Below the range that systems give to outgoing connections (32768 and up on Linux, 49152 on
/// macOS). A client that reconnects while its server restarts could otherwise be given the very port
/// that the server is about to listen on again.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// This many ports in a row are never all taken. More attempts would only hide another fault.
const TRIES: usize = 50;

/// Starts something on free ports, again with others each time `start` finds one taken.
///
/// # Errors
/// What `start` returned, unless that was a taken port; [`StackError::NoFreePort`] if all were.
pub(crate) fn with_free_ports<const N: usize, T>(
    mut start: impl FnMut([u16; N]) -> Result<T, StackError>,
) -> Result<T, StackError> {
    for _ in 0..TRIES {
        match start(free_ports()?) {
            Err(error) if error.is_port_taken() => {
                tracing::debug!("another process took the port first, trying another");
            }
            other => return other,
        }
    }
    Err(StackError::NoFreePort)
}

fn free_ports<const N: usize>() -> Result<[u16; N], StackError> {
    // All stay bound until the last is chosen, so no two are the same.
    let mut held = Vec::with_capacity(N);
    for _ in 0..TRIES + N {
        let port = FIRST + random_below(COUNT);
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            held.push((port, listener));
        }
        if held.len() == N {
            return Ok(std::array::from_fn(|n| held[n].0));
        }
    }
    Err(StackError::NoFreePort)
}

fn random_below(limit: u16) -> u16 {
    // The standard library's only source of randomness; a port is no secret.
    let random = RandomState::new().build_hasher().finish();
    u16::try_from(random % u64::from(limit)).unwrap_or(0)
}
