//! What loading takes for a while: tensors that wait for their quantisation.
//!
//! Outside: what stays (`ledger`).

use paddock_checkpoint::{Form, Quant, WeightClass, WeightGroup};
use paddock_devices::DeviceKind;

use crate::fit::hardware::Hardware;
use crate::fit::model::FitModel;
use crate::fit::weights::{ComputeType, F32_BYTES, feed_forward_width, quantised, weight_bytes};

/// Larger blocks go back to the system as soon as they are free, smaller ones stay with the allocator for the next use
/// (glibc's `DEFAULT_MMAP_THRESHOLD_MAX`).
const KEPT_BLOCK_BYTES: u64 = 32 << 20;

/// What loading takes besides what stays.
#[derive(Debug, Default)]
pub(super) struct LoadingBytes {
    /// At its worst moment, beyond weights and reserve.
    pub most: u64,
    /// What the allocator keeps of it.
    pub kept: u64,
}

/// What quantising in place needs: mistral.rs 0.8.1 reads a tensor in the computing type and quantises it in the
/// background, as many at once as there are threads, and one more waits (`set_immediate_isq_with_pool`): about the linear
/// layers of one layer of the model in 32 bits. Experts are read as one stack and cut (`moe/experts.rs`). The output head
/// is one tensor, in 32 bits too and for a moment twice in its quantised form (`generate_isq`); in the Llama families it
/// comes first, and is at work while the first layers are read. The tokenizer of `tokenizer_bytes` comes after the weights.
///
/// A GGUF file's embeddings are there as stored until all else is read, beside the 32-bit floats that they become
/// (`quantized_llama.rs` and its like).
pub(super) fn loading(
    model: &FitModel,
    hardware: &Hardware,
    quant: Quant,
    compute: ComputeType,
    tokenizer_bytes: u64,
) -> LoadingBytes {
    if hardware.kind() != DeviceKind::Cpu {
        return LoadingBytes::default();
    }
    if model.form == Form::Gguf {
        return LoadingBytes {
            most: model
                .weights
                .iter()
                .filter(|group| group.class == WeightClass::Embedding)
                .map(WeightGroup::stored_bytes)
                .fold(0, u64::saturating_add),
            kept: 0,
        };
    }
    let Some(block) = quant.block() else {
        return LoadingBytes::default();
    };
    let elements = |class: WeightClass| -> u64 {
        model
            .weights
            .iter()
            .filter(|group| group.class == class && group.row > 0 && group.stored.is_float())
            .map(|group| group.elements)
            .fold(0, u64::saturating_add)
    };
    let hidden = u64::from(model.shape.hidden);
    let in_32_bits = |elements: u64| {
        elements.saturating_mul(match compute {
            ComputeType::F32 => F32_BYTES,
            ComputeType::F16 | ComputeType::Bf16 => compute.bytes() + F32_BYTES,
        })
    };
    let dense = in_32_bits(
        elements(WeightClass::Attention)
            .saturating_add(elements(WeightClass::Mlp))
            .saturating_add(elements(WeightClass::SharedExpert))
            / u64::from(model.shape.layers.max(1)),
    );
    // The stacked gate and up projections have the longest rows: experts x hidden x twice the width.
    let row = model
        .weights
        .iter()
        .filter(|group| group.class == WeightClass::Experts)
        .map(|group| group.row)
        .max()
        .unwrap_or(0);
    let expert = hidden.saturating_mul(row) / 2;
    let stack = expert.saturating_mul(3 * u64::from(model.shape.experts) * compute.bytes());
    let layer = dense.max(stack.saturating_add(expert.saturating_mul(4 * F32_BYTES)));
    let (tied, own) = (
        elements(WeightClass::Embedding),
        elements(WeightClass::OutputHead),
    );
    let quantised_bytes = |elements: u64| block.bytes_of(elements).unwrap_or(elements);
    let (head, head_twice) = match own {
        0 => (quantised_bytes(tied), quantised_bytes(tied)),
        _ => (
            in_32_bits(own).saturating_add(quantised_bytes(own)),
            in_32_bits(own).min(quantised_bytes(own)),
        ),
    };
    let (mut all, mut as_read) = (0_u64, 0_u64);
    for group in &model.weights {
        let bytes = weight_bytes(model, quant, compute, group);
        all = all.saturating_add(bytes);
        if !quantised(group.class) || group.row == 0 {
            as_read = as_read.saturating_add(bytes);
        }
    }
    let first = as_read.saturating_add(head).saturating_add(layer);
    let last = all.saturating_add(layer.max(head_twice));
    let widest = hidden * feed_forward_width(model) * F32_BYTES;
    LoadingBytes {
        most: first
            .max(last)
            .saturating_sub(all.saturating_add(tokenizer_bytes)),
        kept: if row == 0 && widest <= KEPT_BLOCK_BYTES {
            dense
        } else {
            0
        },
    }
}
