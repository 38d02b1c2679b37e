//! Writing rows: by COPY for large batches, by INSERT for small ones.

pub(crate) mod copy;
pub(crate) mod insert;
