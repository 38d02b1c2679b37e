//! Sessions: what the dashboard has instead of a key, so that no script and no address ever holds the key.
//!
//! Whoever signs in with a key gets a cookie with a random [`token`]. [`Sessions`] stores the hash of the token together
//! with the hash of the key, and finds the key again. The session allows what the key allows at the moment, and ends with
//! it. Browsers send cookies with requests of any page, so a cookie counts only if the page is one of this service
//! ([`same_origin`]).

pub(super) mod same_origin;
mod sessions;
pub(super) mod token;

pub(crate) use self::same_origin::may_sign_in;
pub(crate) use self::sessions::{LIFETIME, Session, Sessions};
pub(crate) use self::token::{Token, TokenHash};
