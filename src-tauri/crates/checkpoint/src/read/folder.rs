//! A folder as transformers writes it: `config.json`, tokenizer, processor files and safetensors shards; or UQFF files.
//!
//! Outside: the formats of the single files.

use std::collections::HashSet;

use paddock_conversation::Failure;
use serde_json::Value;

use crate::error::CheckpointError;
use crate::family::Family;
use crate::quant::Quant;
use crate::read::text_files::{self, Depth, ImageFiles, NO_TEMPLATE, find};
use crate::read::weights::{Index, Weights, find_weights};
use crate::shape::Shape;
use crate::source::{FileEntry, ReadRange, SourceError};
use crate::summary::{Checkpoint, Form, Settings, Vision, main_type, parameters};
use crate::tensors::{Tensor, WeightClass, group};
use crate::{config, json, names, safetensors};

pub async fn read(
    source: &impl ReadRange,
    name: &str,
    files: &[FileEntry],
    depth: Depth,
) -> Result<Checkpoint, CheckpointError> {
    let weights_there = files
        .iter()
        .any(|file| names::is_weights(&file.name) && !names::is_gguf(&file.name));
    if let Some(adapter) = json::read(source, "adapter_config.json").await?
        && only_adapter(files)
    {
        return Err(adapter_alone(name, &adapter));
    }
    let Some(config) = json::read(source, "config.json").await? else {
        return Err(if weights_there {
            CheckpointError::FileMissing {
                file: "config.json".to_owned(),
                purpose: "it tells how the model is built",
            }
        } else {
            CheckpointError::NoModel {
                path: source.place(),
                detail: "it has neither config.json nor a GGUF file".to_owned(),
            }
        });
    };
    let architecture = config::architecture(&config)?;
    let shape = config::shape(&config)?;
    let family = Family::of_architecture(&architecture);
    let Weights {
        form,
        files: shards,
        index,
    } = find_weights(source, files).await?;
    if form == Form::Uqff {
        check_uqff(source, &shards).await?;
    }
    let mut used = text_files::check_text_files(source, files, depth).await?;
    let mut tensors = Vec::new();
    for shard in &shards {
        tensors.append(&mut safetensors::read(source, &shard.name, shard.bytes).await?);
    }
    if form == Form::Safetensors {
        check_completeness(index.as_ref(), &shards, &tensors, &shape)?;
    }
    let weights = group(tensors.iter());
    used.extend(shards.iter().cloned());
    for extra in [
        "config.json",
        "preprocessor_config.json",
        "processor_config.json",
    ] {
        used.extend(find(files, extra).cloned());
    }
    used.extend(index.map(|index| index.file));
    let image_files = text_files::read_image_files(source).await?;
    let sees = shape.vision.is_some() || config.get("vision_config").is_some();
    let mut checkpoint = Checkpoint {
        name: name.to_owned(),
        form,
        family,
        vision: Vision::None,
        parameters: parameters(&weights),
        bytes: shards
            .iter()
            .map(|shard| shard.bytes)
            .fold(0, u64::saturating_add),
        stored: main_type(&weights),
        max_context_tokens: shape.max_context_tokens,
        quants: Quant::ALL.to_vec(),
        architecture,
        shape,
        weights,
        blocking: None,
        notes: Vec::new(),
        files: used,
        weight_files: shards,
        settings: Settings::default(),
    };
    checkpoint.judge(sees);
    check_image_files(&mut checkpoint, &image_files);
    check_quantised(&mut checkpoint, &config);
    check_form(&mut checkpoint);
    if depth != Depth::Headers && !text_files::has_template(source, files, &image_files).await? {
        checkpoint.unsupported(NO_TEMPLATE.to_owned());
    }
    checkpoint.settings = Settings {
        config,
        preprocessor: image_files.preprocessor,
        processor: image_files.processor,
    };
    Ok(checkpoint)
}

/// Whether the folder has an adapter's weights (PEFT writes `adapter_model`) and none of a whole model.
fn only_adapter(files: &[FileEntry]) -> bool {
    !files.iter().any(|file| {
        file.name.ends_with(".safetensors") && !names::is_adapter(&file.name)
            || file.name.ends_with(".uqff")
    })
}

fn adapter_alone(name: &str, adapter: &Value) -> CheckpointError {
    let base = adapter
        .get("base_model_name_or_path")
        .and_then(Value::as_str)
        .filter(|base| !base.is_empty() && base.len() <= 200)
        .map_or_else(
            || "another model".to_owned(),
            |base| format!("the model {base}"),
        );
    CheckpointError::Unsupported {
        what: name.to_owned(),
        why: format!(
            "it is only an adapter (LoRA) on top of {base}, and Paddock loads whole models; one with the adapter merged into it works"
        ),
    }
}

/// Every tensor once, all that the index promises, and weights for every layer of the configuration.
fn check_completeness(
    index: Option<&Index>,
    shards: &[FileEntry],
    tensors: &[Tensor],
    shape: &Shape,
) -> Result<(), CheckpointError> {
    let first = shards.first().map_or("", |shard| shard.name.as_str());
    let mut names = HashSet::with_capacity(tensors.len());
    for tensor in tensors {
        if !names.insert(tensor.name.as_str()) {
            return Err(CheckpointError::broken(
                index.map_or(first, |index| index.file.name.as_str()),
                format!("tensor {} is in two shards", tensor.name),
            ));
        }
    }
    if let Some((missing, shard)) =
        index.and_then(|index| index.tensors().find(|(tensor, _)| !names.contains(tensor)))
    {
        return Err(CheckpointError::broken(
            shard,
            format!("tensor {missing} is missing from it"),
        ));
    }
    let mut seen = std::collections::BTreeSet::new();
    for tensor in tensors {
        if WeightClass::of(&tensor.name) != WeightClass::Vision
            && let Some(layer) = text_layer(&tensor.name)
        {
            seen.insert(layer);
        }
    }
    if let Some(missing) = (0..shape.layers).find(|layer| !seen.contains(layer)) {
        return Err(CheckpointError::broken(
            "config.json",
            format!(
                "it tells of {} layers, but layer {missing} has no weights",
                shape.layers
            ),
        ));
    }
    if !tensors
        .iter()
        .any(|tensor| WeightClass::of(&tensor.name) == WeightClass::Embedding)
    {
        return Err(CheckpointError::broken(
            first,
            "its token embeddings are missing",
        ));
    }
    Ok(())
}

/// N of `...layers.N....` (or `.h.N.`), vision towers aside.
fn text_layer(name: &str) -> Option<u32> {
    let rest = name
        .split_once("layers.")
        .or_else(|| name.split_once(".h."))?
        .1;
    rest.split('.').next()?.parse().ok()
}

/// Without a processor_config.json the engine takes the defaults of transformers; without the other there are none.
fn check_image_files(checkpoint: &mut Checkpoint, files: &ImageFiles) {
    if checkpoint.vision != Vision::Supported {
        return;
    }
    let nested = files
        .processor
        .as_ref()
        .is_some_and(|processor| processor.get("image_processor").is_some());
    if files.preprocessor.is_none() && !nested {
        let why = "preprocessor_config.json is missing";
        checkpoint.vision = Vision::Unsupported {
            why: why.to_owned(),
        };
        checkpoint.notes.push(Failure::new(
            "modelCannotSee",
            format!("{} cannot take pictures: {why}.", checkpoint.name),
            "Download preprocessor_config.json from the place the model came from, into the same folder.",
        ));
    }
}

/// Weights that came quantised.
fn check_quantised(checkpoint: &mut Checkpoint, config: &Value) {
    // MLX writes `quantization`, newer versions both; neither names a method.
    let text = config::text(config);
    let quantised = ["quantization_config", "quantization"]
        .iter()
        .find_map(|key| config.get(key).or_else(|| text.get(key)))
        .filter(|value| value.is_object());
    let Some(quantised) = quantised else {
        return;
    };
    checkpoint.quants = vec![Quant::None];
    let method = quantised.get("quant_method").and_then(Value::as_str);
    if let Some(why) = unread(method, quantised, checkpoint.shape.experts) {
        checkpoint.unsupported(format!(
            "its weights are quantised {why}; the bf16 version works"
        ));
    }
}

/// Why mistral.rs 0.8.1 cannot run weights quantised so on a processor; the middle of a sentence.
fn unread(method: Option<&str>, quantised: &Value, experts: u32) -> Option<String> {
    let four_bit = quantised.get("load_in_4bit").and_then(Value::as_bool);
    Some(match method {
        Some("mxfp4") => return None,
        // Kernels for a processor exist for these; the experts of Llama 4 take neither.
        Some("fp8") if experts == 0 => return None,
        Some("bitsandbytes") if experts == 0 && four_bit != Some(false) => return None,
        // `BnbLinear` knows the 4-bit tensors only.
        Some("bitsandbytes") if experts == 0 => {
            "to 8 bits with bitsandbytes, of which the engine knows the 4-bit form only".to_owned()
        }
        Some(method @ ("fp8" | "bitsandbytes")) => {
            format!("with {method}, which the engine cannot run for a mixture of experts")
        }
        Some(method @ ("gptq" | "awq")) => format!(
            "with {}, which the engine runs on NVIDIA GPUs only",
            method.to_ascii_uppercase()
        ),
        // No method at all, and bits with a group size: MLX's affine quantisation, for which kernels exist in Metal.
        None | Some("afq" | "mlx") => {
            "for MLX, which the engine runs on Apple's GPUs only".to_owned()
        }
        Some(other) => format!("with {other}, which the engine does not know"),
    })
}

fn check_form(checkpoint: &mut Checkpoint) {
    if checkpoint.form == Form::Uqff {
        checkpoint.quants = vec![Quant::None];
        checkpoint.unsupported(
            "Paddock's engine does not load UQFF files yet; the safetensors version works and is quantised while it loads".to_owned(),
        );
    }
}

/// Looks at the version that every tensor of a UQFF file begins with (mistralrs-quant `utils/uqff.rs`).
async fn check_uqff(source: &impl ReadRange, files: &[FileEntry]) -> Result<(), CheckpointError> {
    for file in files.iter().filter(|file| file.name.ends_with(".uqff")) {
        let tensors = safetensors::read(source, &file.name, file.bytes).await?;
        let Some(first) = tensors.first() else {
            return Err(CheckpointError::broken(&file.name, "it holds no tensors"));
        };
        let held = tensors
            .iter()
            .map(|tensor| tensor.bytes)
            .fold(0, u64::saturating_add);
        let data = file.bytes.saturating_sub(held);
        let start = source
            .read(&file.name, data, 4.min(first.bytes))
            .await
            .map_err(|error: SourceError| CheckpointError::Unreadable {
                file: file.name.clone(),
                source: error,
            })?;
        let Some(version) = start.first_chunk::<4>().map(|b| u32::from_le_bytes(*b)) else {
            return Err(CheckpointError::broken(
                &file.name,
                "its first tensor is too short",
            ));
        };
        let (major, minor) = (version >> 16, (version >> 8) & 0xff);
        if major != 0 || minor > 2 {
            return Err(CheckpointError::Unsupported {
                what: file.name.clone(),
                why: format!("it is of UQFF version {major}.{minor}, newer than the engine knows"),
            });
        }
    }
    Ok(())
}
