//! Dense products, mixtures of experts, the small operations, the pool, the choice of instruction set.

mod common;

use common::{Guarded, Random, Weights, assert_same, weights};
use paddock_kernels::{
    Format, Isa, Refused, dequantise_row, grouped_qmatmul_on, isa, ops, pool, qmatmul_on,
};
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn dense_products_are_those_of_their_values() {
    for format in [Format::F32, Format::F16, Format::BF16] {
        let mut random = Random::new(4);
        for (m, n, k) in [
            (1, 1, 1),
            (1, 9, 33),
            (2, 4, 16),
            (3, 7, 100),
            (7, 13, 257),
            (33, 70, 64),
            (5, 300, 1000),
        ] {
            let w = weights(&mut random, format, n, k, Weights::Random);
            let x = random.values(m * k);
            let mut rows = vec![0f32; n * k];
            dequantise_row(format, &w, &mut rows);
            for isa in isa::available() {
                for threads in [1, 2, 7] {
                    pool::set_threads(threads);
                    let mut guarded = (
                        Guarded::new(&w, 0xff),
                        Guarded::new(&x, f32::NAN),
                        Guarded::new(&vec![9.0; m * n], 1.5),
                    );
                    let (w, x, out) = (guarded.0.inside(), guarded.1.inside(), guarded.2.inside());
                    qmatmul_on(isa, format, w, (m, n, k), x, out).expect("fits");
                    for (at, out) in out.iter().enumerate() {
                        let (x, w) = (&x[at / n * k..][..k], &rows[at % n * k..][..k]);
                        let sum: f64 = x
                            .iter()
                            .zip(w)
                            .map(|(a, b)| f64::from(*a) * f64::from(*b))
                            .sum();
                        let size: f64 =
                            x.iter().zip(w).map(|(a, b)| f64::from((a * b).abs())).sum();
                        assert!(
                            (f64::from(*out) - sum).abs() <= 1e-6 * size + 1e-12,
                            "{} {}",
                            format.name(),
                            isa.name()
                        );
                    }
                    let mut alone = vec![0.0; n];
                    qmatmul_on(isa, format, w, (1, n, k), &x[(m - 1) * k..], &mut alone)
                        .expect("fits");
                    assert_same(&alone, &out[(m - 1) * n..], "the last row alone");
                    guarded.2.check();
                }
            }
        }
    }
}

#[test]
fn experts_give_what_each_gives_alone() {
    for format in [Format::Q8_0, Format::Q4K, Format::F16] {
        for (tokens, share) in [(1, 2), (5, 1), (64, 4)] {
            let (experts, n, k) = (8, 37, 256);
            let mut random = Random::new(6);
            let w = weights(&mut random, format, experts * n, k, Weights::Random);
            let x = random.values(tokens * k);
            let chosen: Vec<u32> = (0..tokens * share)
                .map(|_| random.below(experts) as u32)
                .collect();
            let bytes = format.row_bytes(k).expect("whole blocks") * n;
            for isa in isa::available() {
                let mut out = vec![0f32; chosen.len() * n];
                grouped_qmatmul_on(
                    isa,
                    format,
                    &w,
                    (experts, n, k),
                    &chosen,
                    share,
                    &x,
                    &mut out,
                )
                .expect("fits");
                for (r, &expert) in chosen.iter().enumerate() {
                    let mut alone = vec![0f32; n];
                    let w = &w[expert as usize * bytes..][..bytes];
                    qmatmul_on(
                        isa,
                        format,
                        w,
                        (1, n, k),
                        &x[r / share * k..][..k],
                        &mut alone,
                    )
                    .expect("fits");
                    assert_same(&out[r * n..][..n], &alone, isa.name());
                }
            }
            let wrong = grouped_qmatmul_on(
                Isa::Scalar,
                format,
                &w,
                (experts, n, k),
                &[8],
                1,
                &x,
                &mut vec![0.0; n],
            );
            assert_eq!(
                wrong,
                Err(Refused::TooShort {
                    what: "experts",
                    has: 8,
                    needs: 9
                })
            );
        }
    }
}

fn close(a: &[f32], b: impl Iterator<Item = f64>, bound: f64) {
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        assert!(
            (f64::from(*a) - b).abs() <= bound * b.abs().max(1.0),
            "value {i} is {a}, expected {b}"
        );
    }
}

#[test]
fn small_operations_are_what_their_formulas_say() {
    let mut random = Random::new(8);
    for n in [1, 7, 16, 100, 5000] {
        let x: Vec<f32> = random.values(3 * n).iter().map(|x| x * 20.0).collect();
        let up = random.values(3 * n);
        let mut out = vec![0f32; 3 * n];
        assert!(ops::rms_norm(&x, &up[..n], 1e-5, &mut out));
        for r in 0..3 {
            let row = &x[r * n..][..n];
            let mean = row.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / n as f64;
            let want = row
                .iter()
                .zip(&up)
                .map(|(x, w)| f64::from(*x) / (mean + 1e-5).sqrt() * f64::from(*w));
            close(&out[r * n..][..n], want, 1e-5);
        }
        assert!(ops::silu_mul(&x, &up, &mut out));
        close(
            &out,
            x.iter()
                .zip(&up)
                .map(|(x, u)| f64::from(*x) / (1.0 + (-f64::from(*x)).exp()) * f64::from(*u)),
            2e-6,
        );
        let gelu = |x: f32| {
            let x = f64::from(x);
            0.5 * x * (1.0 + (0.797_884_560_802_865_4 * (x + 0.044715 * x.powi(3))).tanh())
        };
        assert!(ops::gelu(&x, &mut out));
        close(&out, x.iter().map(|x| gelu(*x)), 2e-6);
        assert!(ops::gelu_mul(&x, &up, &mut out));
        close(
            &out,
            x.iter().zip(&up).map(|(x, u)| gelu(*x) * f64::from(*u)),
            2e-6,
        );
        let mut soft = x.clone();
        assert!(ops::softmax(&mut soft, n));
        for r in 0..3 {
            let row = &x[r * n..][..n];
            let largest = row.iter().copied().fold(f32::MIN, f32::max);
            let total: f64 = row.iter().map(|x| f64::from(x - largest).exp()).sum();
            close(
                &soft[r * n..][..n],
                row.iter().map(|x| f64::from(x - largest).exp() / total),
                1e-6,
            );
        }
    }
    let mut out = [0.0; 3];
    assert!(!ops::silu_mul(&[1.0; 3], &[1.0; 2], &mut out));
    assert!(!ops::rms_norm(&[1.0; 3], &[1.0; 2], 0.0, &mut out));
}

#[test]
fn rope_turns_pairs_halves_apart_or_side_by_side() {
    let (heads, width, half) = (2, 6, 2);
    let x: Vec<f32> = (0..24).map(|i| i as f32).collect();
    let angles = [0.1f32, 0.2, 0.3, 0.4];
    let (cos, sin) = (angles.map(f32::cos), angles.map(f32::sin));
    for neighbours in [false, true] {
        let mut y = x.clone();
        assert!(ops::rope(
            &mut y, heads, width, &cos, &sin, half, neighbours
        ));
        for row in 0..4 {
            let position = row / heads;
            for p in 0..half {
                let (a, b) = if neighbours {
                    (2 * p, 2 * p + 1)
                } else {
                    (p, p + half)
                };
                let (xa, xb) = (x[row * width + a], x[row * width + b]);
                let (c, s) = (cos[position * half + p], sin[position * half + p]);
                assert!((y[row * width + a] - (xa * c - xb * s)).abs() < 1e-5);
                assert!((y[row * width + b] - (xa * s + xb * c)).abs() < 1e-5);
            }
            assert_eq!(
                y[row * width + 4..][..2],
                x[row * width + 4..][..2],
                "what is not turned stays"
            );
        }
    }
    assert!(!ops::rope(
        &mut [0.0; 12],
        2,
        6,
        &[1.0; 3],
        &[0.0; 2],
        2,
        false
    ));
}

#[test]
fn every_unit_is_done_once_and_a_panic_comes_back() {
    for threads in [1, 2, 7] {
        pool::set_threads(threads);
        for units in [0, 1, 2, 3, 100, 1000] {
            let done: Vec<AtomicUsize> = (0..units).map(|_| AtomicUsize::new(0)).collect();
            let before = pool::stats();
            pool::parallel(units, &|u| {
                done[u].fetch_add(1, Ordering::Relaxed);
                // A region within a region is done by who asks.
                pool::parallel(2, &|_| ());
            });
            assert!(done.iter().all(|d| d.load(Ordering::Relaxed) == 1));
            let after = pool::stats();
            assert!(after.units - before.units >= 3 * units as u64);
        }
        let panicked =
            std::panic::catch_unwind(|| pool::parallel(50, &|u| assert!(u != 31, "unit 31")));
        assert!(panicked.is_err());
        let count = AtomicUsize::new(0);
        pool::parallel(64, &|_| {
            count.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(count.into_inner(), 64, "the pool goes on after a panic");
    }
}

#[test]
fn several_threads_may_ask_at_once() {
    pool::set_threads(3);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for units in 1..200 {
                    let sum = AtomicUsize::new(0);
                    pool::parallel(units, &|u| {
                        sum.fetch_add(u + 1, Ordering::Relaxed);
                    });
                    assert_eq!(sum.into_inner(), units * (units + 1) / 2);
                }
            });
        }
    });
}

#[test]
fn a_wish_for_an_instruction_set_is_followed_or_answered_in_words() {
    assert_eq!(isa::choose(None).isa, Isa::best());
    assert_eq!(isa::choose(Some(" ")).complaint, None);
    let scalar = isa::choose(Some("SCALAR"));
    assert_eq!((scalar.isa, scalar.complaint), (Isa::Scalar, None));
    let unknown = isa::choose(Some("avx9000"));
    assert_eq!(unknown.isa, Isa::best());
    assert!(
        unknown
            .complaint
            .expect("said")
            .contains("no instruction set known here")
    );
    for isa in Isa::ALL {
        let choice = isa::choose(Some(isa.name()));
        assert_eq!(choice.complaint.is_none(), isa.available());
        assert_eq!(choice.isa, if isa.available() { isa } else { Isa::best() });
    }
}

#[test]
fn the_hook_reaches_these_kernels() {
    assert!(paddock_kernels::install());
    assert!(!paddock_kernels::install(), "the first one stays");
    let table = paddock_kernel_hook::get().expect("filled");
    let mut random = Random::new(10);
    let w = weights(&mut random, Format::Q5_1, 3, 64, Weights::Random);
    let x = random.values(128);
    let (mut ours, mut theirs) = ([0f32; 6], [1f32; 6]);
    qmatmul_on(isa::chosen(), Format::Q5_1, &w, (2, 3, 64), &x, &mut ours).expect("fits");
    assert!((table.qmatmul)(
        Format::Q5_1.ggml(),
        &w,
        (2, 3, 64),
        &x,
        &mut theirs
    ));
    assert_eq!(ours, theirs);
    assert!(
        !(table.qmatmul)(9, &w, (2, 3, 64), &x, &mut theirs),
        "Q8_1 is not a format of weights here"
    );
}
