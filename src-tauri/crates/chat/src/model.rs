//! Which model an id means: its files, whether it can see, how it cuts pictures, how it is loaded.
//!
//! Outside: reading checkpoints (the models crate), loading them (the engine), and the list to choose from (`listing.rs`).

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use paddock_conversation::{ImageRef, ModelId, ModelLabel};
use paddock_decode::Tiling;
use paddock_devices::{DeviceKind, DevicePreference};
use paddock_engines::LoadSpec;
use paddock_models::fit::{ComputeType, FitModel, compute_type};
use paddock_models::{Checkpoint, Form, ModelEntry, Vision, inspect_headers};

use crate::{ChatError, Settings};

/// The context where the user did not choose one: room for several pictures and a long talk, while its memory stays
/// small beside the weights of any model worth asking.
const AUTOMATIC_CONTEXT_TOKENS: u32 = 8192;

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
    /// Names of the quantisations that it can be loaded with.
    quants: Vec<&'static str>,
    /// For planning its memory.
    pub fit: FitModel,
}

impl ResolvedModel {
    pub fn label(&self, settings: &Settings) -> ModelLabel {
        ModelLabel {
            id: self.id.clone(),
            name: self.name.clone(),
            quant: self.quant(settings).to_owned(),
            place: "this computer".into(),
        }
    }

    pub fn load_spec(&self, settings: &Settings) -> LoadSpec {
        LoadSpec {
            model: self.label(settings),
            path: self.path.clone(),
            device: device_argument(&settings.device),
            dtype: "auto".into(),
            cpu_dtype: cpu_dtype(&self.fit),
            quant: self.quant(settings).to_owned(),
            context_tokens: Some(self.context_tokens(settings)),
            threads: settings.threads,
        }
    }

    /// What the engine is asked for: the wanted context or the automatic one, never more than the model has.
    pub fn context_tokens(&self, settings: &Settings) -> u32 {
        settings
            .context_tokens
            .unwrap_or(AUTOMATIC_CONTEXT_TOKENS)
            .min(self.max_context_tokens)
    }

    /// Image tokens that the model will use for a picture, as the engine counts them.
    pub fn image_tokens(&self, image: &ImageRef) -> Option<u32> {
        Some(self.tiling.as_ref()?.plan(image.size).tokens)
    }

    /// All tokens that a picture adds to the prompt, marks between tiles included.
    pub fn prompt_tokens(&self, image: &ImageRef) -> Option<u32> {
        Some(self.tiling.as_ref()?.plan(image.size).prompt_tokens)
    }

    /// The chosen quantisation, where this model has it: a GGUF file is quantised already.
    fn quant<'a>(&self, settings: &'a Settings) -> &'a str {
        if self.quants.contains(&settings.quant.as_str()) {
            &settings.quant
        } else {
            "none"
        }
    }
}

/// What the plan counts with, where that is not what the engine takes by itself.
pub fn cpu_dtype(model: &FitModel) -> Option<String> {
    let planned = compute_type(DeviceKind::Cpu, model);
    // A GGUF file's types are its own.
    (model.form == Form::Safetensors && planned != ComputeType::F32)
        .then(|| planned.as_str().to_owned())
}

/// As the engine's `--device` takes it.
pub fn device_argument(preference: &DevicePreference) -> String {
    match preference {
        DevicePreference::Auto => "auto".into(),
        DevicePreference::Fixed { id } => id.clone(),
    }
}

/// Models whose headers were read, until their files change: a plan is made with every pause in typing.
#[derive(Debug, Default)]
pub struct KnownModels(Mutex<HashMap<ModelId, (Stamp, Arc<ResolvedModel>)>>);

/// What changes when a model's files do: modification time and length of the configuration (or of the one file).
pub type Stamp = (Option<SystemTime>, u64);

pub fn stamp(path: &Path) -> Stamp {
    let file = if path.is_dir() {
        path.join("config.json")
    } else {
        path.to_owned()
    };
    std::fs::metadata(file).map_or((None, 0), |meta| (meta.modified().ok(), meta.len()))
}

impl KnownModels {
    /// `listed` is the name it has in the list, if it is known. Blocks.
    pub fn resolve(
        &self,
        id: &ModelId,
        demo_model: &Path,
        listed: Option<String>,
    ) -> Result<Arc<ResolvedModel>, ChatError> {
        let path = path_of(id, demo_model)?;
        let stamp = stamp(&path);
        let known = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(id)
            .cloned();
        if let Some((then, model)) = known
            && then == stamp
            && stamp.0.is_some()
        {
            return Ok(model);
        }
        let checkpoint = inspect_headers(&path).map_err(|e| ChatError::Refused(e.failure()))?;
        if let Some(failure) = checkpoint.blocking {
            return Err(ChatError::Refused(failure));
        }
        let model = Arc::new(ResolvedModel {
            id: id.clone(),
            name: listed.unwrap_or_else(|| entry_name(id, &checkpoint)),
            tested_images: checkpoint.family.tested_images(),
            fit: FitModel::from(&checkpoint),
            vision: checkpoint.vision == Vision::Supported,
            tiling: checkpoint.tiling,
            max_context_tokens: match checkpoint.max_context_tokens {
                0 => u32::MAX,
                tokens => tokens,
            },
            quants: checkpoint
                .quants
                .iter()
                .map(|quant| quant.as_str())
                .collect(),
            path,
        });
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id.clone(), (stamp, model.clone()));
        Ok(model)
    }
}

pub fn path_of(id: &ModelId, demo_model: &Path) -> Result<PathBuf, ChatError> {
    match id.local_path() {
        Some(path) => Ok(PathBuf::from(path)),
        None if id.is_demo() => Ok(demo_model.to_owned()),
        None => Err(ChatError::NoModel { id: id.to_string() }),
    }
}

fn entry_name(id: &ModelId, checkpoint: &Checkpoint) -> String {
    if id.is_demo() {
        ModelEntry::demo(checkpoint).name
    } else {
        checkpoint.name.clone()
    }
}
