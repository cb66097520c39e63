//! The one error that crosses to the page.
//!
//! Outside: what went wrong inside; every crate has its own error, mapped here once.

use paddock_chat::ChatError;
use paddock_conversation::Failure;
use serde::Serialize;

/// What happened in one sentence, one next step, and a code that the page may branch on.
#[derive(Debug, Clone, Serialize, specta::Type)]
#[serde(rename_all = "camelCase")]
pub struct CommandError {
    pub code: String,
    pub message: String,
    pub next_step: String,
}

pub type Result<T> = std::result::Result<T, CommandError>;

impl From<Failure> for CommandError {
    fn from(failure: Failure) -> Self {
        Self {
            code: failure.code,
            message: failure.message,
            next_step: failure.next_step,
        }
    }
}

impl From<ChatError> for CommandError {
    fn from(error: ChatError) -> Self {
        error.failure().into()
    }
}

impl CommandError {
    pub fn new(code: &str, message: impl Into<String>, next_step: &str) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            next_step: next_step.into(),
        }
    }
}
