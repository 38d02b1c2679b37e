//! Errors of a call.

use serde_json::{Value, json};

use crate::error::ApiError;

/// The result of a call that failed. An assistant reads it and can call again with other arguments.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// The error that the endpoint would return.
    #[error(transparent)]
    Question(#[from] ApiError),
    /// The answer is larger than an assistant can use.
    #[error(
        "the answer has {bytes} bytes, and a tool answers with at most {limit}; ask for less: a smaller limit, a shorter period \
         or more filters"
    )]
    TooLarge {
        /// The size of the answer.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
}

impl Refusal {
    /// The error as JSON. It is logged like an error of the endpoint.
    pub(super) fn into_details(self) -> Value {
        let message = self.to_string();
        match self {
            Self::Question(error) => error.into_details(),
            Self::TooLarge { limit, .. } => json!({ "code": "answer_too_large", "message": message, "limit_bytes": limit }),
        }
    }
}
