//! Tensors as headers tell them: element types with exact block sizes, and the part of the model they belong to.
//!
//! Outside: their values.

use serde::{Deserialize, Serialize};

/// An element type of a file, in blocks: `block_elements` values take `block_bytes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(non_camel_case_types)]
pub enum StoredType {
    F64,
    F32,
    F16,
    BF16,
    F8,
    F4,
    I64,
    I32,
    I16,
    I8,
    Bool,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q8_1,
    Q2K,
    Q3K,
    Q4K,
    Q5K,
    Q6K,
    Q8K,
    IQ1_S,
    IQ1_M,
    IQ2_XXS,
    IQ2_XS,
    IQ2_S,
    IQ3_XXS,
    IQ3_S,
    IQ4_NL,
    IQ4_XS,
    TQ1_0,
    TQ2_0,
    MXFP4,
}

impl StoredType {
    /// By its name in a safetensors header.
    #[must_use]
    pub fn from_safetensors(name: &str) -> Option<Self> {
        Some(match name {
            "F64" => Self::F64,
            "F32" => Self::F32,
            "F16" => Self::F16,
            "BF16" => Self::BF16,
            "F8_E4M3" | "F8_E5M2" | "F8_E8M0" | "F8_E4M3FNUZ" | "F8_E5M2FNUZ" => Self::F8,
            "F4" => Self::F4,
            "I64" | "U64" => Self::I64,
            "I32" | "U32" => Self::I32,
            "I16" | "U16" => Self::I16,
            "I8" | "U8" => Self::I8,
            "BOOL" => Self::Bool,
            _ => return None,
        })
    }

    /// By its number in a GGUF header (`enum ggml_type` of ggml.h).
    #[must_use]
    pub fn from_ggml(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::F32,
            1 => Self::F16,
            2 => Self::Q4_0,
            3 => Self::Q4_1,
            6 => Self::Q5_0,
            7 => Self::Q5_1,
            8 => Self::Q8_0,
            9 => Self::Q8_1,
            10 => Self::Q2K,
            11 => Self::Q3K,
            12 => Self::Q4K,
            13 => Self::Q5K,
            14 => Self::Q6K,
            15 => Self::Q8K,
            16 => Self::IQ2_XXS,
            17 => Self::IQ2_XS,
            18 => Self::IQ3_XXS,
            19 => Self::IQ1_S,
            20 => Self::IQ4_NL,
            21 => Self::IQ3_S,
            22 => Self::IQ2_S,
            23 => Self::IQ4_XS,
            24 => Self::I8,
            25 => Self::I16,
            26 => Self::I32,
            27 => Self::I64,
            28 => Self::F64,
            29 => Self::IQ1_M,
            30 => Self::BF16,
            34 => Self::TQ1_0,
            35 => Self::TQ2_0,
            39 => Self::MXFP4,
            _ => return None,
        })
    }

    /// (elements, bytes) of a block; ggml-common.h of llama.cpp for the quantised ones.
    const fn block(self) -> (u64, u64) {
        match self {
            Self::F64 | Self::I64 => (1, 8),
            Self::F32 | Self::I32 => (1, 4),
            Self::F16 | Self::BF16 | Self::I16 => (1, 2),
            Self::F8 | Self::I8 | Self::Bool => (1, 1),
            Self::F4 => (2, 1),
            Self::Q4_0 | Self::IQ4_NL => (32, 18),
            Self::Q4_1 => (32, 20),
            Self::Q5_0 => (32, 22),
            Self::Q5_1 => (32, 24),
            Self::Q8_0 => (32, 34),
            Self::Q8_1 => (32, 36),
            Self::Q2K => (256, 84),
            Self::Q3K | Self::IQ3_S => (256, 110),
            Self::Q4K => (256, 144),
            Self::Q5K => (256, 176),
            Self::Q6K => (256, 210),
            Self::Q8K => (256, 292),
            Self::IQ1_S => (256, 50),
            Self::IQ1_M => (256, 56),
            Self::IQ2_XXS => (256, 66),
            Self::IQ2_XS => (256, 74),
            Self::IQ2_S => (256, 82),
            Self::IQ3_XXS => (256, 98),
            Self::IQ4_XS => (256, 136),
            Self::TQ1_0 => (256, 54),
            Self::TQ2_0 => (256, 66),
            Self::MXFP4 => (32, 17),
        }
    }

    /// Values in a block.
    #[must_use]
    pub const fn block_elements(self) -> u64 {
        self.block().0
    }

    /// Bytes of `elements` values; `None` if they fill no whole number of blocks or the size does not fit.
    #[must_use]
    pub const fn bytes_of(self, elements: u64) -> Option<u64> {
        let (values, bytes) = self.block();
        if !elements.is_multiple_of(values) {
            return None;
        }
        (elements / values).checked_mul(bytes)
    }

    /// Whether it is a plain floating-point type, which the engine converts to its own on load.
    #[must_use]
    pub const fn is_float(self) -> bool {
        matches!(self, Self::F64 | Self::F32 | Self::F16 | Self::BF16)
    }

    /// Whether candle 0.10.2 reads it from a GGUF file (`GgmlDType::from_u32`).
    #[must_use]
    pub const fn engine_reads_from_gguf(self) -> bool {
        matches!(
            self,
            Self::F32
                | Self::F16
                | Self::BF16
                | Self::Q4_0
                | Self::Q4_1
                | Self::Q5_0
                | Self::Q5_1
                | Self::Q8_0
                | Self::Q8_1
                | Self::Q2K
                | Self::Q3K
                | Self::Q4K
                | Self::Q5K
                | Self::Q6K
                | Self::Q8K
        )
    }

    /// As people write it.
    #[must_use]
    pub fn label(self) -> String {
        match self {
            Self::F64 | Self::F32 | Self::F16 | Self::BF16 => {
                format!("{self:?}").to_ascii_lowercase()
            }
            Self::F8 => "fp8".to_owned(),
            other => format!("{other:?}"),
        }
    }
}

/// The part of a model a tensor belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WeightClass {
    Embedding,
    Attention,
    Mlp,
    Experts,
    SharedExpert,
    Router,
    Norm,
    OutputHead,
    Vision,
    Projector,
    /// Anything not recognised; taken as not quantised.
    Other,
}

impl WeightClass {
    /// By the name a tensor has in a safetensors file (Hugging Face's) or a GGUF file (llama.cpp's).
    #[must_use]
    pub fn of(name: &str) -> Self {
        let has = |part: &str| name.contains(part);
        if has("multi_modal_projector")
            || has("vision_adapter")
            || has("connector")
            || has("mm_projector")
            || has("visual.merger")
            || has("visual.deepstack_merger")
            || has("vision_embed_tokens.projection")
            || has("embed_vision.")
            || name.starts_with("mm.")
        {
            return Self::Projector;
        }
        if has("vision_model")
            || has("vision_tower")
            || has("visual.")
            || has("vision_embed")
            || has("vpm.")
            || has("image_newline")
            || has("audio_tower")
            || has("img_processor")
            || name.starts_with("v.")
        {
            return Self::Vision;
        }
        if has("lm_head") || name == "output.weight" {
            return Self::OutputHead;
        }
        if has("embed_tokens") || has("token_embd") || has("wte.") || has("position_embd") {
            return Self::Embedding;
        }
        // After the special parts: layer norms are also inside vision towers.
        if has("norm") || has("layernorm") {
            return Self::Norm;
        }
        if has("router") || has("ffn_gate_inp") || name.ends_with("mlp.gate.weight") {
            return Self::Router;
        }
        if has("shared_expert") || has("_shexp") {
            return Self::SharedExpert;
        }
        if has(".experts.") || has("_exps") || has("block_sparse_moe") {
            return Self::Experts;
        }
        if has("attn") || has("attention") {
            return Self::Attention;
        }
        if has("mlp") || has("feed_forward") || has("ffn_") {
            return Self::Mlp;
        }
        Self::Other
    }
}

/// Tensors of one class, row length and stored type, added up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeightGroup {
    pub class: WeightClass,
    /// Last dimension, which quantisation blocks divide; 0 for biases, norms and other vectors.
    pub row: u64,
    pub elements: u64,
    pub stored: StoredType,
}

impl WeightGroup {
    /// Bytes in the file.
    #[must_use]
    pub fn stored_bytes(&self) -> u64 {
        let (values, bytes) = self.stored.block();
        self.elements.div_ceil(values).saturating_mul(bytes)
    }
}

/// One tensor of a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    pub name: String,
    pub stored: StoredType,
    /// Outermost first, as safetensors has them.
    pub shape: Vec<u64>,
    pub elements: u64,
    pub bytes: u64,
}

/// Adds tensors up by class, row and type.
#[must_use]
pub fn group<'a>(tensors: impl Iterator<Item = &'a Tensor>) -> Vec<WeightGroup> {
    let mut groups = std::collections::BTreeMap::new();
    for tensor in tensors {
        let row = if tensor.shape.len() < 2 {
            0
        } else {
            tensor.shape.last().copied().unwrap_or(0)
        };
        let elements = groups
            .entry((WeightClass::of(&tensor.name), row, tensor.stored))
            .or_insert(0_u64);
        *elements = elements.saturating_add(tensor.elements);
    }
    groups
        .into_iter()
        .map(|((class, row, stored), elements)| WeightGroup {
            class,
            row,
            elements,
            stored,
        })
        .collect()
}
