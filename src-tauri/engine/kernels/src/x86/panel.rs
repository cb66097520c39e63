//! A panel: some columns of the product (rows of weights) x some of k, unpacked to scratch in the order the tiles read.
//! Codes `[k / 4][columns][4]`, scales `[k / group][columns]`, minima `[k / 32][columns]`.

use super::codes::{Blocks, transpose};
use super::gemv::{Dot, eight_codes};
use core::arch::x86_64::*;

/// Where the parts of a panel lie.
#[derive(Clone, Copy)]
pub(crate) struct Panel {
    pub codes: *mut u8,
    pub scales: *mut f32,
    pub minima: *mut f32,
}

impl Panel {
    /// Bytes of a panel of `columns` x `k` of the finest groups there are.
    pub fn bytes(columns: usize, k: usize) -> usize {
        columns * k + columns * (k / 16) * 4 + columns * (k / 32) * 4 + 192
    }

    /// The parts of a panel in `memory`, which is aligned to 64 and `bytes(columns, k)` long.
    pub fn in_memory(memory: *mut u8, columns: usize, k: usize) -> Panel {
        let scales = (columns * k).next_multiple_of(64);
        let minima = (scales + columns * (k / 16) * 4).next_multiple_of(64);
        // In bounds by `bytes`; wrapping, for nothing is read here.
        Panel {
            codes: memory,
            scales: memory.wrapping_add(scales).cast(),
            minima: memory.wrapping_add(minima).cast(),
        }
    }
}

/// Unpacks `width` rows from `first` on, the weights `k0..k0 + k`, into a panel of `COLUMNS`. Columns past `width` repeat
/// the last row; what they give is not stored.
///
/// # Safety
/// AVX2 and F16C are there; `weights` holds these rows of `row_bytes` bytes; the panel has room.
#[inline(always)]
pub(crate) unsafe fn unpack<D: Dot, B: Blocks, const COLUMNS: usize>(
    weights: *const u8,
    row_bytes: usize,
    first: usize,
    width: usize,
    k0: usize,
    k: usize,
    panel: Panel,
) {
    for octet in 0..COLUMNS / 8 {
        let column = 8 * octet;
        let mut rows = [weights; 8];
        for (r, row) in rows.iter_mut().enumerate() {
            *row = weights
                .add((first + (column + r).min(width - 1)) * row_bytes + k0 / B::LEN * B::BYTES);
        }
        let mut scales = [0f32; 128];
        let mut minima = [0f32; 64];
        for b in 0..k / B::LEN {
            B::scales(&rows, scales.as_mut_ptr(), minima.as_mut_ptr());
            for g in 0..B::LEN / B::GROUP {
                let to = panel
                    .scales
                    .add((b * (B::LEN / B::GROUP) + g) * COLUMNS + column);
                _mm256_storeu_ps(to, _mm256_loadu_ps(scales.as_ptr().add(8 * g)));
            }
            if B::MINIMUM {
                for g in 0..B::LEN / 32 {
                    let to = panel.minima.add((b * (B::LEN / 32) + g) * COLUMNS + column);
                    _mm256_storeu_ps(to, _mm256_loadu_ps(minima.as_ptr().add(8 * g)));
                }
            }
            for j in 0..B::LEN / 32 {
                let quads = transpose(eight_codes::<D, B>(&rows, j));
                for (q, quad) in quads.into_iter().enumerate() {
                    let at = ((b * B::LEN + 32 * j) / 4 + q) * COLUMNS + column;
                    _mm256_storeu_si256(panel.codes.add(4 * at).cast(), quad);
                }
            }
            for row in &mut rows {
                *row = row.add(B::BYTES);
            }
        }
    }
}
