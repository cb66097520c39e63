//! Scratch memory that a thread keeps: panels of unpacked weights, rows of results. Aligned to a cache line.

use std::cell::Cell;

#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line(#[allow(dead_code, reason = "only its bytes are used, by pointer")] [u8; 64]);

thread_local! {
    static KEPT: Cell<Vec<Line>> = const { Cell::new(Vec::new()) };
}

/// Memory lent from what this thread keeps; who borrows while it is lent gets memory of its own. What is in it is left
/// over from earlier.
pub(crate) struct Lent(Vec<Line>);

impl Lent {
    pub fn new(bytes: usize) -> Lent {
        let mut lines = KEPT.take();
        if lines.len() * 64 < bytes {
            lines.resize(bytes.div_ceil(64), Line([0; 64]));
        }
        Lent(lines)
    }

    /// Its first byte, aligned to 64.
    pub fn start(&mut self) -> *mut u8 {
        self.0.as_mut_ptr().cast()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        KEPT.set(std::mem::take(&mut self.0));
    }
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
