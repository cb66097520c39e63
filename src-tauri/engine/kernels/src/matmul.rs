//! The products the engine asks for: checks what it is given, shares the work out, chooses the kernel.

use crate::activations::{Activations, RowOut, quantise_row};
use crate::format::Format;
use crate::isa::{self, Isa};
use crate::scratch::Shared;
#[cfg(target_arch = "x86_64")]
use crate::x86::dispatch::{self, Job};
use crate::{pool, scalar};

/// Why a product was not made. Nothing was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// A row's length is no multiple of the format's block.
    RowLength { format: Format, k: usize },
    /// A slice is shorter than the shape says.
    TooShort {
        what: &'static str,
        has: usize,
        needs: usize,
    },
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refused::RowLength { format, k } => {
                write!(
                    f,
                    "a row of {k} weights is no whole number of {} blocks of {}",
                    format.name(),
                    format.block_len()
                )
            }
            Refused::TooShort { what, has, needs } => {
                write!(f, "the {what} hold {has} where {needs} are needed")
            }
        }
    }
}

impl std::error::Error for Refused {}

/// Below so many bytes of weights a product of few rows is not worth waking anyone.
const SMALL: usize = 128 * 1024;
/// Bytes of weights in a unit of work of few rows.
const UNIT: usize = 128 * 1024;
/// From so many rows on panels are unpacked.
const MANY: usize = 6;

/// `out[i][j] = sum over k of activations[i][k] * weights[j][k]`, with `(m, n, k)` rows of activations, columns of the
/// result (rows of weights), and products in a sum. `weights` are `n` rows of `format`, `activations` `m * k` and `out`
/// `m * n` values, all row-major.
///
/// On one instruction set a row of the result does not depend on the other rows of the batch, bit for bit.
pub fn qmatmul(
    format: Format,
    weights: &[u8],
    (m, n, k): (usize, usize, usize),
    activations: &[f32],
    out: &mut [f32],
) -> Result<(), Refused> {
    qmatmul_on(isa::chosen(), format, weights, (m, n, k), activations, out)
}

/// As `qmatmul`, on an instruction set of the caller's choice; the best available one if this is not.
pub fn qmatmul_on(
    isa: Isa,
    format: Format,
    weights: &[u8],
    (m, n, k): (usize, usize, usize),
    activations: &[f32],
    out: &mut [f32],
) -> Result<(), Refused> {
    let isa = if isa.available() { isa } else { Isa::best() };
    check(format, weights, (m, n, k), activations, out)?;
    if m == 0 || n == 0 {
        return Ok(());
    }
    if k == 0 {
        out[..m * n].fill(0.0);
        return Ok(());
    }
    if format.is_dense() {
        crate::dense::matmul(isa, format, weights, (m, n, k), activations, out);
    } else {
        let a = quantise(isa, format, m, k, activations);
        product(isa, format, weights, n, &a, Shared(out.as_mut_ptr()));
    }
    Ok(())
}

pub(crate) fn check(
    format: Format,
    weights: &[u8],
    (m, n, k): (usize, usize, usize),
    activations: &[f32],
    out: &[f32],
) -> Result<(), Refused> {
    let row = format
        .row_bytes(k)
        .ok_or(Refused::RowLength { format, k })?;
    let enough = |what, has: usize, needs: Option<usize>| match needs {
        Some(needs) if has >= needs => Ok(()),
        _ => Err(Refused::TooShort {
            what,
            has,
            needs: needs.unwrap_or(usize::MAX),
        }),
    };
    enough("weights", weights.len(), row.checked_mul(n))?;
    enough("activations", activations.len(), m.checked_mul(k))?;
    enough("results", out.len(), m.checked_mul(n))
}

/// Quantises `m` rows of `k` activations for weights of `format`, many rows in parallel.
pub(crate) fn quantise(
    isa: Isa,
    format: Format,
    m: usize,
    k: usize,
    activations: &[f32],
) -> Activations {
    let zero = zero(isa, format);
    let mut a = Activations::new(format, m, k);
    let (span, group) = (a.span, a.group);
    let (codes, scales) = (Shared(a.codes.as_mut_ptr()), Shared(a.scales.as_mut_ptr()));
    let (starts, sums, with_sums) = (
        Shared(a.starts.as_mut_ptr()),
        Shared(a.sums.as_mut_ptr()),
        !a.sums.is_empty(),
    );
    let row = |i: usize| {
        // SAFETY: row `i`'s parts of the vectors, which are `m` rows long and are not touched by another unit.
        let out = unsafe {
            RowOut {
                codes: std::slice::from_raw_parts_mut(codes.at(i * k), k),
                scales: std::slice::from_raw_parts_mut(scales.at(i * (k / span)), k / span),
                starts: std::slice::from_raw_parts_mut(starts.at(i * (k / group)), k / group),
                sums: std::slice::from_raw_parts_mut(
                    sums.at(i * (k / 32)),
                    if with_sums { k / 32 } else { 0 },
                ),
            }
        };
        let x = &activations[i * k..(i + 1) * k];
        #[cfg(target_arch = "x86_64")]
        if isa != Isa::Scalar {
            // SAFETY: `isa` is available.
            return unsafe { dispatch::quantise(isa, x, span, group, zero, out) };
        }
        quantise_row(x, span, group, zero, out);
    };
    let rows = (32 * 1024 / k).max(1);
    if m <= rows {
        (0..m).for_each(row);
    } else {
        pool::parallel(m.div_ceil(rows), &|unit| {
            (unit * rows..((unit + 1) * rows).min(m)).for_each(row)
        });
    }
    a
}

fn zero(isa: Isa, format: Format) -> i32 {
    #[cfg(target_arch = "x86_64")]
    if isa != Isa::Scalar {
        return dispatch::zero(isa, format);
    }
    let _ = isa;
    format.zero()
}

/// The product of quantised activations with `n` rows of weights. Slices were checked.
pub(crate) fn product(
    isa: Isa,
    format: Format,
    weights: &[u8],
    n: usize,
    a: &Activations,
    out: Shared<f32>,
) {
    let rows = a.rows;
    let plan = Plan::new(isa, format, rows, n, a.k, pool::threads());
    let unit = |u: usize| {
        let (i0, some_rows, first, count) = plan.unit(u);
        // SAFETY: the units' places in `out` are apart, and the slices are as long as the shape says.
        unsafe {
            some(
                isa,
                format,
                weights,
                a,
                n,
                out,
                plan.many,
                (i0, some_rows, first, count),
            )
        }
    };
    if plan.units() == 1 {
        unit(0)
    } else {
        pool::parallel(plan.units(), &unit)
    }
}

/// # Safety
/// `out` is valid for `a.rows` rows of `n`; nobody else touches the places of this unit; `isa` is available.
pub(crate) unsafe fn some(
    isa: Isa,
    format: Format,
    weights: &[u8],
    a: &Activations,
    n: usize,
    out: Shared<f32>,
    many: bool,
    (i0, rows, first, count): (usize, usize, usize, usize),
) {
    #[cfg(target_arch = "x86_64")]
    if isa != Isa::Scalar {
        let job = Job {
            weights: weights.as_ptr(),
            a,
            stride: n,
            out: out.0,
        };
        return if many {
            dispatch::many_rows(isa, format, job, i0, rows, first, count)
        } else {
            dispatch::few_rows(isa, format, job, i0, rows, first, count)
        };
    }
    let _ = (isa, many);
    scalar::columns(format, weights, a, (i0, rows, first, count), n, out.0);
}

/// How a product is cut into units: blocks of rows x ranges of columns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub many: bool,
    rows: usize,
    n: usize,
    row_step: usize,
    column_step: usize,
}

impl Plan {
    pub fn new(isa: Isa, format: Format, rows: usize, n: usize, k: usize, threads: usize) -> Plan {
        let many = isa != Isa::Scalar && rows >= MANY;
        let row_bytes = format.row_bytes(k).unwrap_or(1).max(1);
        let (row_step, column_step) = if many {
            let panel = panel_columns(isa);
            // At least four units a thread, as wide as that allows up to four panels; then rows are split too, for
            // every split of rows unpacks the panels again.
            let panels = n.div_ceil(panel);
            let wide = (panels / (4 * threads)).clamp(1, 4);
            let mut row_step = rows;
            while threads > 1
                && rows.div_ceil(row_step) * panels.div_ceil(wide) < 4 * threads
                && row_step >= 64
            {
                row_step = row_step.div_ceil(2);
            }
            (row_step, wide * panel)
        } else if threads == 1 || row_bytes * n * rows.min(4) <= SMALL {
            (rows, n)
        } else {
            let eight = (UNIT / row_bytes / 8).max(1) * 8;
            (rows, eight.min((n / (4 * threads) / 8).max(1) * 8))
        };
        Plan {
            many,
            rows,
            n,
            row_step,
            column_step,
        }
    }

    pub fn units(&self) -> usize {
        self.rows.div_ceil(self.row_step) * self.n.div_ceil(self.column_step)
    }

    /// First row, rows, first column, columns of unit `u`.
    pub fn unit(&self, u: usize) -> (usize, usize, usize, usize) {
        let ranges = self.n.div_ceil(self.column_step);
        let (i, j) = (u / ranges * self.row_step, u % ranges * self.column_step);
        (
            i,
            self.row_step.min(self.rows - i),
            j,
            self.column_step.min(self.n - j),
        )
    }
}

fn panel_columns(isa: Isa) -> usize {
    #[cfg(target_arch = "x86_64")]
    {
        dispatch::panel_columns(isa)
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = isa;
        16
    }
}
