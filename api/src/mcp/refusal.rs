//! Why a call fails.

use serde_json::{Value, json};

use crate::error::ApiError;

/// The result of a call that failed. An assistant reads it and can call again with other arguments.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// The question was refused, as the endpoint refuses it.
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
        /// The most that is answered.
        limit: usize,
    },
}

impl Refusal {
    /// What is wrong, as JSON. Logs it as the endpoint does.
    pub(super) fn into_details(self) -> Value {
        let message = self.to_string();
        match self {
            Self::Question(error) => error.into_details(),
            Self::TooLarge { limit, .. } => json!({ "code": "answer_too_large", "message": message, "limit_bytes": limit }),
        }
    }
}
