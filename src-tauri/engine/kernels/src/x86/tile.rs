//! The register tile of a product of many rows: `M` rows of activations x two vectors of columns of a panel.

use super::codes::Blocks;
use super::floats::{Ymm, Zmm};
use super::panel::Panel;
use crate::activations::Activations;
use crate::floats::Floats;
use core::arch::x86_64::*;

/// Vectors of columns, and the integer products on them.
pub(crate) trait Vector: Floats {
    type I: Copy;
    /// Most rows of a tile.
    const ROWS: usize;
    /// Integer sums of `QUADS * 4` products: `start` + codes x activations. `w` is at the panel's codes, where a step of
    /// four k is `2 * LANES * 4` bytes; `a` at each row's codes.
    unsafe fn sums<B: Blocks, const M: usize, const QUADS: usize>(
        w: *const u8,
        a: &[*const i8; M],
        start: &[i32; M],
    ) -> [[Self::I; 2]; M];
    unsafe fn to_float(x: Self::I) -> Self::F;
}

/// The f32 side of a vector is that of `Ymm` or `Zmm`.
macro_rules! floats {
    ($name:ident, $of:ident, $f:ty) => {
        #[derive(Clone, Copy)]
        pub(crate) struct $name;

        impl Floats for $name {
            type F = $f;
            const LANES: usize = $of::LANES;
            #[inline(always)]
            unsafe fn load(p: *const f32) -> $f {
                $of::load(p)
            }
            #[inline(always)]
            unsafe fn store(p: *mut f32, x: $f) {
                $of::store(p, x)
            }
            #[inline(always)]
            unsafe fn all(x: f32) -> $f {
                $of::all(x)
            }
            #[inline(always)]
            unsafe fn mul(a: $f, b: $f) -> $f {
                $of::mul(a, b)
            }
            #[inline(always)]
            unsafe fn fma(a: $f, b: $f, c: $f) -> $f {
                $of::fma(a, b, c)
            }
            #[inline(always)]
            unsafe fn load_f16(p: *const u16) -> $f {
                $of::load_f16(p)
            }
            #[inline(always)]
            unsafe fn load_bf16(p: *const u16) -> $f {
                $of::load_bf16(p)
            }
            #[inline(always)]
            unsafe fn transpose8(
                from: *const f32,
                from_stride: usize,
                to: *mut f32,
                to_stride: usize,
            ) {
                $of::transpose8(from, from_stride, to, to_stride)
            }
        }
    };
}

floats!(Avx2, Ymm, __m256);
floats!(AvxVnni, Ymm, __m256);
floats!(Avx512Vnni, Zmm, __m512);

/// Four bytes of a row's codes.
#[inline(always)]
unsafe fn quad(a: *const i8, q: usize) -> i32 {
    a.add(4 * q).cast::<i32>().read_unaligned()
}

impl Vector for Avx2 {
    const ROWS: usize = 4;
    type I = __m256i;
    #[inline(always)]
    unsafe fn to_float(x: __m256i) -> __m256 {
        _mm256_cvtepi32_ps(x)
    }

    #[inline(always)]
    unsafe fn sums<B: Blocks, const M: usize, const QUADS: usize>(
        w: *const u8,
        a: &[*const i8; M],
        start: &[i32; M],
    ) -> [[__m256i; 2]; M] {
        let ones = _mm256_set1_epi16(1);
        let mut s = [[_mm256_setzero_si256(); 2]; M];
        for m in 0..M {
            s[m] = [_mm256_set1_epi32(start[m]); 2];
        }
        // Products are added up in 16 bits for as long as they cannot overflow, then widened.
        let mut q = 0;
        while q < QUADS {
            let mut pairs = [[_mm256_setzero_si256(); 2]; M];
            for step in 0..B::SAFE {
                let p = w.add((q + step) * 64);
                let w = [
                    _mm256_loadu_si256(p.cast()),
                    _mm256_loadu_si256(p.add(32).cast()),
                ];
                for m in 0..M {
                    let x = _mm256_set1_epi32(quad(a[m], q + step));
                    for v in 0..2 {
                        let product = if B::SIGNED {
                            _mm256_maddubs_epi16(_mm256_abs_epi8(w[v]), _mm256_sign_epi8(x, w[v]))
                        } else {
                            _mm256_maddubs_epi16(w[v], x)
                        };
                        pairs[m][v] = if step == 0 {
                            product
                        } else {
                            _mm256_add_epi16(pairs[m][v], product)
                        };
                    }
                }
            }
            for m in 0..M {
                for v in 0..2 {
                    s[m][v] = _mm256_add_epi32(s[m][v], _mm256_madd_epi16(pairs[m][v], ones));
                }
            }
            q += B::SAFE;
        }
        s
    }
}

macro_rules! vnni {
    ($set:ident, $load:ident, $dot:ident) => {
        #[inline(always)]
        unsafe fn sums<B: Blocks, const M: usize, const QUADS: usize>(
            w: *const u8,
            a: &[*const i8; M],
            start: &[i32; M],
        ) -> [[Self::I; 2]; M] {
            let mut s = [[$set(0); 2]; M];
            for m in 0..M {
                s[m] = [$set(start[m]); 2];
            }
            for q in 0..QUADS {
                let p = w.add(q * 8 * Self::LANES);
                let w = [$load(p.cast()), $load(p.add(4 * Self::LANES).cast())];
                for m in 0..M {
                    let x = $set(quad(a[m], q));
                    s[m][0] = $dot(s[m][0], w[0], x);
                    s[m][1] = $dot(s[m][1], w[1], x);
                }
            }
            s
        }
    };
}

impl Vector for AvxVnni {
    const ROWS: usize = 6;
    type I = __m256i;
    #[inline(always)]
    unsafe fn to_float(x: __m256i) -> __m256 {
        _mm256_cvtepi32_ps(x)
    }
    vnni!(
        _mm256_set1_epi32,
        _mm256_loadu_si256,
        _mm256_dpbusd_avx_epi32
    );
}

impl Vector for Avx512Vnni {
    type I = __m512i;
    const ROWS: usize = 6;
    vnni!(_mm512_set1_epi32, _mm512_loadu_si512, _mm512_dpbusd_epi32);
    #[inline(always)]
    unsafe fn to_float(x: __m512i) -> __m512 {
        _mm512_cvtepi32_ps(x)
    }
}

/// Adds the products of the rows `i0..i0 + M` with a panel of the weights `k0..k0 + k` to `c[m * stride..]`, or writes
/// them there if `k0` is 0.
///
/// # Safety
/// The instruction set of `V` is there; the panel holds `k` x `2 * LANES`; `c` is valid for `M` rows of as many columns.
#[inline(always)]
pub(crate) unsafe fn tile<V: Vector, B: Blocks, const M: usize>(
    panel: Panel,
    a: &Activations,
    i0: usize,
    k0: usize,
    k: usize,
    c: *mut f32,
    stride: usize,
) {
    let columns = 2 * V::LANES;
    let mut acc = [[V::all(0.0); 2]; M];
    if k0 > 0 {
        for m in 0..M {
            acc[m] = [
                V::load(c.add(m * stride)),
                V::load(c.add(m * stride + V::LANES)),
            ];
        }
    }
    for b in 0..k / B::LEN {
        let mut t = [[V::all(0.0); 2]; M];
        for g in 0..B::LEN / B::GROUP {
            let at = b * B::LEN + g * B::GROUP;
            let mut rows = [a.codes.as_ptr(); M];
            let mut start = [0; M];
            for m in 0..M {
                let place = (i0 + m) * a.k + k0 + at;
                rows[m] = a.codes.as_ptr().add(place);
                if !B::MINIMUM {
                    start[m] = *a.starts.as_ptr().add(place / B::GROUP);
                }
            }
            let w = panel.codes.add(at * columns);
            let sums = if B::GROUP == 16 {
                V::sums::<B, M, 4>(w, &rows, &start)
            } else {
                V::sums::<B, M, 8>(w, &rows, &start)
            };
            let scales = panel.scales.add(at / B::GROUP * columns);
            let scales = [V::load(scales), V::load(scales.add(V::LANES))];
            for m in 0..M {
                for v in 0..2 {
                    let sum = V::to_float(sums[m][v]);
                    t[m][v] = if g == 0 {
                        V::mul(sum, scales[v])
                    } else {
                        V::fma(sum, scales[v], t[m][v])
                    };
                }
            }
            if B::MINIMUM {
                let minima = panel.minima.add(at / 32 * columns);
                let minima = [V::load(minima), V::load(minima.add(V::LANES))];
                for m in 0..M {
                    let sum = V::all(*a.sums.as_ptr().add(((i0 + m) * a.k + k0 + at) / 32));
                    for v in 0..2 {
                        t[m][v] = V::fma(minima[v], sum, t[m][v]);
                    }
                }
            }
        }
        for m in 0..M {
            let scale = V::all(*a.scales.as_ptr().add(((i0 + m) * a.k + k0) / B::LEN + b));
            for v in 0..2 {
                acc[m][v] = V::fma(t[m][v], scale, acc[m][v]);
            }
        }
    }
    for m in 0..M {
        V::store(c.add(m * stride), acc[m][0]);
        V::store(c.add(m * stride + V::LANES), acc[m][1]);
    }
}
