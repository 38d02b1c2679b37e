//! Passwords that nobody has to think up.

use std::fs::File;
use std::io::{self, Read};

/// Makes a password of 128 random bits.
///
/// It is a letter and 32 hexadecimal digits, so it needs no escaping in a URL and nats-server, which
/// reads `12345` as a number, always takes it for text.
///
/// # Errors
/// Only if the system has no `/dev/urandom`.
pub(crate) fn password() -> io::Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().fold(String::from("p"), |text, byte| format!("{text}{byte:02x}")))
}
