//! Scratch memory that a thread keeps: panels of unpacked weights, rows of results. Aligned to a cache line.

use std::cell::Cell;

#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line(#[allow(dead_code, reason = "only its bytes are used, by pointer")] [u8; 64]);

thread_local! {
    static KEPT: Cell<Vec<Line>> = const { Cell::new(Vec::new()) };
}

/// Lends `bytes` bytes of this thread's scratch, aligned to 64; what is in them is left over from earlier. A call within
/// `with` gets memory of its own.
pub(crate) fn with<R>(bytes: usize, with: impl FnOnce(*mut u8) -> R) -> R {
    let mut lines = KEPT.take();
    if lines.len() * 64 < bytes {
        lines.resize(bytes.div_ceil(64), Line([0; 64]));
    }
    let result = with(lines.as_mut_ptr().cast());
    KEPT.set(lines);
    result
}

/// A pointer that several threads write through, each to places of its own.
#[derive(Clone, Copy)]
pub(crate) struct Shared<T>(pub *mut T);

// SAFETY: who uses it says at that place why the places written are apart.
unsafe impl<T> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// The pointer `at` elements on. A method, so that a closure captures the whole wrapper.
    #[inline(always)]
    pub fn at(self, at: usize) -> *mut T {
        self.0.wrapping_add(at)
    }
}
