//! Products of few rows of activations: eight rows of weights at once, on the stored layout, every byte read once.

use super::codes::Blocks;
use crate::activations::Activations;
use core::arch::x86_64::*;

/// Integer products in 256 bits.
pub(crate) trait Dot: Copy {
    /// Whether signed codes are made unsigned (raised by 128) before the product.
    const RAISES: bool;
    /// Sums of four products each of `w` (unsigned, or signed where `SIGNED` and not `RAISES`) and `a` (signed).
    unsafe fn dot<const SIGNED: bool>(w: __m256i, a: __m256i) -> __m256i;
}

#[derive(Clone, Copy)]
pub(crate) struct Maddubs;

impl Dot for Maddubs {
    const RAISES: bool = false;
    #[inline(always)]
    unsafe fn dot<const SIGNED: bool>(w: __m256i, a: __m256i) -> __m256i {
        // Q8_0's activations stay within 127, so 2 * 128 * 127 fits 16 bits.
        let pairs = if SIGNED {
            _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(a, w))
        } else {
            _mm256_maddubs_epi16(w, a)
        };
        _mm256_madd_epi16(pairs, _mm256_set1_epi16(1))
    }
}

#[derive(Clone, Copy)]
pub(crate) struct AvxVnni;

impl Dot for AvxVnni {
    const RAISES: bool = true;
    #[inline(always)]
    unsafe fn dot<const SIGNED: bool>(w: __m256i, a: __m256i) -> __m256i {
        _mm256_dpbusd_avx_epi32(_mm256_setzero_si256(), w, a)
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Avx512Vnni;

impl Dot for Avx512Vnni {
    const RAISES: bool = true;
    #[inline(always)]
    unsafe fn dot<const SIGNED: bool>(w: __m256i, a: __m256i) -> __m256i {
        _mm256_dpbusd_epi32(_mm256_setzero_si256(), w, a)
    }
}

/// Sub-block `j` of the block at `p`, unsigned where `D` wants it so.
#[inline(always)]
pub(crate) unsafe fn codes<D: Dot, B: Blocks>(p: *const u8, j: usize) -> __m256i {
    let codes = B::codes(p, j);
    if B::SIGNED && D::RAISES {
        _mm256_xor_si256(codes, _mm256_set1_epi8(-128))
    } else {
        codes
    }
}

/// Sub-block `j` of eight blocks.
#[inline(always)]
pub(crate) unsafe fn eight_codes<D: Dot, B: Blocks>(
    rows: &[*const u8; 8],
    j: usize,
) -> [__m256i; 8] {
    // Written as a loop: a closure would not be compiled for the instruction set.
    let mut w = [_mm256_setzero_si256(); 8];
    for r in 0..8 {
        w[r] = codes::<D, B>(rows[r], j);
    }
    w
}

/// What the codes of `B` are raised by under `D`.
pub(crate) const fn zero<D: Dot, B: Blocks>() -> i32 {
    if B::SIGNED && !D::RAISES { 0 } else { B::ZERO }
}

/// Bytes to fetch ahead of what is being read.
const AHEAD: usize = 1024;

/// `out[i * stride + j]` for the columns `first..first + count` and the rows `i0..i0 + M`.
///
/// # Safety
/// The instruction set of `D` and B's AVX2 and F16C are there; `weights` holds `n` rows, `first + count <= n`; `out` is
/// valid for those places and nobody else touches them.
#[inline(always)]
pub(crate) unsafe fn columns<D: Dot, B: Blocks, const M: usize>(
    weights: *const u8,
    a: &Activations,
    i0: usize,
    first: usize,
    count: usize,
    stride: usize,
    out: *mut f32,
) {
    let blocks = a.k / B::LEN;
    let row_bytes = blocks * B::BYTES;
    let mut j = first;
    while j < first + count {
        let width = (first + count - j).min(8);
        // Rows past the last one repeat it: they are computed and not stored.
        let mut rows = [weights; 8];
        for (r, row) in rows.iter_mut().enumerate() {
            *row = weights.add((j + r.min(width - 1)) * row_bytes);
        }
        let acc = eight_rows::<D, B, M>(rows, row_bytes, a, i0);
        for i in 0..M {
            let mut sums = [0f32; 8];
            _mm256_storeu_ps(sums.as_mut_ptr(), acc[i]);
            core::ptr::copy_nonoverlapping(sums.as_ptr(), out.add((i0 + i) * stride + j), width);
        }
        j += width;
    }
}

#[inline(always)]
unsafe fn eight_rows<D: Dot, B: Blocks, const M: usize>(
    mut rows: [*const u8; 8],
    row_bytes: usize,
    a: &Activations,
    i0: usize,
) -> [__m256; M] {
    let k = a.k;
    let mut acc = [_mm256_setzero_ps(); M];
    let mut scales = [0f32; 128];
    let mut minima = [0f32; 64];
    for b in 0..k / B::LEN {
        // Near the end of the rows what comes next is eight rows on. A prefetch of an address that is not ours is harmless.
        let ahead = if (b + 1) * B::BYTES + AHEAD <= row_bytes {
            AHEAD
        } else {
            AHEAD + 7 * row_bytes
        };
        for row in &rows {
            let mut at = 0;
            while at < B::BYTES {
                _mm_prefetch::<_MM_HINT_T0>(row.wrapping_add(ahead + at).cast());
                at += 64;
            }
        }
        B::scales(&rows, scales.as_mut_ptr(), minima.as_mut_ptr());
        let mut t = [_mm256_setzero_ps(); M];
        for j in 0..B::LEN / 32 {
            let at = b * B::LEN + 32 * j;
            let w = eight_codes::<D, B>(&rows, j);
            for i in 0..M {
                let row = i0 + i;
                let x = _mm256_loadu_si256(a.codes.as_ptr().add(row * k + at).cast());
                let (low, high) = sums::<D, B>(w, x);
                let start = a.starts.as_ptr().add((row * k + at) / B::GROUP);
                if B::GROUP == 16 {
                    let g = 2 * j;
                    let low = _mm256_cvtepi32_ps(_mm256_add_epi32(low, _mm256_set1_epi32(*start)));
                    let high = _mm256_cvtepi32_ps(_mm256_add_epi32(
                        high,
                        _mm256_set1_epi32(*start.add(1)),
                    ));
                    let scale = scales.as_ptr().add(8 * g);
                    let (one, two) = (_mm256_loadu_ps(scale), _mm256_loadu_ps(scale.add(8)));
                    t[i] = if g == 0 {
                        _mm256_mul_ps(low, one)
                    } else {
                        _mm256_fmadd_ps(low, one, t[i])
                    };
                    t[i] = _mm256_fmadd_ps(high, two, t[i]);
                } else {
                    let mut sum = _mm256_add_epi32(low, high);
                    if !B::MINIMUM {
                        sum = _mm256_add_epi32(sum, _mm256_set1_epi32(*start));
                    }
                    let (sum, scale) = (
                        _mm256_cvtepi32_ps(sum),
                        _mm256_loadu_ps(scales.as_ptr().add(8 * j)),
                    );
                    t[i] = if j == 0 {
                        _mm256_mul_ps(sum, scale)
                    } else {
                        _mm256_fmadd_ps(sum, scale, t[i])
                    };
                }
                if B::MINIMUM {
                    let sum = _mm256_set1_ps(*a.sums.as_ptr().add((row * k + at) / 32));
                    t[i] = _mm256_fmadd_ps(_mm256_loadu_ps(minima.as_ptr().add(8 * j)), sum, t[i]);
                }
            }
        }
        for i in 0..M {
            let scale = *a.scales.as_ptr().add((i0 + i) * (k / B::LEN) + b);
            acc[i] = _mm256_fmadd_ps(t[i], _mm256_set1_ps(scale), acc[i]);
        }
        for row in &mut rows {
            *row = row.add(B::BYTES);
        }
    }
    acc
}

/// The sums of the first and of the last 16 products of eight rows with `x`: lane `r` is row `r`.
#[inline(always)]
unsafe fn sums<D: Dot, B: Blocks>(w: [__m256i; 8], x: __m256i) -> (__m256i, __m256i) {
    let mut p = w;
    for r in 0..8 {
        p[r] = if B::SIGNED {
            D::dot::<true>(w[r], x)
        } else {
            D::dot::<false>(w[r], x)
        };
    }
    let a = _mm256_hadd_epi32(_mm256_hadd_epi32(p[0], p[1]), _mm256_hadd_epi32(p[2], p[3]));
    let b = _mm256_hadd_epi32(_mm256_hadd_epi32(p[4], p[5]), _mm256_hadd_epi32(p[6], p[7]));
    (
        _mm256_permute2x128_si256::<0x20>(a, b),
        _mm256_permute2x128_si256::<0x31>(a, b),
    )
}
