//! The one place where a decoder's panic ends.
//!
//! Outside: limits, which are checked before a decoder is started.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::{Format, MediaError};

/// Runs `work`; a panic in it becomes [`MediaError::Damaged`].
pub(crate) fn unwinding<T>(
    format: Format,
    work: impl FnOnce() -> Result<T, MediaError>,
) -> Result<T, MediaError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(gave_up(format)))
}

fn gave_up(format: Format) -> MediaError {
    MediaError::Damaged {
        format,
        detail: "its decoder found something that must not be there".into(),
    }
}
