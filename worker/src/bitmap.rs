//! Bitmaps, in the portable format of roaring bitmaps, in which the tables hold them.

use roaring::RoaringBitmap;

use crate::error::StoreError;

/// The bytes of a bitmap.
pub(crate) fn serialize(bitmap: &RoaringBitmap) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(bitmap.serialized_size());
    // Writing into memory cannot fail.
    let _ = bitmap.serialize_into(&mut bytes);
    bytes
}

/// The bitmap of these bytes.
///
/// # Errors
/// Only if the bytes are not a bitmap.
pub(crate) fn deserialize(bytes: &[u8]) -> Result<RoaringBitmap, StoreError> {
    RoaringBitmap::deserialize_from(bytes).map_err(|error| StoreError::Database(sqlx::Error::Decode(error.into())))
}
