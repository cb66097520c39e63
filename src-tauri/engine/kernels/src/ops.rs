//! The small operations between products, on rows of f32: norms, rotary positions, gates, softmax. Written as plain loops
//! that the compiler makes vectors of, once per instruction set. Slices that do not fit are a mistake of the caller's
//! and answered with false, nothing written.

use crate::floats::{exp, tanh};
use crate::isa::{self, Isa};
use crate::pool;
use crate::scratch::Shared;

/// Values from which an operation is shared out.
const LARGE: usize = 64 * 1024;

/// A loop, compiled once per instruction set and called by the one chosen.
macro_rules! per_isa {
    ($name:ident($($arg:ident: $type:ty),*)) => {
        mod $name {
            use super::*;
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,f16c")]
            fn avx2($($arg: $type),*) {
                super::plain::$name($($arg),*)
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq")]
            fn avx512($($arg: $type),*) {
                super::plain::$name($($arg),*)
            }
            pub fn run($($arg: $type),*) {
                match isa::chosen() {
                    // SAFETY: the chosen instruction set is available.
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx2 | Isa::AvxVnni => unsafe { avx2($($arg),*) },
                    // SAFETY: as above.
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx512Vnni => unsafe { avx512($($arg),*) },
                    _ => super::plain::$name($($arg),*),
                }
            }
        }
    };
}

per_isa!(norm_row(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]));
per_isa!(softmax_row(x: &mut [f32]));
per_isa!(silu_row(gate: &[f32], up: &[f32], out: &mut [f32]));
per_isa!(gelu_row(x: &[f32], out: &mut [f32]));
per_isa!(gelu_mul_row(gate: &[f32], up: &[f32], out: &mut [f32]));
per_isa!(rope_row(x: &mut [f32], cos: &[f32], sin: &[f32]));
per_isa!(rope_pairs_row(x: &mut [f32], cos: &[f32], sin: &[f32]));

mod plain {
    use super::{exp, tanh};

    /// Sixteen sums, for the compiler may not change the order of additions.
    #[inline(always)]
    fn sum(x: &[f32], of: impl Fn(f32) -> f32) -> f32 {
        let mut lanes = [0f32; 16];
        let mut parts = x.chunks_exact(16);
        for part in &mut parts {
            for l in 0..16 {
                lanes[l] += of(part[l]);
            }
        }
        let rest: f32 = parts.remainder().iter().map(|&x| of(x)).sum();
        lanes.iter().sum::<f32>() + rest
    }

    #[inline(always)]
    pub fn norm_row(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
        let mean = sum(x, |x| x * x) / x.len() as f32;
        let factor = 1.0 / (mean + eps).sqrt();
        for ((out, x), weight) in out.iter_mut().zip(x).zip(weight) {
            *out = x * factor * weight;
        }
    }

    #[inline(always)]
    pub fn softmax_row(x: &mut [f32]) {
        let mut lanes = [f32::NEG_INFINITY; 16];
        for part in x.chunks(16) {
            for (lane, &x) in lanes.iter_mut().zip(part) {
                *lane = if x > *lane { x } else { *lane };
            }
        }
        let largest = lanes.into_iter().fold(f32::NEG_INFINITY, f32::max);
        for x in x.iter_mut() {
            *x = exp(*x - largest);
        }
        let inverse = 1.0 / sum(x, |x| x);
        for x in x.iter_mut() {
            *x *= inverse;
        }
    }

    #[inline(always)]
    pub fn silu_row(gate: &[f32], up: &[f32], out: &mut [f32]) {
        for ((out, gate), up) in out.iter_mut().zip(gate).zip(up) {
            *out = gate / (1.0 + exp(-gate)) * up;
        }
    }

    #[inline(always)]
    fn gelu(x: f32) -> f32 {
        // The tanh form, sqrt(2 / pi) in front.
        0.5 * x * (1.0 + tanh(0.797_884_6 * x * (1.0 + 0.044_715 * x * x)))
    }

    #[inline(always)]
    pub fn gelu_row(x: &[f32], out: &mut [f32]) {
        for (out, &x) in out.iter_mut().zip(x) {
            *out = gelu(x);
        }
    }

    #[inline(always)]
    pub fn gelu_mul_row(gate: &[f32], up: &[f32], out: &mut [f32]) {
        for ((out, &gate), up) in out.iter_mut().zip(gate).zip(up) {
            *out = gelu(gate) * up;
        }
    }

    #[inline(always)]
    pub fn rope_row(x: &mut [f32], cos: &[f32], sin: &[f32]) {
        let (first, second) = x.split_at_mut(cos.len());
        for (((a, b), cos), sin) in first.iter_mut().zip(second).zip(cos).zip(sin) {
            (*a, *b) = (*a * cos - *b * sin, *a * sin + *b * cos);
        }
    }

    #[inline(always)]
    pub fn rope_pairs_row(x: &mut [f32], cos: &[f32], sin: &[f32]) {
        for ((pair, cos), sin) in x.chunks_exact_mut(2).zip(cos).zip(sin) {
            (pair[0], pair[1]) = (pair[0] * cos - pair[1] * sin, pair[0] * sin + pair[1] * cos);
        }
    }
}

/// Calls `row` with each row's number, on several threads where there is enough to do.
fn rows(count: usize, width: usize, row: &(dyn Fn(usize) + Sync)) {
    let some = (LARGE / 4 / width.max(1)).max(1);
    if count * width < LARGE {
        (0..count).for_each(row);
    } else {
        pool::parallel(count.div_ceil(some), &|u| {
            (u * some..((u + 1) * some).min(count)).for_each(row)
        });
    }
}

/// Row `i` of `width` values.
///
/// # Safety
/// The row is within what `out` points to, and nobody else uses it.
unsafe fn row_of<'a>(out: Shared<f32>, i: usize, width: usize) -> &'a mut [f32] {
    std::slice::from_raw_parts_mut(out.at(i * width), width)
}

/// `out = x / sqrt(mean(x^2) + eps) * weight` for each row as long as `weight`.
pub fn rms_norm(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) -> bool {
    let n = weight.len();
    if n == 0 || !x.len().is_multiple_of(n) || out.len() != x.len() {
        return false;
    }
    let to = Shared(out.as_mut_ptr());
    rows(x.len() / n, n, &|i| {
        // SAFETY: `out` is as long as `x`, rows are apart.
        norm_row::run(&x[i * n..(i + 1) * n], weight, eps, unsafe {
            row_of(to, i, n)
        })
    });
    true
}

/// Softmax of each row of `width` values, in place.
pub fn softmax(x: &mut [f32], width: usize) -> bool {
    if width == 0 || !x.len().is_multiple_of(width) {
        return false;
    }
    let (count, to) = (x.len() / width, Shared(x.as_mut_ptr()));
    rows(count, width, &|i| {
        // SAFETY: rows of `x` are apart.
        softmax_row::run(unsafe { row_of(to, i, width) })
    });
    true
}

/// One value in, or two, and one out, in pieces.
fn elementwise(
    n: usize,
    out: &mut [f32],
    piece: &(dyn Fn(std::ops::Range<usize>, &mut [f32]) + Sync),
) {
    const PIECE: usize = 4096;
    let to = Shared(out.as_mut_ptr());
    rows(n.div_ceil(PIECE), PIECE, &|i| {
        let range = i * PIECE..((i + 1) * PIECE).min(n);
        // SAFETY: `out` has `n` values (checked by the callers), the pieces are apart.
        let out = unsafe { std::slice::from_raw_parts_mut(to.at(range.start), range.len()) };
        piece(range, out);
    });
}

/// `out = silu(gate) * up`.
pub fn silu_mul(gate: &[f32], up: &[f32], out: &mut [f32]) -> bool {
    if gate.len() != up.len() || out.len() != up.len() {
        return false;
    }
    elementwise(up.len(), out, &|r, out| {
        silu_row::run(&gate[r.clone()], &up[r], out)
    });
    true
}

/// `out = gelu(gate) * up`, the tanh form.
pub fn gelu_mul(gate: &[f32], up: &[f32], out: &mut [f32]) -> bool {
    if gate.len() != up.len() || out.len() != up.len() {
        return false;
    }
    elementwise(up.len(), out, &|r, out| {
        gelu_mul_row::run(&gate[r.clone()], &up[r], out)
    });
    true
}

/// `out = gelu(x)`, the tanh form.
pub fn gelu(x: &[f32], out: &mut [f32]) -> bool {
    if out.len() != x.len() {
        return false;
    }
    elementwise(x.len(), out, &|r, out| gelu_row::run(&x[r], out));
    true
}

/// Turns the heads `[positions][heads][width]` of `x`, in place: `cos` and `sin` are `[positions][width / 2]`. Pairs are
/// halves apart, or with `neighbours` side by side (GPT-J's way, GGUF llama's). What a head has past twice their width stays.
pub fn rope(
    x: &mut [f32],
    heads: usize,
    width: usize,
    cos: &[f32],
    sin: &[f32],
    half: usize,
    neighbours: bool,
) -> bool {
    let fits = heads > 0 && half > 0 && 2 * half <= width && x.len().is_multiple_of(heads * width);
    let positions = if fits { x.len() / (heads * width) } else { 0 };
    if !fits || cos.len() != positions * half || sin.len() != positions * half {
        return false;
    }
    let to = Shared(x.as_mut_ptr());
    rows(positions * heads, width, &|i| {
        // SAFETY: rows of `x` are apart.
        let row = unsafe { row_of(to, i, width) };
        let at = i / heads * half..(i / heads + 1) * half;
        let turn = if neighbours {
            rope_pairs_row::run
        } else {
            rope_row::run
        };
        turn(&mut row[..2 * half], &cos[at.clone()], &sin[at]);
    });
    true
}
