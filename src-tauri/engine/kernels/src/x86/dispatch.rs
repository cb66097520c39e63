//! Where generic code meets an instruction set: one function with `#[target_feature]` per kernel and set, and the tables
//! that choose among formats. Calling one is safe only where `Isa::available` said so.

use super::codes::{Blocks, Q4_0, Q4_1, Q4K, Q5_0, Q5_1, Q5K, Q6K, Q8_0};
use super::gemv::{self, Dot};
use super::panel::{Panel, unpack};
use super::tile::{self, Vector};
use crate::activations::{Activations, RowOut, quantise_row};
use crate::format::Format;
use crate::isa::Isa;
use crate::scratch;

/// Weights of k in a panel: it stays in the first level of the cache.
const PANEL_K: usize = 768;

/// A matrix of weights and where the product goes.
#[derive(Clone, Copy)]
pub(crate) struct Job<'a> {
    pub weights: *const u8,
    pub a: &'a Activations,
    /// Values between two rows of the result.
    pub stride: usize,
    pub out: *mut f32,
}

/// Few rows: the columns `first..first + count` for the rows `i0..i0 + rows`.
#[inline(always)]
unsafe fn few<D: Dot, B: Blocks>(job: Job<'_>, i0: usize, rows: usize, first: usize, count: usize) {
    let mut i = i0;
    while i < i0 + rows {
        let left = i0 + rows - i;
        match left {
            1 => gemv::columns::<D, B, 1>(job.weights, job.a, i, first, count, job.stride, job.out),
            2 => gemv::columns::<D, B, 2>(job.weights, job.a, i, first, count, job.stride, job.out),
            3 => gemv::columns::<D, B, 3>(job.weights, job.a, i, first, count, job.stride, job.out),
            _ => gemv::columns::<D, B, 4>(job.weights, job.a, i, first, count, job.stride, job.out),
        }
        i += left.min(4);
    }
}

/// Many rows: panel by panel, each unpacked once for all the rows `i0..i0 + rows`.
#[inline(always)]
unsafe fn many<V: Vector, D: Dot, B: Blocks, const COLUMNS: usize>(
    job: Job<'_>,
    i0: usize,
    rows: usize,
    first: usize,
    count: usize,
) {
    let k = job.a.k;
    let row_bytes = k / B::LEN * B::BYTES;
    let panel_bytes = Panel::bytes(COLUMNS, PANEL_K.min(k)).next_multiple_of(64);
    // Borrowed without a closure: that would not be compiled for the instruction set.
    let mut lent = scratch::Lent::new(panel_bytes + rows * COLUMNS * 4);
    let memory = lent.start();

    let panel = Panel::in_memory(memory, COLUMNS, PANEL_K.min(k));
    let mut j = first;
    while j < first + count {
        let width = (first + count - j).min(COLUMNS);
        // A panel that is not full writes to scratch, from where what is wanted is copied.
        let whole = width == COLUMNS;
        let (c, stride) = if whole {
            (job.out.add(i0 * job.stride + j), job.stride)
        } else {
            (memory.add(panel_bytes).cast::<f32>(), COLUMNS)
        };
        let mut k0 = 0;
        while k0 < k {
            let part = (k - k0).min(PANEL_K);
            unpack::<D, B, COLUMNS>(job.weights, row_bytes, j, width, k0, part, panel);
            let mut i = 0;
            while i < rows {
                let m = (rows - i).min(V::ROWS);
                let c = c.add(i * stride);
                match m {
                    1 => tile::tile::<V, B, 1>(panel, job.a, i0 + i, k0, part, c, stride),
                    2 => tile::tile::<V, B, 2>(panel, job.a, i0 + i, k0, part, c, stride),
                    3 => tile::tile::<V, B, 3>(panel, job.a, i0 + i, k0, part, c, stride),
                    4 => tile::tile::<V, B, 4>(panel, job.a, i0 + i, k0, part, c, stride),
                    5 => tile::tile::<V, B, 5>(panel, job.a, i0 + i, k0, part, c, stride),
                    _ => tile::tile::<V, B, 6>(panel, job.a, i0 + i, k0, part, c, stride),
                }
                i += m;
            }
            k0 += part;
        }
        if !whole {
            for i in 0..rows {
                core::ptr::copy_nonoverlapping(
                    c.add(i * COLUMNS),
                    job.out.add((i0 + i) * job.stride + j),
                    width,
                );
            }
        }
        j += width;
    }
}

macro_rules! set {
    ($module:ident, $features:literal, $vector:ty, $dot:ty, $columns:literal) => {
        pub(crate) mod $module {
            use super::*;

            /// # Safety
            /// The instruction set is available; the job's pointers hold as `gemv::columns` says.
            #[target_feature(enable = $features)]
            pub unsafe fn few(
                format: Format,
                job: Job<'_>,
                i0: usize,
                rows: usize,
                first: usize,
                count: usize,
            ) {
                match format {
                    Format::Q4_0 => super::few::<$dot, Q4_0>(job, i0, rows, first, count),
                    Format::Q4_1 => super::few::<$dot, Q4_1>(job, i0, rows, first, count),
                    Format::Q5_0 => super::few::<$dot, Q5_0>(job, i0, rows, first, count),
                    Format::Q5_1 => super::few::<$dot, Q5_1>(job, i0, rows, first, count),
                    Format::Q8_0 => super::few::<$dot, Q8_0>(job, i0, rows, first, count),
                    Format::Q4K => super::few::<$dot, Q4K>(job, i0, rows, first, count),
                    Format::Q5K => super::few::<$dot, Q5K>(job, i0, rows, first, count),
                    Format::Q6K => super::few::<$dot, Q6K>(job, i0, rows, first, count),
                    Format::F32 | Format::F16 | Format::BF16 => {
                        unreachable!("dense formats have kernels of their own")
                    }
                }
            }

            /// # Safety
            /// As `few`.
            #[target_feature(enable = $features)]
            pub unsafe fn many(
                format: Format,
                job: Job<'_>,
                i0: usize,
                rows: usize,
                first: usize,
                count: usize,
            ) {
                match format {
                    Format::Q4_0 => {
                        super::many::<$vector, $dot, Q4_0, $columns>(job, i0, rows, first, count)
                    }
                    Format::Q4_1 => {
                        super::many::<$vector, $dot, Q4_1, $columns>(job, i0, rows, first, count)
                    }
                    Format::Q5_0 => {
                        super::many::<$vector, $dot, Q5_0, $columns>(job, i0, rows, first, count)
                    }
                    Format::Q5_1 => {
                        super::many::<$vector, $dot, Q5_1, $columns>(job, i0, rows, first, count)
                    }
                    Format::Q8_0 => {
                        super::many::<$vector, $dot, Q8_0, $columns>(job, i0, rows, first, count)
                    }
                    Format::Q4K => {
                        super::many::<$vector, $dot, Q4K, $columns>(job, i0, rows, first, count)
                    }
                    Format::Q5K => {
                        super::many::<$vector, $dot, Q5K, $columns>(job, i0, rows, first, count)
                    }
                    Format::Q6K => {
                        super::many::<$vector, $dot, Q6K, $columns>(job, i0, rows, first, count)
                    }
                    Format::F32 | Format::F16 | Format::BF16 => {
                        unreachable!("dense formats have kernels of their own")
                    }
                }
            }

            /// # Safety
            /// The instruction set is available.
            #[target_feature(enable = $features)]
            pub unsafe fn quantise(
                x: &[f32],
                span: usize,
                group: usize,
                zero: i32,
                out: RowOut<'_>,
            ) {
                quantise_row(x, span, group, zero, out);
            }
        }
    };
}

set!(avx2, "avx2,fma,f16c", tile::Avx2, gemv::Maddubs, 16);
set!(
    avx_vnni,
    "avx2,fma,f16c,avxvnni",
    tile::AvxVnni,
    gemv::AvxVnni,
    16
);
set!(
    avx512,
    "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni",
    tile::Avx512Vnni,
    gemv::Avx512Vnni,
    32
);

/// What codes of `format` are raised by in the kernels of `isa`: what `Activations::starts` must take off.
pub(crate) fn zero(isa: Isa, format: Format) -> i32 {
    match (isa, format) {
        (Isa::AvxVnni | Isa::Avx512Vnni, Format::Q8_0) => gemv::zero::<gemv::AvxVnni, Q8_0>(),
        _ => format.zero(),
    }
}

/// Columns of a panel of `isa`: units of work of many rows are multiples of it.
pub(crate) fn panel_columns(isa: Isa) -> usize {
    match isa {
        Isa::Avx512Vnni => 32,
        _ => 16,
    }
}

/// # Safety
/// `isa` is available and not scalar; else as `gemv::columns`.
pub(crate) unsafe fn few_rows(
    isa: Isa,
    format: Format,
    job: Job<'_>,
    i0: usize,
    rows: usize,
    first: usize,
    count: usize,
) {
    match isa {
        Isa::AvxVnni => avx_vnni::few(format, job, i0, rows, first, count),
        Isa::Avx512Vnni => avx512::few(format, job, i0, rows, first, count),
        _ => avx2::few(format, job, i0, rows, first, count),
    }
}

/// # Safety
/// As `few_rows`.
pub(crate) unsafe fn many_rows(
    isa: Isa,
    format: Format,
    job: Job<'_>,
    i0: usize,
    rows: usize,
    first: usize,
    count: usize,
) {
    match isa {
        Isa::AvxVnni => avx_vnni::many(format, job, i0, rows, first, count),
        Isa::Avx512Vnni => avx512::many(format, job, i0, rows, first, count),
        _ => avx2::many(format, job, i0, rows, first, count),
    }
}

/// # Safety
/// As `few_rows`.
pub(crate) unsafe fn quantise(
    isa: Isa,
    x: &[f32],
    span: usize,
    group: usize,
    zero: i32,
    out: RowOut<'_>,
) {
    match isa {
        Isa::Avx512Vnni => avx512::quantise(x, span, group, zero, out),
        Isa::AvxVnni => avx_vnni::quantise(x, span, group, zero, out),
        _ => avx2::quantise(x, span, group, zero, out),
    }
}
