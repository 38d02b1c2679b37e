//! Parsing: turns a body into events, and each event into a line that can be stored or into problems.

pub(crate) mod agreement;
pub(crate) mod batch_id;
mod judge;
pub(crate) mod name;
pub(crate) mod payload;
pub(crate) mod properties;
pub(crate) mod quick;
mod raw;
mod scan;
pub(crate) mod text;
pub(crate) mod time;
pub(crate) mod validate;
pub(crate) mod value;
pub(crate) mod wire;
