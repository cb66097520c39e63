//! Which model an id means: its files, whether it can see, how it cuts pictures, how it is loaded.
//!
//! Outside: listing models (the models crate).

use std::path::{Path, PathBuf};

use paddock_conversation::{ImageRef, ModelId, ModelLabel};
use paddock_devices::DevicePreference;
use paddock_inference::LoadSpec;
use paddock_media::Tiling;
use serde_json::Value;

use crate::{ChatError, Settings};

/// A model that is there.
#[derive(Debug, Clone)]
pub struct ResolvedModel {
    pub id: ModelId,
    pub name: String,
    pub path: PathBuf,
    pub vision: bool,
    /// None if the family's rules are not known; then picture tokens are not planned.
    pub tiling: Option<Tiling>,
    /// As the checkpoint says.
    pub max_context_tokens: u32,
}

impl ResolvedModel {
    pub fn label(&self, settings: &Settings) -> ModelLabel {
        ModelLabel {
            id: self.id.clone(),
            name: self.name.clone(),
            quant: settings.quant.clone(),
            place: "this computer".into(),
        }
    }

    pub fn load_spec(&self, settings: &Settings) -> LoadSpec {
        LoadSpec {
            model: self.label(settings),
            path: self.path.clone(),
            device: match &settings.device {
                DevicePreference::Auto => "auto".into(),
                DevicePreference::Fixed { id } => id.clone(),
            },
            dtype: "auto".into(),
            quant: settings.quant.clone(),
            context_tokens: settings.context_tokens,
            threads: settings.threads,
        }
    }

    /// Image tokens that the model will use for a picture, as the engine counts them.
    pub fn image_tokens(&self, image: &ImageRef) -> Option<u32> {
        Some(self.tiling.as_ref()?.plan(image.size).tokens)
    }

    /// All tokens that a picture adds to the prompt, marks between tiles included.
    pub fn prompt_tokens(&self, image: &ImageRef) -> Option<u32> {
        Some(self.tiling.as_ref()?.plan(image.size).prompt_tokens)
    }
}

/// Blocks.
pub fn resolve(id: &ModelId, demo_model: &Path) -> Result<ResolvedModel, ChatError> {
    let (path, name) = match id.local_path() {
        Some(path) => (PathBuf::from(path), path.to_owned()),
        None if id.is_demo() => (demo_model.to_owned(), "Paddock demo".into()),
        None => return Err(ChatError::NoModel { id: id.to_string() }),
    };
    let read = |name: &str| -> Option<Value> {
        serde_json::from_slice(&std::fs::read(path.join(name)).ok()?).ok()
    };
    let config = read("config.json").unwrap_or(Value::Null);
    let tiling = Tiling::from_files(
        &config,
        read("preprocessor_config.json").as_ref(),
        read("processor_config.json").as_ref(),
    );
    Ok(ResolvedModel {
        id: id.clone(),
        name,
        vision: tiling.is_some(),
        tiling,
        max_context_tokens: 16384,
        path,
    })
}
