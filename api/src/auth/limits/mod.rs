//! Limits: how much a key and a project may send in a second, and how many requests a project may have at once.
//!
//! `bucket` is one token bucket, and `buckets` keeps those in use. `rate` says how large a bucket is, `limit` names
//! the limits, and `limiter` charges a request or a batch to the buckets of its key and of its project. `at_once`
//! counts the requests in progress. A `ticket` accompanies a request and collects what it was charged, from which
//! `fields` makes the header fields of the answer.
//!
//! Each process has its own buckets. Nothing here knows the other replicas, except for their number.

mod at_once;
mod bucket;
mod buckets;
mod fields;
mod limit;
mod limiter;
mod rate;
mod ticket;

pub(super) use self::buckets::Buckets;
pub(crate) use self::limit::{Limit, RateLimited};
pub(crate) use self::limiter::Limits;
pub(super) use self::limiter::Unit;
pub(super) use self::rate::Rate;
pub(crate) use self::ticket::{Ticket, announce};

/// The names of all limits, as labels of metrics.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    Limit::ALL.iter().map(|limit| limit.name()).chain([at_once::NAME])
}
