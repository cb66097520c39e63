//! Vectors of f32, whatever the instruction set: what attention, dense products and the small operations are written in.

/// Some f32 side by side. Methods are `unsafe` for those that need an instruction set; `Plain` needs none.
pub(crate) trait Floats: Copy {
    type F: Copy;
    const LANES: usize;
    unsafe fn load(p: *const f32) -> Self::F;
    unsafe fn store(p: *mut f32, x: Self::F);
    unsafe fn all(x: f32) -> Self::F;
    unsafe fn mul(a: Self::F, b: Self::F) -> Self::F;
    /// `a * b + c`, rounded once where the CPU does so.
    unsafe fn fma(a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    /// `LANES` f16 as f32.
    unsafe fn load_f16(p: *const u16) -> Self::F;
    /// `LANES` bf16 as f32.
    unsafe fn load_bf16(p: *const u16) -> Self::F;
    /// Eight rows of eight values, `from_stride` apart, to eight rows `to_stride` apart, transposed.
    unsafe fn transpose8(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize);

    #[inline(always)]
    unsafe fn sum(x: Self::F) -> f32 {
        let mut lanes = [0f32; 16];
        Self::store(lanes.as_mut_ptr(), x);
        // Halves are added, so that the order is the same however wide.
        let mut width = Self::LANES;
        while width > 1 {
            width /= 2;
            for l in 0..width {
                lanes[l] += lanes[l + width];
            }
        }
        lanes[0]
    }
}

/// Eight values in plain Rust.
#[derive(Clone, Copy)]
pub(crate) struct Plain;

impl Floats for Plain {
    type F = [f32; 8];
    const LANES: usize = 8;

    #[inline(always)]
    unsafe fn load(p: *const f32) -> [f32; 8] {
        p.cast::<[f32; 8]>().read_unaligned()
    }

    #[inline(always)]
    unsafe fn store(p: *mut f32, x: [f32; 8]) {
        p.cast::<[f32; 8]>().write_unaligned(x)
    }

    #[inline(always)]
    unsafe fn all(x: f32) -> [f32; 8] {
        [x; 8]
    }

    #[inline(always)]
    unsafe fn mul(mut a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        for l in 0..8 {
            a[l] *= b[l];
        }
        a
    }

    #[inline(always)]
    unsafe fn fma(a: [f32; 8], b: [f32; 8], mut c: [f32; 8]) -> [f32; 8] {
        // Two roundings: without the instruction a fused one is a slow function call.
        for l in 0..8 {
            c[l] += a[l] * b[l];
        }
        c
    }

    #[inline(always)]
    unsafe fn load_f16(p: *const u16) -> [f32; 8] {
        let mut out = [0f32; 8];
        for l in 0..8 {
            out[l] = half::f16::from_bits(p.add(l).read_unaligned()).to_f32();
        }
        out
    }

    #[inline(always)]
    unsafe fn load_bf16(p: *const u16) -> [f32; 8] {
        let mut out = [0f32; 8];
        for l in 0..8 {
            out[l] = f32::from_bits(u32::from(p.add(l).read_unaligned()) << 16);
        }
        out
    }

    #[inline(always)]
    unsafe fn transpose8(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
        for i in 0..8 {
            for j in 0..8 {
                *to.add(j * to_stride + i) = *from.add(i * from_stride + j);
            }
        }
    }
}

/// e^x to within 2 units in the last place, 0 below -87; NaN stays NaN. Plain arithmetic without branches, so that the
/// compiler makes vectors of a loop over it. Above 88 it stays at e^88.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    const MAGIC: f32 = 12_582_912.0;
    let low = x < -87.0;
    let x = if low { -87.0 } else { x };
    let x = if x > 88.0 { 88.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + MAGIC;
    let n = shifted - MAGIC;
    // ln 2 in two parts: the first times n is exact.
    let r = (x - n * 0.693_359_4) - n * -2.121_944_4e-4;
    // e^r for |r| <= ln 2 / 2, coefficients of Cephes' expf.
    let mut p = 1.987_569_1e-4;
    for c in [
        1.398_2e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        1.666_666_5e-1,
        0.5,
    ] {
        p = p * r + c;
    }
    let y = p * r * r + r + 1.0;
    let power = shifted
        .to_bits()
        .wrapping_sub(MAGIC.to_bits())
        .wrapping_add(127)
        << 23;
    let y = y * f32::from_bits(power);
    if low { 0.0 } else { y }
}

/// tanh by way of `exp`; within 2e-7.
#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    1.0 - 2.0 / (exp(2.0 * x) + 1.0)
}
