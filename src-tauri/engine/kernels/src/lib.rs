//! Kernels for a model's work on the processor: products with quantised and dense weights, attention, small operations.
//!
//! Weights stay as the file has them; nothing is repacked or copied at load. Instruction sets are chosen when the
//! program runs (`isa`). Deliberately outside: models, tensors, memory for weights, graphics processors.

mod activations;
pub mod attention;
mod blocks;
mod dense;
mod floats;
pub mod format;
mod install;
pub mod isa;
mod matmul;
mod moe;
pub mod ops;
pub mod pool;
mod scalar;
mod scratch;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use blocks::dequantise_row;
pub use format::Format;
pub use install::install;
pub use isa::Isa;
pub use matmul::{Refused, qmatmul, qmatmul_on};
pub use moe::{grouped_qmatmul, grouped_qmatmul_on};
