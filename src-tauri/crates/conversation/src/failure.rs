//! What went wrong, as a person reads it: a code for programs, a sentence, one next step.
//!
//! Outside: the typed errors of the crates; each of them knows how to become a [`Failure`].

use serde::{Deserialize, Serialize};
use specta::Type;

/// A user-facing failure. It is kept with the answer that it spoiled, so it must make sense later too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// Stable, camelCase; the page branches on it.
    pub code: String,
    /// One clear sentence.
    pub message: String,
    /// The one thing to do about it.
    pub next_step: String,
}

impl Failure {
    pub fn new(
        code: impl Into<String>,
        message: impl Into<String>,
        next_step: impl Into<String>,
    ) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            next_step: next_step.into(),
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.message, self.next_step)
    }
}
