//! GGUF blocks as 32 codes in a 256-bit register, and the scales of eight rows side by side. AVX2 and F16C only, which
//! every instruction set served here has; unpacking is a few per cent of a product.

use core::arch::x86_64::*;

/// A quantised format, as eight rows of it are read.
pub(crate) trait Blocks: Copy {
    /// Weights and bytes of a block.
    const LEN: usize;
    const BYTES: usize;
    /// Weights that share a scale.
    const GROUP: usize = 32;
    /// Whether a group has a minimum.
    const MINIMUM: bool = false;
    /// Whether codes are signed bytes (Q8_0) and not small unsigned ones.
    const SIGNED: bool = false;
    /// How many products of a code and an activation, two by two in 16 bits, may be added up without saturation:
    /// 2 * 15 * 128 * 8 < 32768, 2 * 31 * 128 * 4 < 32768, 2 * 63 * 128 * 2 < 32768.
    const SAFE: usize;
    /// What unsigned codes are raised by (Q8_0: only once its codes were made unsigned).
    const ZERO: i32 = 0;
    /// The 32 codes of sub-block `j` of the block at `p`.
    unsafe fn codes(p: *const u8, j: usize) -> __m256i;
    /// Scales `[LEN / GROUP][8]` and minima `[LEN / 32][8]` of the blocks at the eight pointers.
    unsafe fn scales(rows: &[*const u8; 8], scales: *mut f32, minima: *mut f32);
}

#[inline(always)]
unsafe fn halves(rows: &[*const u8; 8], at: usize) -> __m256 {
    let mut words = [0u16; 8];
    for r in 0..8 {
        words[r] = rows[r].add(at).cast::<u16>().read_unaligned();
    }
    let [a, b, c, d, e, f, g, h] = words.map(i64::from);
    let (low, high) = (
        a | b << 16 | c << 32 | d << 48,
        e | f << 16 | g << 32 | h << 48,
    );
    _mm256_cvtph_ps(_mm_set_epi64x(high, low))
}

/// Sixteen bytes of nibbles: the low ones are weights 0 to 15, the high ones 16 to 31.
#[inline(always)]
unsafe fn nibbles(p: *const u8) -> __m256i {
    let packed = _mm_loadu_si128(p.cast());
    let both =
        _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(packed), _mm_srli_epi16::<4>(packed));
    _mm256_and_si256(both, _mm256_set1_epi8(15))
}

/// Thirty-two bits as bytes of 0 or 16.
#[inline(always)]
unsafe fn fifth_bits(p: *const u8) -> __m256i {
    let bits = _mm256_set1_epi32(p.cast::<i32>().read_unaligned());
    let each = _mm256_shuffle_epi8(
        bits,
        _mm256_setr_epi64x(
            0,
            0x0101_0101_0101_0101,
            0x0202_0202_0202_0202,
            0x0303_0303_0303_0303,
        ),
    );
    let place = _mm256_set1_epi64x(0x8040_2010_0804_0201_u64 as i64);
    let set = _mm256_cmpeq_epi8(_mm256_and_si256(each, place), place);
    _mm256_and_si256(set, _mm256_set1_epi8(16))
}

/// A format with blocks of 32, half a block of nibbles from `$codes` on and, where it has five bits, the fifth ones
/// before them.
macro_rules! legacy {
    ($name:ident, bytes: $bytes:literal, safe: $safe:literal, zero: $zero:literal, minimum: $minimum:literal, $p:ident => $codes:expr) => {
        #[derive(Clone, Copy)]
        pub(crate) struct $name;

        impl Blocks for $name {
            const LEN: usize = 32;
            const BYTES: usize = $bytes;
            const SAFE: usize = $safe;
            const ZERO: i32 = $zero;
            const MINIMUM: bool = $minimum;
            const SIGNED: bool = $safe == 1;

            #[inline(always)]
            unsafe fn codes($p: *const u8, _: usize) -> __m256i {
                $codes
            }

            #[inline(always)]
            unsafe fn scales(rows: &[*const u8; 8], scales: *mut f32, minima: *mut f32) {
                _mm256_storeu_ps(scales, halves(rows, 0));
                if $minimum {
                    _mm256_storeu_ps(minima, halves(rows, 2));
                }
            }
        }
    };
}

#[inline(always)]
unsafe fn five_bits(nibbles_at: *const u8, fifth_at: *const u8) -> __m256i {
    _mm256_or_si256(nibbles(nibbles_at), fifth_bits(fifth_at))
}

legacy!(Q4_0, bytes: 18, safe: 8, zero: 8, minimum: false, p => nibbles(p.add(2)));
legacy!(Q4_1, bytes: 20, safe: 8, zero: 0, minimum: true, p => nibbles(p.add(4)));
legacy!(Q5_0, bytes: 22, safe: 4, zero: 16, minimum: false, p => five_bits(p.add(6), p.add(2)));
legacy!(Q5_1, bytes: 24, safe: 4, zero: 0, minimum: true, p => five_bits(p.add(8), p.add(4)));
// Signed: the products are widened two by two.
legacy!(Q8_0, bytes: 34, safe: 1, zero: 128, minimum: false, p => _mm256_loadu_si256(p.add(2).cast()));

/// 8x8 transposition of 32-bit values.
#[inline(always)]
pub(crate) unsafe fn transpose(r: [__m256i; 8]) -> [__m256i; 8] {
    let mut t = [_mm256_setzero_si256(); 8];
    for i in 0..4 {
        t[2 * i] = _mm256_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm256_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
    }
    let mut u = [_mm256_setzero_si256(); 8];
    for i in 0..2 {
        u[4 * i] = _mm256_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
        u[4 * i + 1] = _mm256_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
        u[4 * i + 2] = _mm256_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
        u[4 * i + 3] = _mm256_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
    }
    let mut out = [_mm256_setzero_si256(); 8];
    for i in 0..4 {
        out[i] = _mm256_permute2x128_si256::<0x20>(u[i], u[4 + i]);
        out[4 + i] = _mm256_permute2x128_si256::<0x31>(u[i], u[4 + i]);
    }
    out
}

#[inline(always)]
unsafe fn store_transposed(rows: [__m256; 8], to: *mut f32) {
    let mut bits = [_mm256_setzero_si256(); 8];
    for r in 0..8 {
        bits[r] = _mm256_castps_si256(rows[r]);
    }
    let bits = transpose(bits);
    for r in 0..8 {
        _mm256_storeu_si256(to.add(8 * r).cast(), bits[r]);
    }
}

/// The eight six-bit scales (low half) and minima (high half) of Q4_K and Q5_K as bytes.
#[inline(always)]
unsafe fn six_bits(p: *const u8) -> (u64, u64) {
    let a = u64::from(p.cast::<u32>().read_unaligned());
    let b = u64::from(p.add(4).cast::<u32>().read_unaligned());
    let c = u64::from(p.add(8).cast::<u32>().read_unaligned());
    const SIX: u64 = 0x3f3f_3f3f;
    const FOUR: u64 = 0x0f0f_0f0f;
    const TWO: u64 = 0x0303_0303;
    let scales = a & SIX | ((c & FOUR) | (a >> 6 & TWO) << 4) << 32;
    let minima = b & SIX | ((c >> 4 & FOUR) | (b >> 6 & TWO) << 4) << 32;
    (scales, minima)
}

/// Eight bytes as eight floats.
#[inline(always)]
unsafe fn widen(bytes: u64) -> __m256 {
    _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_cvtsi64_si128(bytes as i64)))
}

#[inline(always)]
unsafe fn k_scales(rows: &[*const u8; 8], scales: *mut f32, minima: *mut f32) {
    let (d, dmin) = (halves(rows, 0), halves(rows, 2));
    let mut one = [0f32; 16];
    _mm256_storeu_ps(one.as_mut_ptr(), d);
    // The sign of a minimum: a product of negated factors is the negated product.
    _mm256_storeu_ps(
        one.as_mut_ptr().add(8),
        _mm256_xor_ps(dmin, _mm256_set1_ps(-0.0)),
    );
    let mut s = [_mm256_setzero_ps(); 8];
    let mut m = [_mm256_setzero_ps(); 8];
    for r in 0..8 {
        let (scale, minimum) = six_bits(rows[r].add(4));
        s[r] = _mm256_mul_ps(widen(scale), _mm256_set1_ps(one[r]));
        m[r] = _mm256_mul_ps(widen(minimum), _mm256_set1_ps(one[8 + r]));
    }
    store_transposed(s, scales);
    store_transposed(m, minima);
}

#[derive(Clone, Copy)]
pub(crate) struct Q4K;

impl Blocks for Q4K {
    const LEN: usize = 256;
    const BYTES: usize = 144;
    const MINIMUM: bool = true;
    const SAFE: usize = 8;

    #[inline(always)]
    unsafe fn codes(p: *const u8, j: usize) -> __m256i {
        k_nibbles(p.add(16), j)
    }

    #[inline(always)]
    unsafe fn scales(rows: &[*const u8; 8], scales: *mut f32, minima: *mut f32) {
        k_scales(rows, scales, minima);
    }
}

/// Sub-block `j`: 32 bytes hold sub-block `2i` in their low nibbles and `2i + 1` in their high ones.
#[inline(always)]
unsafe fn k_nibbles(p: *const u8, j: usize) -> __m256i {
    let packed = _mm256_loadu_si256(p.add(32 * (j / 2)).cast());
    let shifted = if j & 1 == 1 {
        _mm256_srli_epi16::<4>(packed)
    } else {
        packed
    };
    _mm256_and_si256(shifted, _mm256_set1_epi8(15))
}

#[derive(Clone, Copy)]
pub(crate) struct Q5K;

impl Blocks for Q5K {
    const LEN: usize = 256;
    const BYTES: usize = 176;
    const MINIMUM: bool = true;
    const SAFE: usize = 4;

    #[inline(always)]
    unsafe fn codes(p: *const u8, j: usize) -> __m256i {
        let high = _mm256_loadu_si256(p.add(16).cast());
        let bit = _mm256_and_si256(
            _mm256_srl_epi16(high, _mm_cvtsi32_si128(j as i32)),
            _mm256_set1_epi8(1),
        );
        _mm256_or_si256(k_nibbles(p.add(48), j), _mm256_slli_epi16::<4>(bit))
    }

    #[inline(always)]
    unsafe fn scales(rows: &[*const u8; 8], scales: *mut f32, minima: *mut f32) {
        k_scales(rows, scales, minima);
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Q6K;

impl Blocks for Q6K {
    const LEN: usize = 256;
    const BYTES: usize = 210;
    const GROUP: usize = 16;
    const SAFE: usize = 2;
    const ZERO: i32 = 32;

    #[inline(always)]
    unsafe fn codes(p: *const u8, j: usize) -> __m256i {
        let (part, quarter) = (j / 4, j % 4);
        let packed = _mm256_loadu_si256(p.add(64 * part + 32 * (quarter & 1)).cast());
        let low = if quarter >> 1 == 1 {
            _mm256_srli_epi16::<4>(packed)
        } else {
            packed
        };
        let high = _mm256_loadu_si256(p.add(128 + 32 * part).cast());
        let high = _mm256_srl_epi16(high, _mm_cvtsi32_si128(2 * quarter as i32));
        let high = _mm256_slli_epi16::<4>(_mm256_and_si256(high, _mm256_set1_epi8(3)));
        _mm256_or_si256(_mm256_and_si256(low, _mm256_set1_epi8(15)), high)
    }

    #[inline(always)]
    unsafe fn scales(rows: &[*const u8; 8], scales: *mut f32, _: *mut f32) {
        let mut d = [0f32; 8];
        _mm256_storeu_ps(d.as_mut_ptr(), halves(rows, 208));
        let mut low = [_mm256_setzero_ps(); 8];
        let mut high = [_mm256_setzero_ps(); 8];
        for r in 0..8 {
            let bytes = _mm_loadu_si128(rows[r].add(192).cast());
            let d = _mm256_set1_ps(d[r]);
            let upper = _mm_srli_si128::<8>(bytes);
            low[r] = _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes)), d);
            high[r] = _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(upper)), d);
        }
        store_transposed(low, scales);
        store_transposed(high, scales.add(64));
    }
}
