//! Kernels for a model's work on the processor: products with quantised and dense weights, attention, small operations.
//!
//! Weights stay as the file has them; nothing is repacked or copied at load. Instruction sets are chosen when the
//! program runs (`isa`). Deliberately outside: models, tensors, memory for weights, graphics processors.

mod activations;
mod blocks;
mod dense;
pub mod format;
pub mod isa;
mod matmul;
pub mod pool;
mod scalar;
mod scratch;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use blocks::dequantise_row;
pub use format::Format;
pub use isa::Isa;
pub use matmul::{Refused, qmatmul, qmatmul_on};
