//! A model that is there and can be loaded: its files, whether it can see, how it cuts pictures, how it is loaded.
//!
//! Outside: which ids are models (`models`), loading (the engine).

use std::path::{Path, PathBuf};

use paddock_checkpoint::{Quant, USUAL_CONTEXT_TOKENS, Vision};
use paddock_conversation::{ImageRef, ModelId, ModelLabel};
use paddock_decode::Tiling;
use paddock_devices::DevicePreference;
use serde::{Deserialize, Serialize};
use specta::Type;

use crate::fit::FitModel;
use crate::reading::Known;

/// How one model is to be loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct LoadChoice {
    pub device: DevicePreference,
    /// Tokens of prompt and answer together, at least 256; none: automatic.
    pub context_tokens: Option<u32>,
    /// `none`, `q8_0`, `q6k`, `q5k` or `q4k`.
    #[specta(type = String)]
    pub quant: Quant,
    /// 1 to 1,024; none: one for each physical core.
    pub threads: Option<u32>,
}

impl Default for LoadChoice {
    fn default() -> Self {
        Self {
            device: DevicePreference::Auto,
            context_tokens: None,
            quant: Quant::None,
            threads: None,
        }
    }
}

/// A model that is there and can be loaded.
#[derive(Debug, Clone)]
pub struct ResolvedModel {
    pub id: ModelId,
    pub name: String,
    pub path: PathBuf,
    pub vision: bool,
    /// None if the family's rules are not known; then picture tokens are not planned.
    pub tiling: Option<Tiling>,
    /// Most pictures in a prompt that the publisher tested; none if that is not known.
    pub tested_images: Option<u32>,
    /// As the checkpoint says.
    pub max_context_tokens: u32,
    /// Quantisations that it can be loaded with.
    quants: Vec<Quant>,
    /// For planning its memory.
    pub fit: FitModel,
}

impl ResolvedModel {
    pub(crate) fn new(id: &ModelId, name: String, path: &Path, known: &Known) -> Self {
        let checkpoint = &known.checkpoint;
        Self {
            id: id.clone(),
            name,
            path: path.to_owned(),
            tested_images: checkpoint.family.tested_images(),
            vision: checkpoint.vision == Vision::Supported,
            tiling: known.fit.tiling.clone(),
            max_context_tokens: match checkpoint.max_context_tokens {
                0 => u32::MAX,
                tokens => tokens,
            },
            quants: checkpoint.quants.clone(),
            fit: known.fit.clone(),
        }
    }

    /// How it is named with its answers.
    #[must_use]
    pub fn label(&self, choice: &LoadChoice) -> ModelLabel {
        ModelLabel {
            id: self.id.clone(),
            name: self.name.clone(),
            quant: self.quant(choice).as_str().to_owned(),
            place: "this computer".into(),
        }
    }

    /// What the engine is asked for: the wanted context or the usual one, never more than the model has.
    #[must_use]
    pub fn context_tokens(&self, choice: &LoadChoice) -> u32 {
        choice
            .context_tokens
            .unwrap_or(USUAL_CONTEXT_TOKENS)
            .min(self.max_context_tokens)
    }

    /// The chosen quantisation, where this model has it: a GGUF file is quantised already.
    #[must_use]
    pub fn quant(&self, choice: &LoadChoice) -> Quant {
        if self.quants.contains(&choice.quant) {
            choice.quant
        } else {
            Quant::None
        }
    }

    /// Image tokens that the model will use for a picture, as the engine counts them.
    #[must_use]
    pub fn image_tokens(&self, image: &ImageRef) -> Option<u32> {
        Some(self.tiling.as_ref()?.plan(image.size).tokens)
    }

    /// All tokens that a picture adds to the prompt, marks between tiles included.
    #[must_use]
    pub fn prompt_tokens(&self, image: &ImageRef) -> Option<u32> {
        Some(self.tiling.as_ref()?.plan(image.size).prompt_tokens)
    }
}
