//! Why a model did not load, typed for the app.
//!
//! Outside: failures of a request, which are [`paddock_protocol::chat::ErrorCode`].

use paddock_protocol::engine::LoadErrorCode;

/// A reason and a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct LoadFailure {
    pub code: LoadErrorCode,
    pub message: String,
}

impl LoadFailure {
    pub fn new(code: LoadErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}
