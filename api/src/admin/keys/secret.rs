//! The text of a new key.

use rollcall_shared::settings::Secret;

use crate::auth::KeyHash;
use crate::error::ApiError;

/// What every key begins with, so that people and scanners of repositories recognise one.
const PREFIX: &str = "rk_";
/// Random bytes in a key. Nobody guesses 256 bits, so a plain hash protects a key in the database.
const RANDOM_BYTES: usize = 32;

/// A new key.
#[derive(Debug)]
pub(super) struct NewSecret(Secret);

impl NewSecret {
    /// A key from the random numbers of the operating system.
    ///
    /// # Errors
    /// Only if the system has none.
    pub(super) fn random() -> Result<Self, ApiError> {
        let mut bytes = [0; RANDOM_BYTES];
        getrandom::fill(&mut bytes).map_err(ApiError::internal)?;
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self(Secret::new(format!("{PREFIX}{digits}"))))
    }

    /// As the table has it.
    pub(super) fn hash(&self) -> KeyHash {
        KeyHash::of(self.0.expose())
    }

    /// The text for the one answer that shows it.
    pub(super) fn expose(&self) -> &str {
        self.0.expose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_long_differ_and_do_not_show_in_debug_output() {
        let (one, other) = (NewSecret::random().unwrap(), NewSecret::random().unwrap());
        for key in [&one, &other] {
            assert_eq!(key.expose().len(), 3 + 64);
            assert!(key.expose().starts_with("rk_") && !format!("{key:?}").contains(&key.expose()[3..]));
        }
        assert_ne!(one.hash(), other.hash());
    }
}
