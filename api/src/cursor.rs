//! Cursors: where the next page of a list begins.
//!
//! A cursor is the position of the last row of a page, signed with a key that all replicas read from
//! the database. The signature covers the project and the question with its filters, so that a cursor
//! continues only the list that it came from.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use rollcall_shared::project::ProjectId;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::Sha256;
use sqlx::PgConnection;
use tokio::sync::OnceCell;

use crate::error::ApiError;
use crate::parameters::{Param, Parameters};
use crate::problem::Problem;

pub(crate) const CURSOR: Param =
    Param::new(&["cursor"], "The `next_cursor` of the page before, for the page after it. The filters must be the same.");

/// Size of the signature in a cursor in bytes.
const SIGNATURE_BYTES: usize = 16;
/// Longest cursor that is accepted, in characters.
const MAX_CHARACTERS: usize = 2_000;

/// A cursor as a client sent it.
#[derive(Debug, Clone)]
pub(crate) struct SentCursor(String);

impl SentCursor {
    /// Reads `cursor`.
    pub(crate) fn take(parameters: &mut Parameters) -> Option<Self> {
        parameters.text(CURSOR).map(Self)
    }
}

/// Signs cursors. Clones share the key.
#[derive(Clone, Default)]
pub(crate) struct Cursors {
    key: Arc<OnceCell<Vec<u8>>>,
}

impl Cursors {
    pub(crate) fn list<'a>(&'a self, project: ProjectId, fingerprint: &'a [u8; 32]) -> List<'a> {
        List { cursors: self, project, fingerprint }
    }

    async fn key(&self, connection: &mut PgConnection) -> Result<&[u8], ApiError> {
        let read = async || sqlx::query_file_scalar!("sql/rows/cursor_key.sql").fetch_one(&mut *connection).await;
        Ok(self.key.get_or_try_init(read).await?)
    }
}

/// A list that clients read page by page.
pub(crate) struct List<'a> {
    cursors: &'a Cursors,
    project: ProjectId,
    fingerprint: &'a [u8; 32],
}

impl List<'_> {
    /// The cursor of a position.
    ///
    /// # Errors
    /// Those of the database, because the key is read from it.
    pub(crate) async fn cursor(&self, position: &impl Serialize, connection: &mut PgConnection) -> Result<String, ApiError> {
        let position = serde_json::to_vec(position).map_err(ApiError::internal)?;
        let mut bytes = self.signature(&position, connection).await?;
        bytes.extend(position);
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The position in a client's cursor.
    ///
    /// # Errors
    /// [`ApiError::Parameters`] if it is not a cursor of this list, and those of the database.
    pub(crate) async fn position<P: DeserializeOwned>(
        &self,
        cursor: &SentCursor,
        connection: &mut PgConnection,
    ) -> Result<P, ApiError> {
        let bytes =
            Some(&cursor.0).filter(|text| text.len() <= MAX_CHARACTERS).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        let Some((signature, position)) = bytes.as_deref().and_then(|bytes| bytes.split_at_checked(SIGNATURE_BYTES)) else {
            return Err(not_of_this_list());
        };
        let expected = self.signature(position, connection).await?;
        if !bool::from(subtle::ConstantTimeEq::ct_eq(&expected[..], signature)) {
            return Err(not_of_this_list());
        }
        serde_json::from_slice(position).map_err(|_| not_of_this_list())
    }

    async fn signature(&self, position: &[u8], connection: &mut PgConnection) -> Result<Vec<u8>, ApiError> {
        let key = self.cursors.key(connection).await?;
        let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(ApiError::internal)?;
        mac.update(&self.project.0.to_le_bytes());
        mac.update(self.fingerprint);
        mac.update(position);
        Ok(mac.finalize().into_bytes()[..SIGNATURE_BYTES].to_vec())
    }
}

fn not_of_this_list() -> ApiError {
    let message = "must be the next_cursor of an answer to the same question with the same filters";
    ApiError::Parameters(vec![Problem::of_parameter(CURSOR.name(), "invalid_cursor", message)])
}
