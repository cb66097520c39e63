//! Every format x instruction set x odd shape against the scalar definition: the same bits.

mod common;

use common::{Guarded, Random, Weights, assert_same, weights};
use paddock_kernels::{Format, Isa, Refused, dequantise_row, isa, pool, qmatmul, qmatmul_on};

const QUANTISED: [Format; 8] = [
    Format::Q4_0,
    Format::Q4_1,
    Format::Q5_0,
    Format::Q5_1,
    Format::Q8_0,
    Format::Q4K,
    Format::Q5K,
    Format::Q6K,
];

fn product(
    isa: Isa,
    format: Format,
    w: &[u8],
    (m, n, k): (usize, usize, usize),
    x: &[f32],
) -> Vec<f32> {
    let mut w = Guarded::new(w, 0xa5);
    let mut x = Guarded::new(x, f32::NAN.to_bits() as f32);
    let mut out = Guarded::new(&vec![7.0; m * n], 4711.0);
    let (w, x) = (w.inside(), x.inside());
    qmatmul_on(isa, format, w, (m, n, k), x, out.inside()).expect("the shape fits");
    out.check();
    out.inside().to_vec()
}

fn ks(format: Format) -> &'static [usize] {
    if format.block_len() == 32 {
        &[32, 64, 96, 576, 800, 1568]
    } else {
        &[256, 512, 1024, 1792]
    }
}

#[test]
fn every_instruction_set_gives_the_bits_of_the_scalar_definition() {
    for (f, format) in QUANTISED.into_iter().enumerate() {
        let mut random = Random::new(f as u64 + 1);
        for &k in ks(format) {
            for (m, n) in [
                (1, 1),
                (1, 7),
                (1, 8),
                (2, 9),
                (3, 33),
                (4, 40),
                (5, 31),
                (6, 16),
                (7, 47),
                (8, 64),
                (9, 65),
                (31, 17),
                (32, 32),
                (33, 50),
            ] {
                let w = weights(&mut random, format, n, k, Weights::Random);
                let x = random.values(m * k);
                let expected = product(Isa::Scalar, format, &w, (m, n, k), &x);
                for isa in isa::available() {
                    let what = format!("{} on {} with {m} x {n} x {k}", format.name(), isa.name());
                    assert_same(&product(isa, format, &w, (m, n, k), &x), &expected, &what);
                }
            }
        }
    }
}

#[test]
fn awkward_weights_and_activations_give_the_same_bits() {
    let kinds = [
        Weights::Bytes(0),
        Weights::Bytes(0xff),
        Weights::Bytes(0x80),
        Weights::Bytes(0x7f),
        Weights::Denormal,
        Weights::Huge,
        Weights::Zero,
    ];
    for format in QUANTISED {
        let (n, k) = (19, 2 * format.block_len().max(64));
        for (seed, kind) in kinds.into_iter().enumerate() {
            let mut random = Random::new(seed as u64 + 77);
            let w = weights(&mut random, format, n, k, kind);
            let rows: Vec<Vec<f32>> = vec![
                vec![0.0; k],
                vec![1.0; k],
                vec![-1.0; k],
                // The largest codes of both signs, next to each other: where 16-bit sums would saturate.
                (0..k)
                    .map(|i| if i % 2 == 0 { 127.0 } else { -127.0 })
                    .collect(),
                (0..k)
                    .map(|i| if i % 256 == 0 { 1.0 } else { -1.0 })
                    .collect(),
                random.values(k).iter().map(|x| x * 1e-39).collect(),
                random.values(k).iter().map(|x| x * 1e-33).collect(),
                random.values(k).iter().map(|x| x * 3e38).collect(),
                random.values(k),
            ];
            let x = rows.concat();
            let m = rows.len();
            let expected = product(Isa::Scalar, format, &w, (m, n, k), &x);
            for isa in isa::available() {
                for (i, row) in rows.iter().enumerate() {
                    let what = format!("{} on {}, {kind:?}, row {i}", format.name(), isa.name());
                    let alone = product(isa, format, &w, (1, n, k), row);
                    assert_same(&alone, &expected[i * n..(i + 1) * n], &what);
                }
                let what = format!("{} on {}, {kind:?}", format.name(), isa.name());
                assert_same(&product(isa, format, &w, (m, n, k), &x), &expected, &what);
            }
        }
    }
}

#[test]
fn a_value_that_is_not_finite_reaches_its_row_and_no_other() {
    for format in QUANTISED {
        let (m, n, k) = (9, 21, 256);
        let mut random = Random::new(5);
        let w = weights(&mut random, format, n, k, Weights::Random);
        let mut x = random.values(m * k);
        let clean = product(Isa::Scalar, format, &w, (m, n, k), &x);
        x[2 * k + 100] = f32::NAN;
        x[5 * k] = f32::INFINITY;
        for isa in isa::available() {
            let out = product(isa, format, &w, (m, n, k), &x);
            for i in 0..m {
                let row = &out[i * n..(i + 1) * n];
                if i == 2 || i == 5 {
                    assert!(row.iter().all(|x| x.is_nan()), "{} row {i}", isa.name());
                } else {
                    assert_same(row, &clean[i * n..(i + 1) * n], isa.name());
                }
            }
        }
    }
}

#[test]
fn a_row_does_not_depend_on_its_batch_nor_on_the_threads() {
    for format in QUANTISED {
        let (m, n, k) = (431, 200, if format.block_len() == 32 { 800 } else { 1024 });
        let mut random = Random::new(9);
        let w = weights(&mut random, format, n, k, Weights::Random);
        let x = random.values(m * k);
        for isa in isa::available() {
            if isa == Isa::Scalar {
                continue;
            }
            let mut all = Vec::new();
            for threads in [1, 2, 7] {
                pool::set_threads(threads);
                let out = product(isa, format, &w, (m, n, k), &x);
                if all.is_empty() {
                    all = out;
                } else {
                    assert_same(&out, &all, "with more threads");
                }
                for i in [0, 1, 211, 430] {
                    let alone = product(isa, format, &w, (1, n, k), &x[i * k..(i + 1) * k]);
                    assert_same(&alone, &all[i * n..(i + 1) * n], "alone");
                }
                let five = product(isa, format, &w, (5, n, k), &x[3 * k..8 * k]);
                assert_same(&five, &all[3 * n..8 * n], "five together");
            }
        }
    }
}

#[test]
fn the_product_is_that_of_the_dequantised_weights() {
    for format in QUANTISED {
        let (m, n, k) = (7, 24, 512);
        let mut random = Random::new(3);
        let w = weights(&mut random, format, n, k, Weights::Random);
        let x = random.values(m * k);
        let mut dense = vec![0f32; n * k];
        let row = format.row_bytes(k).expect("whole blocks");
        for j in 0..n {
            dequantise_row(format, &w[j * row..], &mut dense[j * k..(j + 1) * k]);
        }
        for isa in isa::available() {
            let out = product(isa, format, &w, (m, n, k), &x);
            for (at, out) in out.iter().enumerate() {
                let (i, j) = (at / n, at % n);
                let terms = (0..k).map(|l| f64::from(x[i * k + l]) * f64::from(dense[j * k + l]));
                let (sum, square) = terms.fold((0.0, 0.0), |(s, q), t| (s + t, q + t * t));
                // Activations are rounded to 1/254 of the largest of their group: at most, and independently.
                let bound = 6.0 / 254.0 * f64::sqrt(square) + 1e-3;
                assert!(
                    (f64::from(*out) - sum).abs() <= bound,
                    "{}: {out} for {sum}, bound {bound}",
                    format.name()
                );
            }
        }
    }
}

#[test]
fn shapes_that_do_not_fit_are_refused_in_words() {
    let mut out = [1.0; 4];
    let refused = qmatmul(Format::Q8_0, &[0; 34], (1, 1, 33), &[0.0; 33], &mut out);
    assert_eq!(
        refused,
        Err(Refused::RowLength {
            format: Format::Q8_0,
            k: 33
        })
    );
    let refused = qmatmul(Format::Q8_0, &[0; 33], (1, 1, 32), &[0.0; 32], &mut out);
    assert_eq!(
        refused,
        Err(Refused::TooShort {
            what: "weights",
            has: 33,
            needs: 34
        })
    );
    let refused = qmatmul(Format::Q8_0, &[0; 34], (2, 1, 32), &[0.0; 32], &mut out);
    assert!(
        refused
            .expect_err("too short")
            .to_string()
            .contains("activations hold 32 where 64")
    );
    let refused = qmatmul(Format::Q4_0, &[], (usize::MAX, 2, 32), &[], &mut out);
    assert!(refused.is_err());
    assert_eq!(out, [1.0; 4]);
    assert_eq!(
        qmatmul(Format::Q8_0, &[], (0, 0, 32), &[], &mut out),
        Ok(())
    );
    assert_eq!(qmatmul(Format::Q8_0, &[], (1, 4, 0), &[], &mut out), Ok(()));
    assert_eq!(out, [0.0; 4]);
}
