//! Attention against a plain f64 one: shapes, strides, bounds, masks, soft caps, instruction sets, threads.

mod common;

use common::{Guarded, Random, assert_same};
use paddock_kernels::attention::{Attention, Bounds, Cached, Mask, Rows, attention, attention_on};
use paddock_kernels::{Isa, isa, pool};

fn expected(call: &Attention<'_>) -> Vec<f64> {
    let value = |rows: &Rows<Cached<'_>>, b: usize, at: usize, head: usize, x: usize| {
        let place = b * rows.batch + at * rows.position + head * rows.head + x;
        match rows.data {
            Cached::F32(data) => f64::from(data[place]),
            Cached::F16(data) => half::f16::from_bits(data[place]).to_f64(),
        }
    };
    let group = call.heads / call.kv_heads;
    let mut out = Vec::new();
    for b in 0..call.batch {
        for head in 0..call.heads {
            for i in 0..call.queries {
                let (first, end) = call.bounds.range(i, call.keys);
                let scores: Vec<(usize, f64)> = (first..end)
                    .map(|key| {
                        let q = b * call.q.batch + i * call.q.position + head * call.q.head;
                        let dot: f64 = (0..call.d)
                            .map(|x| {
                                f64::from(call.q.data[q + x])
                                    * value(&call.k, b, key, head / group, x)
                            })
                            .sum();
                        let mut score = dot * f64::from(call.scale);
                        if let Some(cap) = call.softcap {
                            score = f64::from(cap) * (score / f64::from(cap)).tanh();
                        }
                        if let Some(mask) = call.mask {
                            score += f64::from(
                                mask.data[b * mask.batch + head * mask.head + i * mask.query + key],
                            );
                        }
                        (key, score)
                    })
                    .collect();
                let largest = scores.iter().map(|s| s.1).fold(f64::NEG_INFINITY, f64::max);
                let weights: Vec<(usize, f64)> = scores
                    .iter()
                    .map(|&(key, s)| {
                        (
                            key,
                            if s == f64::NEG_INFINITY {
                                0.0
                            } else {
                                (s - largest).exp()
                            },
                        )
                    })
                    .collect();
                let total: f64 = weights.iter().map(|w| w.1).sum();
                for x in 0..call.dv {
                    let sum: f64 = weights
                        .iter()
                        .map(|&(key, w)| w * value(&call.v, b, key, head / group, x))
                        .sum();
                    out.push(if total == 0.0 { 0.0 } else { sum / total });
                }
            }
        }
    }
    out
}

/// `[batch][position][head][d]` or `[batch][head][position][d]` strides.
fn rows<T>(data: T, positions: usize, heads: usize, d: usize, heads_first: bool) -> Rows<T> {
    let (position, head) = if heads_first {
        (d, positions * d)
    } else {
        (heads * d, d)
    };
    Rows {
        data,
        batch: positions * heads * d,
        position,
        head,
    }
}

fn check(call: &Attention<'_>, what: &str) {
    let expected = expected(call);
    for isa in isa::available() {
        let mut out = Guarded::new(&vec![3.0f32; expected.len()], 4711.0);
        assert!(
            attention_on(isa, call, out.inside()),
            "{what} on {}",
            isa.name()
        );
        out.check();
        for (i, (out, expected)) in out.inside().iter().zip(&expected).enumerate() {
            assert!(
                (f64::from(*out) - expected).abs() < 2e-5,
                "{what} on {}: value {i} is {out}, expected {expected}",
                isa.name()
            );
        }
    }
}

#[test]
fn shapes_bounds_and_layouts_give_what_plain_attention_gives() {
    let mut random = Random::new(1);
    let bounds = [
        Bounds::default(),
        Bounds {
            causal: true,
            ..Bounds::default()
        },
        Bounds {
            causal: true,
            window: Some(10),
            ..Bounds::default()
        },
        Bounds {
            causal: true,
            chunk: Some(16),
            ..Bounds::default()
        },
    ];
    for (batch, heads, kv_heads, queries, keys, d, dv) in [
        (1, 1, 1, 1, 1, 8, 8),
        (1, 9, 3, 1, 450, 64, 64),
        (1, 2, 1, 1, 1300, 32, 32),
        (2, 4, 2, 7, 7, 16, 16),
        (1, 9, 3, 33, 33, 64, 64),
        (1, 4, 4, 65, 130, 88, 88),
        (2, 6, 1, 3, 70, 20, 12),
        (1, 3, 3, 70, 71, 33, 47),
        (1, 128, 1, 2, 65, 8, 8),
    ] {
        for bounds in bounds {
            for heads_first in [false, true] {
                let bounds = Bounds {
                    past: keys - queries,
                    ..bounds
                };
                let (q, k, v) = (
                    random.values(batch * queries * heads * d),
                    random.values(batch * keys * kv_heads * d),
                    random.values(batch * keys * kv_heads * dv),
                );
                let call = Attention {
                    q: rows(&q[..], queries, heads, d, heads_first),
                    k: rows(Cached::F32(&k), keys, kv_heads, d, heads_first),
                    v: rows(Cached::F32(&v), keys, kv_heads, dv, heads_first),
                    batch,
                    heads,
                    kv_heads,
                    queries,
                    keys,
                    d,
                    dv,
                    scale: 3.0 / (d as f32).sqrt(),
                    softcap: (keys % 2 == 1).then_some(2.5),
                    bounds,
                    mask: None,
                };
                check(
                    &call,
                    &format!(
                        "{batch} x {heads}/{kv_heads} heads, {queries} of {keys}, {d}/{dv}, {bounds:?}"
                    ),
                );
                // The same limits as a mask, shared by batch and heads, and a bias in what is seen.
                let mut mask = vec![f32::NEG_INFINITY; queries * keys];
                for i in 0..queries {
                    let (first, end) = bounds.range(i, keys);
                    for (key, x) in mask[i * keys + first..i * keys + end]
                        .iter_mut()
                        .enumerate()
                    {
                        *x = if key % 3 == 0 { 0.0 } else { random.unit() };
                    }
                }
                let masked = Attention {
                    bounds: Bounds::default(),
                    mask: Some(Mask {
                        data: &mask,
                        batch: 0,
                        head: 0,
                        query: keys,
                    }),
                    ..call
                };
                check(&masked, "masked");
            }
        }
    }
}

#[test]
fn a_cache_in_f16_gives_what_its_rounded_values_give() {
    let mut random = Random::new(2);
    let half = |values: Vec<f32>| {
        values
            .into_iter()
            .map(|x| half::f16::from_f32(x).to_bits())
            .collect::<Vec<u16>>()
    };
    for (queries, keys, d) in [(1, 200, 64), (40, 77, 20)] {
        let (q, k, v) = (
            random.values(queries * 4 * d),
            half(random.values(keys * 2 * d)),
            half(random.values(keys * 2 * d)),
        );
        let call = Attention {
            q: rows(&q[..], queries, 4, d, false),
            k: rows(Cached::F16(&k), keys, 2, d, false),
            v: rows(Cached::F16(&v), keys, 2, d, false),
            batch: 1,
            heads: 4,
            kv_heads: 2,
            queries,
            keys,
            d,
            dv: d,
            scale: 0.3,
            softcap: None,
            bounds: Bounds {
                past: keys - queries,
                causal: true,
                ..Bounds::default()
            },
            mask: None,
        };
        check(&call, "f16");
    }
}

#[test]
fn a_query_does_not_depend_on_those_beside_it_nor_on_the_threads() {
    let mut random = Random::new(3);
    let (heads, kv_heads, n, d) = (6, 2, 300, 64);
    let (q, k, v) = (
        random.values(n * heads * d),
        random.values(n * kv_heads * d),
        random.values(n * kv_heads * d),
    );
    let call = Attention {
        q: rows(&q[..], n, heads, d, false),
        k: rows(Cached::F32(&k), n, kv_heads, d, false),
        v: rows(Cached::F32(&v), n, kv_heads, d, false),
        batch: 1,
        heads,
        kv_heads,
        queries: n,
        keys: n,
        d,
        dv: d,
        scale: 0.125,
        softcap: None,
        bounds: Bounds {
            causal: true,
            ..Bounds::default()
        },
        mask: None,
    };
    let mut all = vec![0f32; heads * n * d];
    pool::set_threads(1);
    assert!(attention(&call, &mut all));
    for threads in [2, 7] {
        pool::set_threads(threads);
        let mut again = vec![0f32; heads * n * d];
        assert!(attention(&call, &mut again));
        assert_same(&again, &all, "threads");
    }
    for i in [0, 63, 64, 171, 299] {
        let one = Attention {
            q: rows(&q[i * heads * d..(i + 1) * heads * d], 1, heads, d, false),
            queries: 1,
            bounds: Bounds {
                past: i,
                causal: true,
                ..Bounds::default()
            },
            ..call
        };
        let mut out = vec![0f32; heads * d];
        assert!(attention(&one, &mut out));
        for head in 0..heads {
            let at = (head * n + i) * d;
            assert_same(&out[head * d..(head + 1) * d], &all[at..at + d], "alone");
        }
    }
}

#[test]
fn what_sees_nothing_is_zero_and_what_does_not_fit_is_refused() {
    let data = [1.0f32; 64];
    let call = Attention {
        q: rows(&data[..8], 1, 1, 8, false),
        k: rows(Cached::F32(&data[..32]), 4, 1, 8, false),
        v: rows(Cached::F32(&data[..32]), 4, 1, 8, false),
        batch: 1,
        heads: 1,
        kv_heads: 1,
        queries: 1,
        keys: 4,
        d: 8,
        dv: 8,
        scale: 1.0,
        softcap: None,
        bounds: Bounds::default(),
        mask: Some(Mask {
            data: &[f32::NEG_INFINITY; 4],
            batch: 0,
            head: 0,
            query: 4,
        }),
    };
    for isa in isa::available() {
        let mut out = [5.0; 8];
        assert!(attention_on(isa, &call, &mut out));
        assert_eq!(out, [0.0; 8]);
    }
    let mut out = [5.0; 8];
    assert!(
        !attention(&Attention { keys: 5, ..call }, &mut out),
        "keys past the data"
    );
    assert!(
        !attention(
            &Attention {
                heads: 3,
                kv_heads: 2,
                ..call
            },
            &mut out
        ),
        "heads that do not divide"
    );
    assert!(
        !attention_on(Isa::Scalar, &call, &mut [0.0; 7]),
        "too little room"
    );
    assert_eq!(out, [5.0; 8]);
}
