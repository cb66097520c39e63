//! One block of rows against the keys it sees, tile by tile of 64 keys, with the running maximum and sum of an online
//! softmax. Tiles begin at multiples of 64 keys, so that a row's result does not depend on the rows beside it.

use super::{Attention, Cached, Rows};
use crate::floats::{Floats, Plain, exp, tanh};
use crate::isa::Isa;
use crate::scratch::{Lent, Shared};

const TILE: usize = 64;

/// The part of a call one unit does.
#[derive(Clone, Copy)]
pub(super) struct Work {
    pub batch: usize,
    pub kv_head: usize,
    pub query: usize,
    pub queries: usize,
    /// First and one past the last key.
    pub keys: (usize, usize),
}

/// Where the result goes.
#[derive(Clone, Copy)]
pub(super) enum To {
    /// Divided, in the call's output.
    Out(Shared<f32>),
    /// Undivided, `[rows][dv + 2]` with maximum and sum after the values.
    Part(Shared<f32>),
}

/// # Safety
/// `isa` is available, every row of `call` lies within its data, and nobody else touches this unit's part of `to`.
pub(super) unsafe fn run(isa: Isa, call: &Attention<'_>, work: Work, to: To) {
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 | Isa::AvxVnni => avx2(call, work, to),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512Vnni => avx512(call, work, to),
        _ => block::<Plain>(call, work, to),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn avx2(call: &Attention<'_>, work: Work, to: To) {
    block::<crate::x86::floats::Ymm>(call, work, to)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq")]
unsafe fn avx512(call: &Attention<'_>, work: Work, to: To) {
    block::<crate::x86::floats::Zmm>(call, work, to)
}

/// Adds up to four vectors' width of slack, so that whole vectors may be read and written.
const SLACK: usize = 64;

#[inline(always)]
unsafe fn block<V: Floats>(call: &Attention<'_>, work: Work, to: To) {
    let group = call.heads / call.kv_heads;
    let rows = work.queries * group;
    let (d, dv) = (call.d, call.dv);
    let wide_v = dv.next_multiple_of(V::LANES);
    let wide_d = d.next_multiple_of(8);
    // Parts of scratch, in floats.
    let (queries, keys, values) = (rows * d + SLACK, wide_d * TILE, TILE * wide_v);
    let (scores, result) = (rows * TILE, rows * wide_v);
    let mut lent =
        Lent::new(4 * (queries + keys + values + scores + result + 4 * rows + TILE * wide_d + 16));
    let q = lent.start().cast::<f32>();
    let kt = q.add(queries.next_multiple_of(16));
    let v = kt.add(keys);
    let s = v.add(values);
    let o = s.add(scores);
    let state = o.add(result);
    let rough = state.add(4 * rows);

    let mut first = call.keys;
    let mut end = 0;
    for row in 0..rows {
        let (i, head) = (work.query + row / group, work.kv_head * group + row % group);
        let from = call
            .q
            .data
            .as_ptr()
            .add(work.batch * call.q.batch + i * call.q.position + head * call.q.head);
        for x in 0..d {
            *q.add(row * d + x) = *from.add(x) * call.scale;
        }
        let (mut a, mut b) = call.bounds.range(i, call.keys);
        (a, b) = (a.max(work.keys.0), b.min(work.keys.1));
        if let Some(mask) = call.mask {
            let mask = mask
                .data
                .as_ptr()
                .add(work.batch * mask.batch + head * mask.head + i * mask.query);
            while a < b && *mask.add(a) == f32::NEG_INFINITY {
                a += 1;
            }
            while a < b && *mask.add(b - 1) == f32::NEG_INFINITY {
                b -= 1;
            }
        }
        if a < b {
            (first, end) = (first.min(a), end.max(b));
        }
        *state.add(4 * row) = f32::NEG_INFINITY;
        *state.add(4 * row + 1) = 0.0;
        *state.add(4 * row + 2) = f32::from_bits(a as u32);
        *state.add(4 * row + 3) = f32::from_bits(b.max(a) as u32);
    }
    for x in 0..result {
        *o.add(x) = 0.0;
    }

    let mut tile = first / TILE * TILE;
    while tile < end {
        let count = TILE.min(call.keys - tile);
        keys_transposed::<V>(call, work, tile, count, kt, rough);
        let (v, v_stride) = values_of_tile::<V>(call, work, tile, count, v, wide_v);
        score_rows::<V>(q, rows, d, kt, s);
        let mut any = false;
        for row in 0..rows {
            any |= softmax_row::<V>(call, work, group, row, tile, count, s, state, o, wide_v);
        }
        if any {
            weigh_values::<V>(s, rows, count, v, v_stride, o, wide_v);
        }
        tile += TILE;
    }

    for row in 0..rows {
        let (i, head) = (work.query + row / group, work.kv_head * group + row % group);
        let (maximum, sum) = (*state.add(4 * row), *state.add(4 * row + 1));
        let from = o.add(row * wide_v);
        match to {
            To::Out(out) => {
                let inverse = if sum == 0.0 { 0.0 } else { 1.0 / sum };
                let out = out.at(((work.batch * call.heads + head) * call.queries + i) * dv);
                for x in 0..dv {
                    *out.add(x) = *from.add(x) * inverse;
                }
            }
            To::Part(part) => {
                let part = part.at(row * (dv + 2));
                for x in 0..dv {
                    *part.add(x) = *from.add(x);
                }
                *part.add(dv) = maximum;
                *part.add(dv + 1) = sum;
            }
        }
    }
}

/// The keys of a tile as `[d][TILE]`; columns past the last key are zeros.
#[inline(always)]
unsafe fn keys_transposed<V: Floats>(
    call: &Attention<'_>,
    work: Work,
    tile: usize,
    count: usize,
    kt: *mut f32,
    rough: *mut f32,
) {
    let d = call.d;
    let start = work.batch * call.k.batch + tile * call.k.position + work.kv_head * call.k.head;
    let wide = d.next_multiple_of(8);
    let (from, stride) = match call.k.data {
        Cached::F32(data) if count == TILE && d.is_multiple_of(8) => {
            (data.as_ptr().add(start), call.k.position)
        }
        Cached::F32(data) => {
            for key in 0..TILE {
                for x in 0..wide {
                    let inside = key < count && x < d;
                    *rough.add(key * wide + x) = if inside {
                        *data.as_ptr().add(start + key * call.k.position + x)
                    } else {
                        0.0
                    };
                }
            }
            (rough.cast_const(), wide)
        }
        Cached::F16(data) => {
            for key in 0..TILE {
                let to = rough.add(key * wide);
                if key < count {
                    widen::<V>(data.as_ptr().add(start + key * call.k.position), d, to);
                }
                for x in if key < count { d } else { 0 }..wide {
                    *to.add(x) = 0.0;
                }
            }
            (rough.cast_const(), wide)
        }
    };
    let mut key = 0;
    while key < TILE {
        for k in key..key + 8 {
            // The next tile's keys and this one's values: there is a row's work to do until they are wanted.
            ahead(&call.k, work, tile + TILE + k, call.keys, call.d);
            ahead(&call.v, work, tile + k, call.keys, call.dv);
        }
        let mut x = 0;
        while x < wide {
            V::transpose8(
                from.add(key * stride + x),
                stride,
                kt.add(x * TILE + key),
                TILE,
            );
            x += 8;
        }
        key += 8;
    }
}

/// Asks for a row of keys or values that will be read soon.
#[inline(always)]
unsafe fn ahead(rows: &Rows<Cached<'_>>, work: Work, key: usize, keys: usize, width: usize) {
    #[cfg(target_arch = "x86_64")]
    if key < keys {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let at = work.batch * rows.batch + key * rows.position + work.kv_head * rows.head;
        let (start, bytes) = match rows.data {
            Cached::F32(data) => (data.as_ptr().wrapping_add(at).cast::<i8>(), 4 * width),
            Cached::F16(data) => (data.as_ptr().wrapping_add(at).cast::<i8>(), 2 * width),
        };
        let mut line = 0;
        while line < bytes {
            _mm_prefetch::<_MM_HINT_T0>(start.wrapping_add(line));
            line += 64;
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (rows, work, key, keys, width);
}

#[inline(always)]
unsafe fn widen<V: Floats>(from: *const u16, n: usize, to: *mut f32) {
    let mut x = 0;
    while x + V::LANES <= n {
        V::store(to.add(x), V::load_f16(from.add(x)));
        x += V::LANES;
    }
    while x < n {
        *to.add(x) = half::f16::from_bits(*from.add(x)).to_f32();
        x += 1;
    }
}

/// The values of a tile and the distance of two of them: where they are, if whole vectors may be read there, or copied.
#[inline(always)]
unsafe fn values_of_tile<V: Floats>(
    call: &Attention<'_>,
    work: Work,
    tile: usize,
    count: usize,
    copy: *mut f32,
    wide: usize,
) -> (*const f32, usize) {
    let start = work.batch * call.v.batch + tile * call.v.position + work.kv_head * call.v.head;
    match call.v.data {
        Cached::F32(data) if call.dv == wide => (data.as_ptr().add(start), call.v.position),
        Cached::F32(data) => {
            for key in 0..count {
                for x in 0..wide {
                    *copy.add(key * wide + x) = if x < call.dv {
                        *data.as_ptr().add(start + key * call.v.position + x)
                    } else {
                        0.0
                    };
                }
            }
            (copy, wide)
        }
        Cached::F16(data) => {
            for key in 0..count {
                let to = copy.add(key * wide);
                widen::<V>(
                    data.as_ptr().add(start + key * call.v.position),
                    call.dv,
                    to,
                );
                for x in call.dv..wide {
                    *to.add(x) = 0.0;
                }
            }
            (copy, wide)
        }
    }
}

/// `s[rows][TILE]` = queries x keys of the tile.
#[inline(always)]
unsafe fn score_rows<V: Floats>(q: *const f32, rows: usize, d: usize, kt: *const f32, s: *mut f32) {
    let mut row = 0;
    while row < rows {
        match rows - row {
            1 => score_some::<V, 1>(q.add(row * d), d, kt, s.add(row * TILE)),
            2 => score_some::<V, 2>(q.add(row * d), d, kt, s.add(row * TILE)),
            3 => score_some::<V, 3>(q.add(row * d), d, kt, s.add(row * TILE)),
            _ => score_some::<V, 4>(q.add(row * d), d, kt, s.add(row * TILE)),
        }
        row += (rows - row).min(4);
    }
}

#[inline(always)]
unsafe fn score_some<V: Floats, const M: usize>(
    q: *const f32,
    d: usize,
    kt: *const f32,
    s: *mut f32,
) {
    let mut key = 0;
    while key < TILE {
        let mut acc = [[V::all(0.0); 2]; M];
        for x in 0..d {
            let k = kt.add(x * TILE + key);
            let k = [V::load(k), V::load(k.add(V::LANES))];
            for m in 0..M {
                let q = V::all(*q.add(m * d + x));
                acc[m][0] = V::fma(q, k[0], acc[m][0]);
                acc[m][1] = V::fma(q, k[1], acc[m][1]);
            }
        }
        for m in 0..M {
            V::store(s.add(m * TILE + key), acc[m][0]);
            V::store(s.add(m * TILE + key + V::LANES), acc[m][1]);
        }
        key += 2 * V::LANES;
    }
}

/// Turns a row of scores into weights relative to the running maximum; false if it sees no key of the tile.
#[inline(always)]
unsafe fn softmax_row<V: Floats>(
    call: &Attention<'_>,
    work: Work,
    group: usize,
    row: usize,
    tile: usize,
    count: usize,
    s: *mut f32,
    state: *mut f32,
    o: *mut f32,
    wide_v: usize,
) -> bool {
    let s: &mut [f32; TILE] = &mut *s.add(row * TILE).cast::<[f32; TILE]>();
    let state: &mut [f32; 4] = &mut *state.add(4 * row).cast::<[f32; 4]>();
    let (a, b) = (state[2].to_bits() as usize, state[3].to_bits() as usize);
    let (a, b) = (a.max(tile) - tile, b.min(tile + count).max(tile) - tile);
    if a >= b {
        s.fill(0.0);
        return false;
    }
    if let Some(cap) = call.softcap {
        for x in s.iter_mut() {
            *x = cap * tanh(*x / cap);
        }
    }
    if let Some(mask) = call.mask {
        let (i, head) = (work.query + row / group, work.kv_head * group + row % group);
        let mask = mask
            .data
            .as_ptr()
            .add(work.batch * mask.batch + head * mask.head + i * mask.query + tile);
        for x in 0..count {
            s[x] += *mask.add(x);
        }
    }
    s[..a].fill(f32::NEG_INFINITY);
    s[b..].fill(f32::NEG_INFINITY);
    // Lanes of their own, for the order of comparisons may not be changed by the compiler. A NaN score is not the
    // largest of anything; it reaches the sum below.
    let mut lanes = [f32::NEG_INFINITY; 16];
    for part in s.chunks_exact(16) {
        for l in 0..16 {
            lanes[l] = if part[l] > lanes[l] {
                part[l]
            } else {
                lanes[l]
            };
        }
    }
    let mut largest = state[0];
    for lane in lanes {
        largest = if lane > largest { lane } else { largest };
    }
    if largest == f32::NEG_INFINITY {
        // Every key is masked, or a score is NaN: that one must be seen.
        if !s[a..b].iter().any(|x| x.is_nan()) {
            s.fill(0.0);
            return false;
        }
        largest = 0.0;
    }
    let mut sums = [0f32; 16];
    for part in s.chunks_exact_mut(16) {
        for l in 0..16 {
            part[l] = exp(part[l] - largest);
            sums[l] += part[l];
        }
    }
    let mut sum = 0f32;
    for lane in sums {
        sum += lane;
    }
    if largest != state[0] {
        let factor = exp(state[0] - largest);
        state[1] *= factor;
        let factor = V::all(factor);
        let o = o.add(row * wide_v);
        let mut x = 0;
        while x < wide_v {
            V::store(o.add(x), V::mul(V::load(o.add(x)), factor));
            x += V::LANES;
        }
        state[0] = largest;
    }
    state[1] += sum;
    true
}

/// `o[rows][wide_v]` += weights x values of the tile.
#[inline(always)]
unsafe fn weigh_values<V: Floats>(
    s: *const f32,
    rows: usize,
    count: usize,
    v: *const f32,
    v_stride: usize,
    o: *mut f32,
    wide_v: usize,
) {
    let mut row = 0;
    while row < rows {
        let (s, o) = (s.add(row * TILE), o.add(row * wide_v));
        match rows - row {
            1 => weigh_some::<V, 1>(s, count, v, v_stride, o, wide_v),
            2 => weigh_some::<V, 2>(s, count, v, v_stride, o, wide_v),
            3 => weigh_some::<V, 3>(s, count, v, v_stride, o, wide_v),
            _ => weigh_some::<V, 4>(s, count, v, v_stride, o, wide_v),
        }
        row += (rows - row).min(4);
    }
}

#[inline(always)]
unsafe fn weigh_some<V: Floats, const M: usize>(
    s: *const f32,
    count: usize,
    v: *const f32,
    v_stride: usize,
    o: *mut f32,
    wide_v: usize,
) {
    let mut x = 0;
    while x < wide_v {
        // The last vector alone where their number is odd: it is done with itself as its neighbour, stored once.
        let second = if x + V::LANES < wide_v { V::LANES } else { 0 };
        let mut acc = [[V::all(0.0); 2]; M];
        for m in 0..M {
            let o = o.add(m * wide_v + x);
            acc[m] = [V::load(o), V::load(o.add(second))];
        }
        for key in 0..count {
            let v = v.add(key * v_stride + x);
            let v = [V::load(v), V::load(v.add(second))];
            for m in 0..M {
                let p = V::all(*s.add(m * TILE + key));
                acc[m][0] = V::fma(p, v[0], acc[m][0]);
                acc[m][1] = V::fma(p, v[1], acc[m][1]);
            }
        }
        for m in 0..M {
            let o = o.add(m * wide_v + x);
            V::store(o, acc[m][0]);
            V::store(o.add(second), acc[m][1]);
        }
        x += 2 * V::LANES;
    }
}
