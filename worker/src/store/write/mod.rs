//! Writing rows: by COPY if they are many, by INSERT if they are few.

pub(crate) mod copy;
pub(crate) mod insert;
