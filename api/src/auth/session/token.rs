//! The token of a session, and the cookie in which browsers keep it.

use std::fmt::Write as _;

use axum::http::{HeaderMap, HeaderValue, header};
use sha2::{Digest, Sha256};

use super::LIFETIME;
use crate::error::ApiError;

/// The name of the cookie. Browsers accept the second one only over TLS and for the whole host, so that neither another
/// service on the host's domain nor somebody on the network can plant one.
const NAME: &str = "rollcall_session";
const NAME_ON_TLS: &str = "__Host-rollcall_session";
/// Random bytes in a token. Nobody guesses 256 bits, so a plain hash protects a session in the database.
const RANDOM_BYTES: usize = 32;
/// Longest header that is searched for the cookie, in bytes. Other services on the same host may have cookies too.
const MAX_HEADER_BYTES: usize = 8 * 1024;

/// A new token, as the browser gets it. It has no Debug because it opens the session.
pub(crate) struct Token(String);

/// The SHA-256 of a token, by which the table `web_sessions` knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TokenHash([u8; 32]);

impl Token {
    /// A token from the random numbers of the operating system.
    ///
    /// # Errors
    /// Only if the system has none.
    pub(super) fn random() -> Result<Self, ApiError> {
        let mut bytes = [0; RANDOM_BYTES];
        getrandom::fill(&mut bytes).map_err(ApiError::internal)?;
        let mut digits = String::with_capacity(2 * RANDOM_BYTES);
        for byte in bytes {
            let _ = write!(digits, "{byte:02x}");
        }
        Ok(Self(digits))
    }

    pub(super) fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.0.as_bytes()).into())
    }

    /// The cookie that makes the browser send it. No script can read it, and no other site causes it to be sent.
    ///
    /// # Errors
    /// None in practice: a token consists of digits.
    pub(crate) fn cookie(&self, is_tls: bool) -> Result<HeaderValue, ApiError> {
        let (name, secure) = if is_tls { (NAME_ON_TLS, "; Secure") } else { (NAME, "") };
        let (token, seconds) = (&self.0, LIFETIME.as_secs());
        let cookie = format!("{name}={token}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
        HeaderValue::from_str(&cookie).map_err(ApiError::internal)
    }

    /// The cookies that make the browser forget whichever it has.
    pub(crate) fn forgotten() -> [HeaderValue; 2] {
        [
            HeaderValue::from_static("rollcall_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict"),
            HeaderValue::from_static("__Host-rollcall_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict; Secure"),
        ]
    }
}

impl TokenHash {
    /// As the table has it.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The token in the cookies of a request, preferably in the one that nobody can plant.
pub(crate) fn of_cookies(headers: &HeaderMap) -> Option<TokenHash> {
    let lines = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let lines = lines.filter(|line| line.len() <= MAX_HEADER_BYTES);
    let cookies: Vec<_> = lines.flat_map(|line| line.split(';')).filter_map(|cookie| cookie.trim().split_once('=')).collect();
    let named = |name| cookies.iter().find(|(found, _)| *found == name).map(|(_, token)| *token);
    let token = named(NAME_ON_TLS).or_else(|| named(NAME))?;
    // What cannot be a token is not worth a look-up.
    let is_token = token.len() == 2 * RANDOM_BYTES && token.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_token.then(|| TokenHash(Sha256::digest(token.as_bytes()).into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(cookies: &str) -> Option<TokenHash> {
        of_cookies(&HeaderMap::from_iter([(header::COOKIE, cookies.parse().unwrap())]))
    }

    #[test]
    fn a_cookie_brings_back_the_token_and_says_that_no_script_may_read_it() {
        for is_tls in [false, true] {
            let token = Token::random().unwrap();
            let cookie = token.cookie(is_tls).unwrap();
            let (pair, attributes) = cookie.to_str().unwrap().split_once("; ").unwrap();
            assert_eq!(found(pair), Some(token.hash()));
            assert_eq!(attributes.contains("; Secure"), is_tls);
            assert_eq!(pair.starts_with("__Host-"), is_tls);
            assert!(attributes.starts_with("Path=/; Max-Age=43200; HttpOnly; SameSite=Strict"), "{attributes}");
        }
    }

    #[test]
    fn among_several_cookies_the_one_that_nobody_can_plant_counts() {
        let [one, other] = [Token::random().unwrap(), Token::random().unwrap()];
        let both = format!("theme=dark; rollcall_session={}; __Host-rollcall_session={}", one.0, other.0);
        assert_eq!(found(&both), Some(other.hash()));
        assert_eq!(found(&format!("rollcall_session={}; a=b", one.0)), Some(one.hash()));
    }

    #[test]
    fn what_cannot_be_a_token_is_none() {
        let token = Token::random().unwrap().0;
        let upper = format!("{}A", &token[..63]);
        for cookies in ["", "rollcall_session", "rollcall_session=", "other=1", &format!("xrollcall_session={token}")] {
            assert_eq!(found(cookies), None, "{cookies}");
        }
        for wrong in [&token[..63], &format!("{token}0"), &upper] {
            assert_eq!(found(&format!("rollcall_session={wrong}")), None, "{wrong}");
        }
    }
}
