//! The one place where a decoder's panic or deep recursion ends.
//!
//! Outside: limits, which are checked before a decoder is started; endless work and memory that no header announces,
//! which end with the decoder's process (the decoder crate).

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::{Format, MediaError};

/// Runs `work`; a panic in it becomes [`MediaError::Damaged`].
pub(crate) fn unwinding<T>(
    format: Format,
    work: impl FnOnce() -> Result<T, MediaError>,
) -> Result<T, MediaError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(MediaError::Damaged {
            format,
            detail: "its decoder found something that must not be there".into(),
        })
    })
}

/// Stack of a drawing thread: formats that nest let a file choose how deep the recursion goes. It is only reserved,
/// the system gives what is touched.
#[cfg(any(feature = "svg", feature = "pdf"))]
const STACK_BYTES: usize = 256 << 20;

/// Runs `work` on a thread of its own with room for deep recursion, as [`unwinding`].
#[cfg(any(feature = "svg", feature = "pdf"))]
pub(crate) fn with_room<T: Send>(
    format: Format,
    work: impl FnOnce() -> Result<T, MediaError> + Send,
) -> Result<T, MediaError> {
    let no_memory = MediaError::Damaged {
        format,
        detail: "there was no memory to draw it".into(),
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name(format!("draw {}", format.name()))
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, || unwinding(format, work));
        thread
            .ok()
            .and_then(|thread| thread.join().ok())
            .unwrap_or(Err(no_memory))
    })
}
