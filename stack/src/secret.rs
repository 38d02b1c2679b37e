//! Random passwords for the private servers.

use std::fs::File;
use std::io::{self, Read};

/// Generates a password of 128 random bits.
///
/// It consists of a letter and 32 hexadecimal digits. So it needs no escaping in a URL, and
/// nats-server, which would read `12345` as a number, reads it as text.
///
/// # Errors
/// Only if the system has no `/dev/urandom`.
pub(crate) fn password() -> io::Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().fold(String::from("p"), |text, byte| format!("{text}{byte:02x}")))
}
