//! A model in the list that the window shows.
//!
//! Outside: where the list comes from (`list`, `discover`).

use std::path::Path;

use paddock_checkpoint::{Checkpoint, Vision, place};
use paddock_conversation::{Failure, ModelId, byte_size};
use serde::{Deserialize, Serialize};
use specta::Type;

use crate::text::count;

/// One line of the list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct ModelEntry {
    pub id: ModelId,
    pub name: String,
    pub description: String,
    /// `this computer`, or the name of a server.
    pub place: String,
    /// Whether it can be asked now.
    pub ready: bool,
    /// Whether it takes pictures here.
    pub vision: bool,
    pub demo: bool,
    pub architecture: String,
    /// 0 if not known.
    #[specta(type = u32)]
    pub parameters: u64,
    /// Bytes of its weight files; 0 if not known.
    #[specta(type = u32)]
    pub bytes: u64,
    /// 0 if not known.
    pub max_context_tokens: u32,
    /// Names of the quantisations that it can be loaded with.
    pub quants: Vec<String>,
    /// Why it is not ready, or (for a ready one) what to know.
    pub problem: Option<Failure>,
    /// What the test of its sight came to, as it would be loaded now; none if it was not tested.
    pub sight: Option<Sight>,
    pub source: ModelSource,
}

/// How a model came into the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub enum ModelSource {
    /// It ships with Paddock.
    Demo,
    /// The user chose its folder or file.
    Added,
    /// Paddock downloaded it.
    Downloaded,
    /// Found in the Hugging Face cache, and used there.
    HuggingFace,
    /// Found among LM Studio's models, and used there.
    LmStudio,
    /// Found among Ollama's models, and used there.
    Ollama,
}

/// What a model that takes pictures made of three test pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub enum Sight {
    /// Every question was answered right.
    Sees,
    /// Some were.
    Unsure,
    /// None was.
    Blind,
}

impl ModelEntry {
    /// A model that ships with Paddock.
    #[must_use]
    pub fn demo(checkpoint: &Checkpoint) -> Self {
        Self {
            name: "Paddock demo".to_owned(),
            description: "A tiny Llama 4 made for trying things out: it knows a few shapes and colours and a little small talk, and works offline.".to_owned(),
            demo: true,
            source: ModelSource::Demo,
            ..Self::from_checkpoint(ModelId::demo(), checkpoint)
        }
    }

    /// A local model that was read.
    #[must_use]
    pub fn from_checkpoint(id: ModelId, checkpoint: &Checkpoint) -> Self {
        Self {
            id,
            name: checkpoint.name.clone(),
            description: describe(checkpoint),
            place: "this computer".to_owned(),
            ready: checkpoint.can_run(),
            vision: checkpoint.can_run() && checkpoint.vision == Vision::Supported,
            demo: false,
            architecture: checkpoint.architecture.clone(),
            parameters: checkpoint.parameters,
            bytes: checkpoint.bytes,
            max_context_tokens: checkpoint.max_context_tokens,
            quants: checkpoint
                .quants
                .iter()
                .map(|quant| quant.as_str().to_owned())
                .collect(),
            problem: checkpoint
                .blocking
                .clone()
                .or_else(|| checkpoint.notes.first().cloned()),
            sight: None,
            source: ModelSource::Added,
        }
    }

    /// The same, from another source.
    #[must_use]
    pub fn with_source(self, source: ModelSource) -> Self {
        Self { source, ..self }
    }

    /// A local model that could not be read; it stays in the list with the reason.
    #[must_use]
    pub fn from_problem(id: ModelId, path: &Path, problem: Failure) -> Self {
        Self {
            id,
            name: place::name_of(path),
            description: String::new(),
            place: "this computer".to_owned(),
            ready: false,
            vision: false,
            demo: false,
            architecture: String::new(),
            parameters: 0,
            bytes: 0,
            max_context_tokens: 0,
            quants: Vec::new(),
            problem: Some(problem),
            sight: None,
            source: ModelSource::Added,
        }
    }
}

/// `Qwen2.5-VL, 3.8 billion parameters in bf16, 7.5 GB, sees pictures`.
fn describe(checkpoint: &Checkpoint) -> String {
    let sees = match &checkpoint.vision {
        Vision::Supported => ", sees pictures",
        Vision::None => ", text only",
        Vision::Unsupported { .. } => ", pictures not possible here",
    };
    format!(
        "{}, {} parameters in {}, {}{sees}",
        checkpoint.family.name,
        count(checkpoint.parameters),
        checkpoint.stored,
        byte_size(checkpoint.bytes)
    )
}
