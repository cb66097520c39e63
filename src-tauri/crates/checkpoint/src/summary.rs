//! What a checkpoint's headers and configuration tell, and why it cannot run here if it cannot.
//!
//! Outside: reading them.

use paddock_conversation::Failure;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::CheckpointError;
use crate::family::{Family, Support};
use crate::quant::Quant;
use crate::shape::Shape;
use crate::source::FileEntry;
use crate::tensors::{StoredType, WeightClass, WeightGroup};

/// Tokens of prompt and answer together where nobody says a number: room for several pictures and a long talk, while their
/// memory stays small beside the weights of any model worth asking.
pub const USUAL_CONTEXT_TOKENS: u32 = 8192;

/// How a checkpoint is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// `config.json`, tokenizer and `.safetensors` files.
    Safetensors,
    /// One `.gguf` file, or its parts.
    Gguf,
    /// mistral.rs' own quantised files beside the configuration.
    Uqff,
}

/// Whether pictures can be asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Vision {
    /// The model takes none.
    None,
    /// Model and engine take them.
    Supported,
    /// The model takes them, but not here; a sentence's second half.
    Unsupported { why: String },
}

/// The configuration files as they were read; none of a GGUF file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settings {
    /// `config.json`; null for a GGUF file.
    pub config: Value,
    pub preprocessor: Option<Value>,
    pub processor: Option<Value>,
}

/// A checkpoint as its headers tell it.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// Name for people: the folder's or file's.
    pub name: String,
    pub form: Form,
    /// Class name of `config.json`, or `general.architecture` of a GGUF file.
    pub architecture: String,
    pub family: Family,
    pub vision: Vision,
    /// Exact number of weights; counts only floating-point and quantised tensors.
    pub parameters: u64,
    /// Bytes of the weight files.
    pub bytes: u64,
    /// Element type most of the weights have in the files: `bf16`, `Q4K`.
    pub stored: String,
    pub max_context_tokens: u32,
    /// Quantisations that make sense on load.
    pub quants: Vec<Quant>,
    pub shape: Shape,
    pub weights: Vec<WeightGroup>,
    /// What tells how pictures become tokens.
    pub settings: Settings,
    /// Why it cannot run here, if it cannot.
    pub blocking: Option<Failure>,
    /// What else is worth knowing.
    pub notes: Vec<Failure>,
    /// The files that the engine needs.
    pub files: Vec<FileEntry>,
    /// Those of them that hold the weights, in their order.
    pub weight_files: Vec<FileEntry>,
}

impl Checkpoint {
    /// Whether the engine can load it, as far as headers tell.
    #[must_use]
    pub fn can_run(&self) -> bool {
        self.blocking.is_none()
    }

    pub(crate) fn block(&mut self, error: &CheckpointError) {
        self.blocking.get_or_insert_with(|| error.failure());
    }

    pub(crate) fn unsupported(&mut self, why: String) {
        let error = CheckpointError::Unsupported {
            what: self.name.clone(),
            why,
        };
        self.block(&error);
    }

    /// Applies what the family's support says.
    pub(crate) fn judge(&mut self, sees: bool) {
        match &self.family.support {
            Support::No { why } => {
                self.unsupported(why.clone());
                if sees {
                    self.vision = Vision::Unsupported {
                        why: "the engine cannot run the model".to_owned(),
                    };
                }
            }
            Support::Text if sees => {
                self.vision = Vision::Unsupported {
                    why: "the engine runs only the text part of this model".to_owned(),
                };
            }
            Support::TextAndImages if sees => self.vision = Vision::Supported,
            Support::Text | Support::TextAndImages => {}
        }
    }
}

/// Number of weights: index tables and the like do not count.
pub(crate) fn parameters(groups: &[WeightGroup]) -> u64 {
    groups
        .iter()
        .filter(|group| {
            !matches!(
                group.stored,
                StoredType::I64 | StoredType::I32 | StoredType::I16 | StoredType::Bool
            )
        })
        .map(|group| group.elements)
        .fold(0, u64::saturating_add)
}

/// The type that most bytes have; embeddings and norms are left out because quantised files keep them wide.
pub(crate) fn main_type(groups: &[WeightGroup]) -> String {
    let mut bytes = std::collections::BTreeMap::new();
    for group in groups {
        if !matches!(group.class, WeightClass::Embedding | WeightClass::Norm) {
            let sum = bytes.entry(group.stored).or_insert(0_u64);
            *sum = sum.saturating_add(group.stored_bytes());
        }
    }
    bytes
        .into_iter()
        .max_by_key(|(_, bytes)| *bytes)
        .map_or_else(String::new, |(stored, _)| stored.label())
}
