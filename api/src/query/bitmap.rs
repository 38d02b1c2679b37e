//! Bitmaps of the database.

use roaring::RoaringBitmap;

use crate::error::ApiError;

/// Adds a stored bitmap to a union.
///
/// # Errors
/// Only if the stored value is not a bitmap.
pub(super) fn unite(union: &mut RoaringBitmap, stored: &[u8]) -> Result<(), ApiError> {
    *union |= RoaringBitmap::deserialize_from(stored).map_err(ApiError::internal)?;
    Ok(())
}
