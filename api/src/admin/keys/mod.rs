//! Keys: `/admin/keys` makes, lists, rotates and revokes them.
//!
//! `secret` is a key itself, which only the answer that makes it contains. `key` is a key as lists show it, and
//! `expiry` decides how long a new one may be valid. A change locks the rows of the keys that it is about,
//! together with the row of the caller's own key, so a key that was just revoked changes nothing any more.

pub(crate) mod create;
mod expiry;
mod insert;
mod key;
pub(crate) mod list;
mod lock;
pub(crate) mod revoke;
pub(crate) mod rotate;
mod secret;

pub(crate) use self::lock::check_caller;
