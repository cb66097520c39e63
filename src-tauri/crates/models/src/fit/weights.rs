//! What single weights become in memory, and the type that is computed in.
//!
//! Outside: adding them up (`ledger`), what loading takes for a while (`loading`).

use paddock_checkpoint::{Form, Quant, WeightClass, WeightGroup};
use paddock_devices::DeviceKind;
use serde::{Deserialize, Serialize};
use specta::Type;

use crate::fit::model::FitModel;

/// Quantisation in place, and products with quantised weights, work in 32-bit floats.
pub(super) const F32_BYTES: u64 = 4;

/// Floating-point type that the engine computes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "lowercase")]
pub enum ComputeType {
    F32,
    F16,
    Bf16,
}

impl ComputeType {
    /// Bytes of one number.
    #[must_use]
    pub fn bytes(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    /// As the engine's `--dtype` takes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
        }
    }
}

/// The type to compute in: 16 bits on GPUs; on a processor 32 bits while the model is small, which is faster and never
/// overflows, else 16 bits, which halves the memory (bf16 does not exist on processors in candle 0.10.2). GGUF models
/// always have 16-bit caches there. Gemma's activations pass what 16 bits of f16 can hold.
#[must_use]
pub fn compute_type(kind: DeviceKind, model: &FitModel) -> ComputeType {
    match kind {
        DeviceKind::Cuda | DeviceKind::Metal => ComputeType::Bf16,
        DeviceKind::Cpu
            if model.form != Form::Gguf
                && (model.parameters < 4_000_000_000 || model.overflows_f16) =>
        {
            ComputeType::F32
        }
        DeviceKind::Cpu => ComputeType::F16,
    }
}

/// Whether the engine quantises weights of this class on load: the linear layers of the language model
/// (`immediate_isq_predicates` of mistralrs-core 0.8.1 with Paddock's patch for Llama 4's experts).
pub(super) fn quantised(class: WeightClass) -> bool {
    matches!(
        class,
        WeightClass::Attention
            | WeightClass::Mlp
            | WeightClass::Experts
            | WeightClass::SharedExpert
            | WeightClass::OutputHead
    )
}

pub(super) fn weight_bytes(
    model: &FitModel,
    quant: Quant,
    compute: ComputeType,
    group: &WeightGroup,
) -> u64 {
    let as_computed = group.elements.saturating_mul(compute.bytes());
    if model.form == Form::Gguf {
        return match group.class {
            // quantized_llama.rs and its like: embeddings and norms become 32-bit floats.
            WeightClass::Embedding | WeightClass::Norm => group.elements.saturating_mul(4),
            _ => group.stored_bytes(),
        };
    }
    if !group.stored.is_float() {
        return group.stored_bytes();
    }
    if group.row > 0
        && quantised(group.class)
        && let Some(block) = quant.applied_to(group.row)
    {
        return block
            .bytes_of(group.elements)
            .unwrap_or_else(|| group.elements.saturating_mul(4));
    }
    as_computed
}

/// Width of the widest feed-forward network that this model's tokens pass: Llama 4 tells that of dense layers even where it
/// has none.
pub(super) fn feed_forward_width(model: &FitModel) -> u64 {
    let widest = |class: WeightClass| {
        model
            .weights
            .iter()
            .filter(|group| group.class == class)
            .map(|group| group.row)
            .max()
    };
    let told = u64::from(model.shape.feed_forward);
    match (widest(WeightClass::Mlp), widest(WeightClass::SharedExpert)) {
        (None, Some(shared)) => shared.min(told),
        _ => told,
    }
}
