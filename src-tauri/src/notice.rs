//! What is to be said once the window is there: why the chosen model is not loaded.
//!
//! Outside: finding that out.

use std::sync::{Mutex, PoisonError};

use paddock_conversation::Failure;

/// Kept for a page that asks later than it was known.
#[derive(Debug, Default)]
pub struct StartNotice(Mutex<Option<Failure>>);

impl StartNotice {
    pub fn get(&self) -> Option<Failure> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub fn set(&self, failure: Failure) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
    }
}
