//! Points in time in PostgreSQL's binary format.
//!
//! PostgreSQL represents every time that an event can have, also those for which types of Rust have no value.

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo};
use sqlx::{Encode, Postgres, Type};

/// 2000-01-01, from which PostgreSQL counts times, in microseconds since 1970.
const POSTGRES_EPOCH_US: i64 = 946_684_800_000_000;

/// A value of the type `timestamptz`, in microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimestampTz(pub(crate) i64);

impl TimestampTz {
    pub(crate) fn to_bytes(self) -> [u8; 8] {
        (self.0 - POSTGRES_EPOCH_US).to_be_bytes()
    }
}

impl Type<Postgres> for TimestampTz {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("timestamptz")
    }
}

impl PgHasArrayType for TimestampTz {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("timestamptz[]")
    }
}

impl Encode<'_, Postgres> for TimestampTz {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend_from_slice(&self.to_bytes());
        Ok(IsNull::No)
    }
}
