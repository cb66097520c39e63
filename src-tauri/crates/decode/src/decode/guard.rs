//! The one place where a decoder's panic, endless work or deep recursion ends.
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

/// Longest time that reading a file of drawing commands may take, and drawing it. One that needs longer was made to, or is
/// of no use as a picture. Both together stay below ten seconds.
#[cfg(any(feature = "svg", feature = "pdf"))]
#[derive(Clone, Copy, Debug)]
pub(crate) enum Patience {
    Reading,
    Drawing,
}

#[cfg(any(feature = "svg", feature = "pdf"))]
impl Patience {
    const fn limit(self) -> std::time::Duration {
        std::time::Duration::from_secs(match self {
            Self::Reading => 3,
            Self::Drawing => 6,
        })
    }
}

/// Stack of a drawing thread: formats that nest let a file choose how deep the recursion goes. It is only reserved,
/// the system gives what is touched.
#[cfg(any(feature = "svg", feature = "pdf"))]
const STACK_BYTES: usize = 256 << 20;

/// Runs `work` on a thread of its own with room for deep recursion, and waits for it for a limited time.
///
/// A thread that takes too long cannot be stopped; it is left alone and its result dropped.
#[cfg(any(feature = "svg", feature = "pdf"))]
pub(crate) fn patiently<T: Send + 'static>(
    format: Format,
    patience: Patience,
    work: impl FnOnce() -> Result<T, MediaError> + Send + 'static,
) -> Result<T, MediaError> {
    let (send, receive) = std::sync::mpsc::sync_channel(1);
    let thread = std::thread::Builder::new()
        .name(format!("draw {}", format.name()))
        .stack_size(STACK_BYTES);
    let started = thread.spawn(move || {
        let _ = send.send(unwinding(format, work));
    });
    if started.is_err() {
        return Err(MediaError::Damaged {
            format,
            detail: "there was no memory to draw it".into(),
        });
    }
    receive.recv_timeout(patience.limit()).unwrap_or_else(|_| {
        let doing = match patience {
            Patience::Reading => "reading",
            Patience::Drawing => "drawing",
        };
        let seconds = patience.limit().as_secs();
        let detail = format!("{doing} it takes longer than {seconds} seconds");
        Err(MediaError::Damaged { format, detail })
    })
}
