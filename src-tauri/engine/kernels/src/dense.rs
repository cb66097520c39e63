//! Products with dense weights: f32, f16 or bf16 times f32, summed in f32. Both sides are read where they lie, along k;
//! a result is sixteen or eight sums side by side (by instruction set), added at the end, and does not depend on the
//! rows or columns beside it.

use crate::floats::{Floats, Plain};
use crate::format::Format;
use crate::isa::Isa;
use crate::pool;
use crate::scratch::Shared;

/// How a weight is stored.
trait Stored {
    const BYTES: usize;
    /// `V::LANES` weights.
    unsafe fn load<V: Floats>(p: *const u8) -> V::F;
}

struct AsF32;
struct AsF16;
struct AsBf16;

impl Stored for AsF32 {
    const BYTES: usize = 4;
    #[inline(always)]
    unsafe fn load<V: Floats>(p: *const u8) -> V::F {
        V::load(p.cast())
    }
}

impl Stored for AsF16 {
    const BYTES: usize = 2;
    #[inline(always)]
    unsafe fn load<V: Floats>(p: *const u8) -> V::F {
        V::load_f16(p.cast())
    }
}

impl Stored for AsBf16 {
    const BYTES: usize = 2;
    #[inline(always)]
    unsafe fn load<V: Floats>(p: *const u8) -> V::F {
        V::load_bf16(p.cast())
    }
}

/// A product and where it goes.
#[derive(Clone, Copy)]
struct Job {
    weights: *const u8,
    x: *const f32,
    k: usize,
    n: usize,
    out: *mut f32,
}

/// Columns of a register tile.
const WIDE: usize = 4;

/// # Safety
/// What `Job` points to is as long as `n`, `k` and the places say; nobody else touches these places of `out`.
#[inline(always)]
unsafe fn part<V: Floats, W: Stored>(
    job: Job,
    (i0, rows, first, count): (usize, usize, usize, usize),
) {
    let tall = if V::LANES == 16 { 6 } else { 3 };
    let mut j = first;
    while j < first + count {
        let width = (first + count - j).min(WIDE);
        let mut i = i0;
        while i < i0 + rows {
            let m = (i0 + rows - i).min(tall);
            match m {
                1 => tile::<V, W, 1>(job, i, j, width),
                2 => tile::<V, W, 2>(job, i, j, width),
                3 => tile::<V, W, 3>(job, i, j, width),
                4 => tile::<V, W, 4>(job, i, j, width),
                5 => tile::<V, W, 5>(job, i, j, width),
                _ => tile::<V, W, 6>(job, i, j, width),
            }
            i += m;
        }
        j += width;
    }
}

#[inline(always)]
unsafe fn tile<V: Floats, W: Stored, const M: usize>(job: Job, i: usize, j: usize, width: usize) {
    let k = job.k;
    let mut w = [job.weights; WIDE];
    for c in 0..WIDE {
        // Columns past the last repeat it and are not stored.
        w[c] = job.weights.add((j + c.min(width - 1)) * k * W::BYTES);
    }
    let mut x = [job.x; M];
    for m in 0..M {
        x[m] = job.x.add((i + m) * k);
    }
    let mut acc = [[V::all(0.0); WIDE]; M];
    let mut at = 0;
    while at + V::LANES <= k {
        step::<V, W, M>(&mut acc, &x, &w, at);
        at += V::LANES;
    }
    if at < k {
        // The rest of the rows with zeros after it.
        let mut xs = [[0f32; 16]; M];
        let mut ws = [[0u8; 64]; WIDE];
        for m in 0..M {
            core::ptr::copy_nonoverlapping(x[m].add(at), xs[m].as_mut_ptr(), k - at);
            x[m] = xs[m].as_ptr();
        }
        for c in 0..WIDE {
            core::ptr::copy_nonoverlapping(
                w[c].add(at * W::BYTES),
                ws[c].as_mut_ptr(),
                (k - at) * W::BYTES,
            );
            w[c] = ws[c].as_ptr();
        }
        step::<V, W, M>(&mut acc, &x, &w, 0);
    }
    for m in 0..M {
        for c in 0..WIDE {
            let sum = V::sum(acc[m][c]);
            if c < width {
                *job.out.add((i + m) * job.n + j + c) = sum;
            }
        }
    }
}

#[inline(always)]
unsafe fn step<V: Floats, W: Stored, const M: usize>(
    acc: &mut [[V::F; WIDE]; M],
    x: &[*const f32; M],
    w: &[*const u8; WIDE],
    at: usize,
) {
    let mut values = [V::all(0.0); M];
    for m in 0..M {
        values[m] = V::load(x[m].add(at));
    }
    for c in 0..WIDE {
        let weight = W::load::<V>(w[c].add(at * W::BYTES));
        for m in 0..M {
            acc[m][c] = V::fma(values[m], weight, acc[m][c]);
        }
    }
}

#[inline(always)]
unsafe fn formats<V: Floats>(format: Format, job: Job, place: (usize, usize, usize, usize)) {
    match format {
        Format::F16 => part::<V, AsF16>(job, place),
        Format::BF16 => part::<V, AsBf16>(job, place),
        _ => part::<V, AsF32>(job, place),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn avx2(format: Format, job: Job, place: (usize, usize, usize, usize)) {
    formats::<crate::x86::floats::Ymm>(format, job, place)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq")]
unsafe fn avx512(format: Format, job: Job, place: (usize, usize, usize, usize)) {
    formats::<crate::x86::floats::Zmm>(format, job, place)
}

/// Bytes of weights in a unit: they stay in the second level of the cache while the rows pass.
const UNIT: usize = 192 * 1024;
/// Products below which nobody is woken.
const SMALL: usize = 128 * 1024;

/// `out = activations * weights^T`; slices were checked, and `k` is not 0.
pub(crate) fn matmul(
    isa: Isa,
    format: Format,
    weights: &[u8],
    (m, n, k): (usize, usize, usize),
    activations: &[f32],
    out: &mut [f32],
) {
    let columns = (UNIT / (k * format.block_bytes()) / WIDE).max(1) * WIDE;
    let ranges = n.div_ceil(columns);
    // Rows are split too where columns alone would not keep everybody busy.
    let mut row_step = m;
    while pool::threads() > 1
        && ranges * m.div_ceil(row_step) < 4 * pool::threads()
        && row_step > 24
    {
        row_step = row_step.div_ceil(2);
    }
    let to = Shared(out.as_mut_ptr());
    let from = Shared(weights.as_ptr().cast_mut());
    let unit = |u: usize| {
        let (i, j) = (u / ranges * row_step, u % ranges * columns);
        let place = (i, row_step.min(m - i), j, columns.min(n - j));
        let job = Job {
            weights: from.at(0),
            x: activations.as_ptr(),
            k,
            n,
            out: to.at(0),
        };
        // SAFETY: `isa` is available, the slices are as long as the shape says, and units write to places of their own.
        unsafe {
            match isa {
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2 | Isa::AvxVnni => avx2(format, job, place),
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512Vnni => avx512(format, job, place),
                _ => formats::<Plain>(format, job, place),
            }
        }
    };
    let units = ranges * m.div_ceil(row_step);
    if units == 1 || m * n * k < SMALL {
        (0..units).for_each(unit)
    } else {
        pool::parallel(units, &unit)
    }
}
