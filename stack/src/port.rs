//! Free ports for the servers.
//!
//! Another process may take a free port before the server listens on it. The caller then tries again
//! with another port.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::net::{Ipv4Addr, TcpListener};

use crate::StackError;

/// The first port of a range below the ports that systems use for outgoing connections (from 32768
/// on Linux, from 49152 on macOS). In that range, a client that reconnects while its server restarts
/// could get the port on which the server is about to listen again.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// Number of attempts. If all of them fail, the cause is not that ports are in use, so more attempts
/// would not help.
const TRIES: usize = 50;

/// Calls `start` with free ports, and again with others if another process has taken one of them.
///
/// # Errors
/// Any error of `start` except a port in use; [`StackError::NoFreePort`] after the last attempt.
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
    // All ports stay bound until the last one is chosen, so that they differ.
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
    // This is the only source of randomness in the standard library. A port is not a secret.
    let random = RandomState::new().build_hasher().finish();
    u16::try_from(random % u64::from(limit)).unwrap_or(0)
}
