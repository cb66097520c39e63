//! Speed of the products: GMAC/s per format x instruction set, prefill of 512 and decode of 1, at real widths, beside
//! what plain memory traffic does. `cargo run --release --example speed [-- THREADS [FORMAT...]]`.

use paddock_kernels::{Format, Isa, isa, pool, qmatmul_on};
use std::time::Instant;

/// Median seconds of several runs, at least 0.15 s in all.
fn median(mut run: impl FnMut()) -> f64 {
    run();
    let mut times = Vec::new();
    let begin = Instant::now();
    while times.len() < 5 || begin.elapsed().as_secs_f64() < 0.15 {
        let start = Instant::now();
        run();
        times.push(start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let threads = arguments.first().and_then(|a| a.parse().ok()).unwrap_or(1);
    pool::set_threads(threads);
    let from = vec![1u8; 256 << 20];
    let mut to = vec![0u8; 256 << 20];
    let copy = median(|| {
        std::hint::black_box(&mut to[..]).copy_from_slice(std::hint::black_box(&from[..]));
    });
    println!(
        "{threads} threads; memcpy reads {:.1} GB/s while it writes as much",
        from.len() as f64 / copy / 1e9
    );
    println!(
        "| format | ISA | n x k | prefill 512, GMAC/s | decode 1, GMAC/s | decode, GB/s of weights |"
    );
    println!("|---|---|---|---|---|---|");
    let mut seed = 1u64;
    for format in Format::ALL {
        if arguments.len() > 1 && !arguments[1..].iter().any(|a| a == format.name()) {
            continue;
        }
        for (n, k) in [(576, 1536), (2560, 9728), (4096, 14336)] {
            let bytes = format.row_bytes(k).expect("whole blocks") * n;
            // Decode walks through copies, so that the weights come from memory and not from a cache.
            let copies = if bytes < 64 << 20 {
                (96 << 20) / bytes + 1
            } else {
                1
            };
            let mut weights = vec![0u8; bytes * copies];
            for byte in &mut weights {
                seed = seed
                    .wrapping_mul(6364136223846793005)
                    .wrapping_add(1442695040888963407);
                *byte = (seed >> 40) as u8 & 0x3b;
            }
            let x: Vec<f32> = (0..512 * k)
                .map(|i| (i * 7919 % 2003) as f32 / 1000.0 - 1.0)
                .collect();
            let mut out = vec![0f32; 512 * n];
            for isa in isa::available() {
                if isa == Isa::Scalar {
                    continue;
                }
                let rows = if n * k > 10 << 20 { 128 } else { 512 };
                let prefill = median(|| {
                    qmatmul_on(isa, format, &weights[..bytes], (rows, n, k), &x, &mut out)
                        .expect("fits")
                });
                let mut copy = 0;
                let decode = median(|| {
                    for _ in 0..8 {
                        copy = (copy + 1) % copies;
                        let w = &weights[copy * bytes..(copy + 1) * bytes];
                        qmatmul_on(isa, format, w, (1, n, k), &x, &mut out).expect("fits");
                    }
                }) / 8.0;
                println!(
                    "| {} | {} | {n} x {k} | {:.1} | {:.2} | {:.1} |",
                    format.name(),
                    isa.name(),
                    (rows * n * k) as f64 / prefill / 1e9,
                    (n * k) as f64 / decode / 1e9,
                    bytes as f64 / decode / 1e9
                );
            }
        }
    }
}
