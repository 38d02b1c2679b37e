//! Delivery: puts lines and chunks into the queue.

pub(crate) mod allowance;
pub(crate) mod compress;
pub(crate) mod lane;
pub(crate) mod trace;
pub(crate) mod wait;
