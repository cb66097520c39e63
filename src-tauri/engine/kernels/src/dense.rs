//! Products with dense weights.
use crate::{format::Format, isa::Isa};
pub(crate) fn matmul(
    _isa: Isa,
    format: Format,
    weights: &[u8],
    (m, n, k): (usize, usize, usize),
    activations: &[f32],
    out: &mut [f32],
) {
    let row = format.row_bytes(k).unwrap_or(0);
    let mut w = vec![0f32; k];
    for j in 0..n {
        crate::blocks::dequantise_row(format, &weights[j * row..(j + 1) * row], &mut w);
        for i in 0..m {
            out[i * n + j] = activations[i * k..(i + 1) * k]
                .iter()
                .zip(&w)
                .map(|(a, w)| a * w)
                .sum();
        }
    }
}
