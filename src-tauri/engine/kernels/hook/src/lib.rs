//! Where the engine's libraries ask for Paddock's kernels: a table of functions that the program fills once, at its
//! start. So candle and mistral.rs are compiled without the kernels, and a change to a kernel does not compile them
//! again. Every function says whether it did the work; the caller goes its old way where it did not, or where nobody
//! filled the table.

use std::sync::OnceLock;

/// Values with a row per batch entry, position and head; strides in elements, a row's values side by side.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    pub data: &'a [f32],
    pub batch: usize,
    pub position: usize,
    pub head: usize,
}

/// Added to the scores; strides in elements, 0 where entries share one, the keys side by side.
#[derive(Clone, Copy, Debug)]
pub struct Mask<'a> {
    pub data: &'a [f32],
    pub batch: usize,
    pub head: usize,
    pub query: usize,
}

/// One call of attention. What a query sees is given by the mask, by the numbers, or by both.
#[derive(Clone, Copy, Debug)]
pub struct Attention<'a> {
    pub q: Rows<'a>,
    pub k: Rows<'a>,
    pub v: Rows<'a>,
    pub batch: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub queries: usize,
    pub keys: usize,
    pub d: usize,
    pub dv: usize,
    pub scale: f32,
    pub softcap: Option<f32>,
    pub mask: Option<Mask<'a>>,
    /// Position of the first query and of the first key.
    pub past: usize,
    pub first_key: usize,
    pub causal: bool,
    pub window: Option<usize>,
    pub chunk: Option<usize>,
}

/// What can be asked for. Shapes and layouts are those of `paddock_kernels`' functions of the same names.
#[derive(Clone, Copy)]
pub struct Table {
    /// GGUF's number of the format, `n` rows of `k` weights, `(m, n, k)`, `m` rows of activations, `[m][n]` results.
    pub qmatmul: fn(u32, &[u8], (usize, usize, usize), &[f32], &mut [f32]) -> bool,
    /// Format, `[experts][n][k]` weights, `(experts, n, k)`, the expert of each result row, results per row of activations.
    #[allow(clippy::type_complexity)]
    pub grouped_qmatmul:
        fn(u32, &[u8], (usize, usize, usize), &[u32], usize, &[f32], &mut [f32]) -> bool,
    /// `[batch][heads][queries][dv]` results.
    pub attention: fn(&Attention<'_>, &mut [f32]) -> bool,
    /// `x`, the weight of a row, eps, results.
    pub rms_norm: fn(&[f32], &[f32], f32, &mut [f32]) -> bool,
    /// `silu(gate) * up`.
    pub silu_mul: fn(&[f32], &[f32], &mut [f32]) -> bool,
    /// `gelu(gate) * up`, the tanh form.
    pub gelu_mul: fn(&[f32], &[f32], &mut [f32]) -> bool,
}

static TABLE: OnceLock<Table> = OnceLock::new();

/// Fills the table. The first one stays; says whether that was this one.
pub fn install(table: Table) -> bool {
    TABLE.set(table).is_ok()
}

/// The table, if the program filled it.
#[inline]
pub fn get() -> Option<&'static Table> {
    TABLE.get()
}
