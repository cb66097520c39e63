//! The matrix product of candle on a CPU, where the left side is a transposed view of a batch.
#![allow(clippy::unwrap_used)] // a test that cannot go on has failed

use candle_core::{Device, Tensor};

/// (batch, rows, columns) by plain loops.
fn product(left: &Tensor, right: &Tensor) -> Vec<f32> {
    let left = left.contiguous().unwrap().to_vec3::<f32>().unwrap();
    let right = right.contiguous().unwrap().to_vec3::<f32>().unwrap();
    let mut out = Vec::new();
    for (left, right) in left.iter().zip(&right) {
        for row in left {
            for column in 0..right[0].len() {
                out.push(
                    row.iter()
                        .zip(right)
                        .map(|(a, line)| a * line[column])
                        .sum(),
                );
            }
        }
    }
    out
}

fn numbers(shape: (usize, usize, usize)) -> Tensor {
    let count = shape.0 * shape.1 * shape.2;
    let values: Vec<f32> = (0..count).map(|i| (i as f32 * 0.37).sin()).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

fn check(left: &Tensor, right: &Tensor) {
    let ours = left
        .matmul(right)
        .unwrap()
        .flatten_all()
        .unwrap()
        .to_vec1::<f32>()
        .unwrap();
    let expected = product(left, right);
    for (a, b) in ours.iter().zip(&expected) {
        assert!((a - b).abs() < 1e-4, "{ours:?} is not {expected:?}");
    }
}

#[test]
fn a_transposed_batch_on_the_left_is_multiplied_entry_by_entry() {
    let left = numbers((3, 4, 5)).transpose(1, 2).unwrap();
    let right = numbers((1, 4, 6)).broadcast_as((3, 4, 6)).unwrap();
    check(&left, &right);
}

#[test]
fn a_batch_on_the_right_of_one_matrix_is_multiplied_entry_by_entry() {
    let left = numbers((1, 4, 5)).broadcast_as((3, 4, 5)).unwrap();
    check(&left, &numbers((3, 5, 6)));
    check(&left, &numbers((3, 6, 5)).transpose(1, 2).unwrap());
    let one_row = numbers((1, 1, 5)).broadcast_as((3, 1, 5)).unwrap();
    check(&one_row, &numbers((3, 6, 5)).transpose(1, 2).unwrap());
}
