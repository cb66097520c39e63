//! Random bytes as blocks of weights and as activations: every instruction set gives the scalar definition's bits, and
//! nothing is read or written outside (the address sanitizer watches).
#![no_main]

use libfuzzer_sys::fuzz_target;
use paddock_kernels::{Format, Isa, isa, qmatmul_on};

fuzz_target!(|data: &[u8]| {
    let [format, m, n, blocks, rest @ ..] = data else {
        return;
    };
    let format = Format::ALL[*format as usize % Format::ALL.len()];
    let (m, n) = (*m as usize % 12 + 1, *n as usize % 40 + 1);
    let k = format.block_len() * (*blocks as usize % 5 + 1);
    let Some(bytes) = format.row_bytes(k) else {
        return;
    };
    if format.is_dense() || rest.is_empty() {
        return;
    }
    let at = |i: usize| rest[i % rest.len()];
    let weights: Vec<u8> = (0..n * bytes).map(at).collect();
    let x: Vec<f32> = (0..m * k)
        .map(|i| f32::from_le_bytes([at(4 * i + 1), at(4 * i + 2), at(4 * i + 3), at(4 * i)]))
        .collect();
    let mut expected = vec![0f32; m * n];
    assert!(qmatmul_on(Isa::Scalar, format, &weights, (m, n, k), &x, &mut expected).is_ok());
    for isa in isa::available() {
        let mut out = vec![0f32; m * n];
        assert!(qmatmul_on(isa, format, &weights, (m, n, k), &x, &mut out).is_ok());
        for (a, b) in out.iter().zip(&expected) {
            assert!(
                a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()),
                "{} on {}",
                format.name(),
                isa.name()
            );
        }
    }
});
