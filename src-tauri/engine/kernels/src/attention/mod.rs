//! Attention: softmax(scale * Q K^T) V, blocked over queries and keys, the heads that share keys in one pass over them.
//!
//! What a query sees is given as numbers (`Bounds`), with an additive mask on top where a caller has only that.
//! Deliberately outside: attention sinks, the cache itself, positions.

mod kernel;

use crate::isa::{self, Isa};
use crate::pool;
use crate::scratch::Shared;

/// Values with a row per batch entry, position and head: how far apart in `data` two neighbours of each kind are. The
/// values of one row are side by side.
#[derive(Clone, Copy, Debug)]
pub struct Rows<T> {
    pub data: T,
    pub batch: usize,
    pub position: usize,
    pub head: usize,
}

/// Keys or values as they are cached.
#[derive(Clone, Copy, Debug)]
pub enum Cached<'a> {
    F32(&'a [f32]),
    /// Bits of f16: half the memory, about 1e-3 relative error. Computed in f32.
    F16(&'a [u16]),
}

impl Cached<'_> {
    fn len(&self) -> usize {
        match self {
            Cached::F32(data) => data.len(),
            Cached::F16(data) => data.len(),
        }
    }
}

/// Which keys a query sees, in positions of the sequence.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bounds {
    /// Position of the first query.
    pub past: usize,
    /// Position of the first key there is (of a sliding cache: what has been dropped).
    pub first_key: usize,
    /// No key after the query.
    pub causal: bool,
    /// Only the last so many keys up to the query itself.
    pub window: Option<usize>,
    /// Only keys of the query's own chunk of so many positions.
    pub chunk: Option<usize>,
}

impl Bounds {
    /// First and one past the last key, as indices, that query number `i` sees of `keys` keys.
    pub fn range(&self, i: usize, keys: usize) -> (usize, usize) {
        let query = self.past + i;
        let end = if self.causal {
            (query + 1).saturating_sub(self.first_key).min(keys)
        } else {
            keys
        };
        let window = self
            .window
            .map_or(0, |window| (query + 1).saturating_sub(window));
        let chunk = self
            .chunk
            .filter(|&chunk| chunk > 0)
            .map_or(0, |chunk| query / chunk * chunk);
        (
            window.max(chunk).saturating_sub(self.first_key).min(end),
            end,
        )
    }
}

/// What is added to the scores, `-inf` for a key that is not seen: the distances in `data` between two batch entries,
/// heads and queries (0 where they share one), the keys side by side.
#[derive(Clone, Copy, Debug)]
pub struct Mask<'a> {
    pub data: &'a [f32],
    pub batch: usize,
    pub head: usize,
    pub query: usize,
}

/// One call of attention.
#[derive(Clone, Copy, Debug)]
pub struct Attention<'a> {
    pub q: Rows<&'a [f32]>,
    pub k: Rows<Cached<'a>>,
    pub v: Rows<Cached<'a>>,
    pub batch: usize,
    /// Heads of the queries: a multiple of `kv_heads`.
    pub heads: usize,
    pub kv_heads: usize,
    pub queries: usize,
    pub keys: usize,
    /// Width of a query and of a key.
    pub d: usize,
    /// Width of a value.
    pub dv: usize,
    pub scale: f32,
    /// Scores become `cap * tanh(score / cap)`.
    pub softcap: Option<f32>,
    pub bounds: Bounds,
    pub mask: Option<Mask<'a>>,
}

/// Rows of scores that are worked on together: queries x heads of a group.
const ROWS: usize = 64;
/// Keys of a part when there is but one block of rows: parts are shared out and then merged. Fixed, so that the number of
/// threads does not change the result.
const PART: usize = 512;

impl Attention<'_> {
    /// Whether every row lies within its data.
    fn fits(&self, out: &[f32]) -> bool {
        let last = |rows: (usize, usize, usize), positions: usize, heads: usize, width: usize| {
            let (batch, position, head) = rows;
            (self.batch - 1)
                .checked_mul(batch)?
                .checked_add((positions - 1).checked_mul(position)?)?
                .checked_add((heads - 1).checked_mul(head)?)?
                .checked_add(width)
        };
        let within = |need: Option<usize>, has: usize| need.is_some_and(|need| need <= has);
        let (q, k, v) = (&self.q, &self.k, &self.v);
        within(
            last(
                (q.batch, q.position, q.head),
                self.queries,
                self.heads,
                self.d,
            ),
            q.data.len(),
        ) && within(
            last(
                (k.batch, k.position, k.head),
                self.keys,
                self.kv_heads,
                self.d,
            ),
            k.data.len(),
        ) && within(
            last(
                (v.batch, v.position, v.head),
                self.keys,
                self.kv_heads,
                self.dv,
            ),
            v.data.len(),
        ) && self.mask.is_none_or(|mask| {
            within(
                last(
                    (mask.batch, mask.query, mask.head),
                    self.queries,
                    self.heads,
                    self.keys,
                ),
                mask.data.len(),
            )
        }) && self
            .batch
            .checked_mul(self.heads * self.queries * self.dv)
            .is_some_and(|need| need <= out.len())
    }
}

/// Computes `call` into `out`, `[batch][heads][queries][dv]`. Returns false, with nothing written, where the shape makes
/// no sense (a row outside its data, heads that do not divide). A query that sees no key gets zeros.
pub fn attention(call: &Attention<'_>, out: &mut [f32]) -> bool {
    attention_on(isa::chosen(), call, out)
}

/// As `attention`, on an instruction set of the caller's choice; the best available one if this is not.
pub fn attention_on(isa: Isa, call: &Attention<'_>, out: &mut [f32]) -> bool {
    if call.batch == 0 || call.queries == 0 || call.heads == 0 {
        return true;
    }
    if call.kv_heads == 0
        || !call.heads.is_multiple_of(call.kv_heads)
        || call.d == 0
        || call.dv == 0
    {
        return false;
    }
    if call.keys == 0 {
        let n = call.batch * call.heads * call.queries * call.dv;
        return out.get_mut(..n).map(|out| out.fill(0.0)).is_some();
    }
    if !call.fits(out) {
        return false;
    }
    let isa = if isa.available() { isa } else { Isa::best() };
    let group = call.heads / call.kv_heads;
    let some_queries = (ROWS / group).max(1);
    let blocks = call.queries.div_ceil(some_queries);
    let parts = if blocks == 1 {
        call.keys.div_ceil(PART)
    } else {
        1
    };
    let base = call.batch * call.kv_heads;
    let shared = Shared(out.as_mut_ptr());
    if parts == 1 {
        // The last blocks see the most keys: they are begun first.
        let unit = |u: usize| {
            let (block, pair) = (blocks - 1 - u / base, u % base);
            let work = kernel::Work {
                batch: pair / call.kv_heads,
                kv_head: pair % call.kv_heads,
                query: block * some_queries,
                queries: some_queries.min(call.queries - block * some_queries),
                keys: (0, call.keys),
            };
            // SAFETY: rows are within their data (`fits`), the units' rows of `out` apart, `isa` available.
            unsafe { kernel::run(isa, call, work, kernel::To::Out(shared)) }
        };
        run(base * blocks, call, &unit);
    } else {
        let rows = call.queries * group;
        let mut partial = vec![0f32; base * parts * rows * (call.dv + 2)];
        let to = Shared(partial.as_mut_ptr());
        let unit = |u: usize| {
            let (pair, part) = (u / parts, u % parts);
            let work = kernel::Work {
                batch: pair / call.kv_heads,
                kv_head: pair % call.kv_heads,
                query: 0,
                queries: call.queries,
                keys: (part * PART, ((part + 1) * PART).min(call.keys)),
            };
            // SAFETY: as above; each unit has its own piece of `partial`.
            unsafe {
                kernel::run(
                    isa,
                    call,
                    work,
                    kernel::To::Part(Shared(to.at(u * rows * (call.dv + 2)))),
                )
            }
        };
        run(base * parts, call, &unit);
        for pair in 0..base {
            let parts = &partial
                [pair * parts * rows * (call.dv + 2)..(pair + 1) * parts * rows * (call.dv + 2)];
            merge(call, pair, rows, parts, out);
        }
    }
    true
}

/// Below so many products a call stays with its caller.
const SMALL: usize = 256 * 1024;

fn run(units: usize, call: &Attention<'_>, unit: &(dyn Fn(usize) + Sync)) {
    if call.batch * call.heads * call.queries * call.keys * call.d < SMALL {
        (0..units).for_each(unit);
    } else {
        pool::parallel(units, unit);
    }
}

/// Puts the parts of one batch entry and key head together: rows of (values, maximum, sum), not yet divided.
fn merge(call: &Attention<'_>, pair: usize, rows: usize, parts: &[f32], out: &mut [f32]) {
    let (dv, group) = (call.dv, call.heads / call.kv_heads);
    let (batch, kv_head) = (pair / call.kv_heads, pair % call.kv_heads);
    for row in 0..rows {
        let (i, head) = (row / group, kv_head * group + row % group);
        let at = ((batch * call.heads + head) * call.queries + i) * dv;
        let out = &mut out[at..at + dv];
        out.fill(0.0);
        let part = |p: &[f32]| -> (f32, f32) { (p[dv], p[dv + 1]) };
        let of_row = || {
            parts
                .chunks_exact(rows * (dv + 2))
                .map(|p| &p[row * (dv + 2)..(row + 1) * (dv + 2)])
        };
        let largest = of_row().map(|p| part(p).0).fold(f32::NEG_INFINITY, |a, b| {
            if b > a || b.is_nan() { b } else { a }
        });
        let mut total = 0.0;
        for p in of_row() {
            let (maximum, sum) = part(p);
            if sum == 0.0 {
                continue;
            }
            let factor = (maximum - largest).exp();
            total += sum * factor;
            for (out, value) in out.iter_mut().zip(p) {
                *out += value * factor;
            }
        }
        let inverse = if total == 0.0 { 0.0 } else { 1.0 / total };
        out.iter_mut().for_each(|x| *x *= inverse);
    }
}
