//! Activations as eight-bit codes, once per product and shared by all its columns: per 32 for the formats with blocks of
//! 32 (ggml's Q8_0 and Q8_1), per 256 for the K formats (Q8_K). Rounding is to the nearest, ties to even (ggml's SIMD
//! code; candle rounds ties away from zero). Scales stay f32, where ggml stores f16: closer, and nothing overflows.
//! A group that holds a value that is not finite gets the scale NaN, which then reaches every result of its row.

use crate::format::Format;

/// Largest magnitude below which a group counts as zeros: its reciprocal would overflow.
const TINY: f32 = 1e-30;

/// Rows of activations, quantised for one format of weights.
pub(crate) struct Activations {
    pub rows: usize,
    pub k: usize,
    /// `[rows][k]`
    pub codes: Vec<i8>,
    /// One per activation group (`span`), `[rows][k / span]`
    pub scales: Vec<f32>,
    /// `-zero * sum(codes)` per group of weights (`group`), `[rows][k / group]`: where the integer sum starts, so that
    /// unsigned codes of weights give the product of signed ones.
    pub starts: Vec<i32>,
    /// Sum of the codes per 32, `[rows][k / 32]`; what a minimum is multiplied by.
    pub sums: Vec<f32>,
    pub span: usize,
    pub group: usize,
}

impl Activations {
    /// Room for `rows` rows of `k` activations for weights of `format`.
    pub fn new(format: Format, rows: usize, k: usize) -> Activations {
        let span = format.block_len();
        let group = format.group();
        Activations {
            rows,
            k,
            codes: vec![0; rows * k],
            scales: vec![0.0; rows * (k / span)],
            starts: vec![0; rows * (k / group)],
            sums: vec![
                0.0;
                if format.has_minimum() {
                    rows * (k / 32)
                } else {
                    0
                }
            ],
            span,
            group,
        }
    }
}

impl Activations {
    /// The rows `order` names, in that order.
    pub fn gathered(&self, order: impl ExactSizeIterator<Item = usize>) -> Activations {
        fn take<T: Copy>(from: &[T], rows: &[usize], all: usize) -> Vec<T> {
            let width = from.len() / all.max(1);
            rows.iter()
                .flat_map(|&r| &from[r * width..(r + 1) * width])
                .copied()
                .collect()
        }
        let rows: Vec<usize> = order.collect();
        Activations {
            rows: rows.len(),
            k: self.k,
            codes: take(&self.codes, &rows, self.rows),
            scales: take(&self.scales, &rows, self.rows),
            starts: take(&self.starts, &rows, self.rows),
            sums: take(&self.sums, &rows, self.rows),
            span: self.span,
            group: self.group,
        }
    }
}

/// Where one row's quantised form goes: the slices of `Activations` that belong to it.
pub(crate) struct RowOut<'a> {
    pub codes: &'a mut [i8],
    pub scales: &'a mut [f32],
    pub starts: &'a mut [i32],
    pub sums: &'a mut [f32],
}

/// Quantises one row. `zero` is what the kernel's codes of weights have been raised by.
#[inline(always)]
pub(crate) fn quantise_row(x: &[f32], span: usize, group: usize, zero: i32, out: RowOut<'_>) {
    for (s, x) in x.chunks_exact(span).enumerate() {
        let codes = &mut out.codes[s * span..(s + 1) * span];
        out.scales[s] = if span == 256 {
            quantise_256(x, codes)
        } else {
            quantise_32(x, codes)
        };
        for (g, codes) in codes.chunks_exact(group).enumerate() {
            let sum: i32 = codes.iter().map(|&c| i32::from(c)).sum();
            out.starts[s * (span / group) + g] = -zero * sum;
        }
        if !out.sums.is_empty() {
            for (g, codes) in codes.chunks_exact(32).enumerate() {
                let sum: i32 = codes.iter().map(|&c| i32::from(c)).sum();
                out.sums[s * (span / 32) + g] = sum as f32;
            }
        }
    }
}

/// Largest magnitude, or None where a value is not finite. Eight lanes, for floats may not be reordered by the compiler.
#[inline(always)]
fn largest(x: &[f32]) -> Option<f32> {
    let mut lanes = [0u32; 8];
    for x in x.chunks_exact(8) {
        for (lane, x) in lanes.iter_mut().zip(x) {
            // Magnitudes order like their bits, infinities and NaN above all.
            *lane = (*lane).max(x.to_bits() & 0x7fff_ffff);
        }
    }
    let bits = lanes.into_iter().fold(0, u32::max);
    (bits < 0x7f80_0000).then(|| f32::from_bits(bits))
}

/// Nearest integer, ties to even, of a value below 2^22 in magnitude: adding 1.5 * 2^23 leaves no fraction bits.
#[inline(always)]
fn nearest(x: f32) -> i32 {
    const MAGIC: f32 = 12_582_912.0;
    (x + MAGIC).to_bits() as i32 - MAGIC.to_bits() as i32
}

/// ggml's Q8_0: the scale makes the largest magnitude 127.
#[inline(always)]
fn quantise_32(x: &[f32], codes: &mut [i8]) -> f32 {
    let Some(largest) = largest(x) else {
        codes.fill(0);
        return f32::NAN;
    };
    if largest < TINY {
        codes.fill(0);
        return 0.0;
    }
    let scale = largest / 127.0;
    let inverse = 127.0 / largest;
    for (code, x) in codes.iter_mut().zip(x) {
        *code = nearest(x * inverse) as i8;
    }
    scale
}

/// ggml's Q8_K: the value of largest magnitude becomes -128, whichever its sign, and +128 is cut to 127.
#[inline(always)]
fn quantise_256(x: &[f32], codes: &mut [i8]) -> f32 {
    let Some(largest) = largest(x) else {
        codes.fill(0);
        return f32::NAN;
    };
    if largest < TINY {
        codes.fill(0);
        return 0.0;
    }
    let signed = x
        .iter()
        .copied()
        .find(|x| x.abs() == largest)
        .unwrap_or(largest);
    let inverse = -128.0 / signed;
    for (code, x) in codes.iter_mut().zip(x) {
        *code = nearest(x * inverse).min(127) as i8;
    }
    1.0 / inverse
}
