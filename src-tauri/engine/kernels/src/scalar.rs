//! Products in plain Rust: the definition of what every kernel gives, and what runs where there is none.
//!
//! Quantised: the integer sum of a group is exact, and the f32 operations on the sums have one order, from the first
//! group to the last, each a fused multiply-add. Every instruction set keeps that order, so that all of them give the
//! same bits, and a row the same whatever batch it is in.

use crate::{activations::Activations, blocks::Block, format::Format};

/// `out[i * stride + j] = activations[i] . weights[j]` for the rows `i0..i0 + rows` and the columns `first..first + count`.
/// `zero` is what the starts in `activations` were made with.
///
/// # Safety
/// `out` is valid for `i0 + rows` rows of `stride` values, and nobody else touches those places.
pub(crate) unsafe fn columns(
    format: Format,
    weights: &[u8],
    a: &Activations,
    (i0, rows, first, count): (usize, usize, usize, usize),
    stride: usize,
    out: *mut f32,
) {
    let (k, len, bytes) = (a.k, format.block_len(), format.block_bytes());
    let (group, blocks) = (format.group(), a.k / format.block_len());
    let has_minimum = format.has_minimum();
    let mut acc = vec![0f32; rows];
    for j in first..first + count {
        let row = &weights[j * blocks * bytes..(j + 1) * blocks * bytes];
        acc.fill(0.0);
        for (b, bytes) in row.chunks_exact(bytes).enumerate() {
            let block = Block::read(format, bytes);
            for (i, acc) in acc.iter_mut().enumerate() {
                let i = i0 + i;
                let codes = &a.codes[i * k + b * len..i * k + (b + 1) * len];
                let mut t = 0f32;
                for g in 0..len / group {
                    let start = a.starts[(i * k + b * len) / group + g];
                    let sum: i32 = (g * group..(g + 1) * group)
                        .map(|at| i32::from(block.codes[at]) * i32::from(codes[at]))
                        .sum();
                    let sum = (start + sum) as f32;
                    t = if g == 0 {
                        sum * block.scales[0]
                    } else {
                        sum.mul_add(block.scales[g], t)
                    };
                    if has_minimum {
                        t = block.minima[g].mul_add(a.sums[(i * k + b * len) / 32 + g], t);
                    }
                }
                *acc = t.mul_add(a.scales[(i * k + b * len) / a.span], *acc);
            }
        }
        for (i, acc) in acc.iter().enumerate() {
            // SAFETY: i < rows and j < stride by the caller's word.
            unsafe { *out.add((i0 + i) * stride + j) = *acc };
        }
    }
}
