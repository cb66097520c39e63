//! Speed of attention and of the dense products. `cargo run --release --example attention [-- THREADS]`.

use paddock_kernels::attention::{Attention, Bounds, Cached, Rows, attention_on};
use paddock_kernels::{Format, Isa, isa, pool, qmatmul_on};
use std::time::Instant;

fn median(mut run: impl FnMut()) -> f64 {
    run();
    let mut times: Vec<f64> = (0..7)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn main() {
    let threads = std::env::args()
        .nth(1)
        .and_then(|a| a.parse().ok())
        .unwrap_or(1);
    pool::set_threads(threads);
    println!("{threads} threads");
    println!(
        "| heads / key heads x width | queries of keys | ISA | ms | GMAC/s | GB/s of keys and values |"
    );
    println!("|---|---|---|---|---|---|");
    for (heads, kv_heads, d, queries, keys) in [
        (9, 3, 64, 512, 512),
        (9, 3, 64, 1, 512),
        (32, 8, 128, 512, 512),
        (32, 8, 128, 1, 8192),
        (16, 16, 88, 577, 577),
    ] {
        let fill = |n: usize| {
            (0..n)
                .map(|i| (i * 7919 % 2003) as f32 / 1000.0 - 1.0)
                .collect::<Vec<f32>>()
        };
        let (q, k, v) = (
            fill(queries * heads * d),
            fill(keys * kv_heads * d),
            fill(keys * kv_heads * d),
        );
        let kv = |data| Rows {
            data,
            batch: 0,
            position: d,
            head: keys * d,
        };
        let call = Attention {
            q: Rows {
                data: &q[..],
                batch: 0,
                position: heads * d,
                head: d,
            },
            k: kv(Cached::F32(&k)),
            v: kv(Cached::F32(&v)),
            batch: 1,
            heads,
            kv_heads,
            queries,
            keys,
            d,
            dv: d,
            scale: 0.1,
            softcap: None,
            bounds: Bounds {
                past: keys - queries,
                causal: queries != 577,
                ..Bounds::default()
            },
            mask: None,
        };
        let seen: usize = (0..queries).map(|i| call.bounds.range(i, keys).1).sum();
        for isa in isa::available() {
            let mut out = vec![0f32; queries * heads * d];
            let seconds = median(|| assert!(attention_on(isa, &call, &mut out)));
            let macs = (2 * seen * heads * d) as f64;
            println!(
                "| {heads} / {kv_heads} x {d} | {queries} of {keys} | {} | {:.3} | {:.1} | {:.1} |",
                isa.name(),
                seconds * 1e3,
                macs / seconds / 1e9,
                (8 * keys * kv_heads * d) as f64 / seconds / 1e9
            );
        }
    }
    println!("| format | ISA | m x n x k | GMAC/s |");
    println!("|---|---|---|---|");
    for format in [Format::F32, Format::F16, Format::BF16] {
        for (m, n, k) in [(577, 1408, 1408), (577, 1408, 5632), (1, 2560, 9728)] {
            let weights = vec![0x30u8; format.row_bytes(k).expect("whole") * n];
            let x = vec![0.5f32; m * k];
            let mut out = vec![0f32; m * n];
            for isa in isa::available()
                .into_iter()
                .filter(|isa| *isa != Isa::Scalar)
            {
                let seconds = median(|| {
                    qmatmul_on(isa, format, &weights, (m, n, k), &x, &mut out).expect("fits")
                });
                println!(
                    "| {} | {} | {m} x {n} x {k} | {:.1} |",
                    format.name(),
                    isa.name(),
                    (m * n * k) as f64 / seconds / 1e9
                );
            }
        }
    }
}
