//! A folder as transformers writes it: `config.json`, tokenizer, processor files and safetensors shards; or UQFF files.
//!
//! Outside: the formats of the single files.

use std::collections::HashMap;

use serde_json::Value;

use super::{Checkpoint, Depth, Form, Vision, files, main_type, parameters};
use crate::tensors::{Tensor, group};
use crate::{
    CheckpointError, Family, FileEntry, Quant, ReadRange, Shape, SourceError, WeightClass, config,
    json, safetensors,
};
use paddock_conversation::Failure;
use paddock_decode::Tiling;

const INDEX: &str = "model.safetensors.index.json";

pub async fn read(
    source: &impl ReadRange,
    name: &str,
    files: &[FileEntry],
    depth: Depth,
) -> Result<Checkpoint, CheckpointError> {
    let weights_there = files
        .iter()
        .any(|file| file.name.ends_with(".safetensors") || file.name.ends_with(".uqff"));
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
    let (form, shards) = shards(source, files).await?;
    let mut used = files::check_text_files(source, files, depth).await?;
    let mut tensors = Vec::new();
    for shard in &shards {
        tensors.append(&mut safetensors::read(source, &shard.name, shard.bytes).await?);
    }
    if form == Form::Safetensors {
        check_completeness(source, &tensors, &shape).await?;
    }
    let weights = group(tensors.iter());
    used.extend(shards.iter().cloned());
    for extra in [
        "config.json",
        "preprocessor_config.json",
        "processor_config.json",
        INDEX,
    ] {
        used.extend(files::find(files, extra).cloned());
    }
    let image_files = files::read_image_files(source).await?;
    let sees = shape.vision.is_some() || config.get("vision_config").is_some();
    let mut checkpoint = Checkpoint {
        name: name.to_owned(),
        form,
        family,
        vision: Vision::None,
        parameters: parameters(&weights),
        bytes: shards.iter().map(|shard| shard.bytes).sum(),
        stored: main_type(&weights),
        max_context_tokens: shape.max_context_tokens,
        quants: Quant::ALL.to_vec(),
        tiling: Tiling::from_files(
            &config,
            image_files.preprocessor.as_ref(),
            image_files.processor.as_ref(),
        ),
        architecture,
        shape,
        weights,
        blocking: None,
        notes: Vec::new(),
        files: used,
    };
    checkpoint.judge(sees);
    check_image_files(&mut checkpoint, &image_files)?;
    check_quantised(&mut checkpoint, &config);
    check_form(&mut checkpoint);
    if depth != Depth::Headers && !files::has_template(source, files, &image_files).await? {
        let error = CheckpointError::Unsupported {
            what: checkpoint.name.clone(),
            why: files::NO_TEMPLATE.to_owned(),
        };
        checkpoint.block(&error);
    }
    Ok(checkpoint)
}

/// Whether the folder has an adapter's weights (PEFT writes `adapter_model`) and none of a whole model.
fn only_adapter(files: &[FileEntry]) -> bool {
    !files.iter().any(|file| {
        file.name.ends_with(".safetensors") && !file.name.starts_with("adapter_model")
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

/// The files with weights, as mistral.rs picks them: numbered shards, or the single file.
async fn shards(
    source: &impl ReadRange,
    files: &[FileEntry],
) -> Result<(Form, Vec<FileEntry>), CheckpointError> {
    let uqff: Vec<FileEntry> = files
        .iter()
        .filter(|file| file.name.ends_with(".uqff") || file.name == "residual.safetensors")
        .cloned()
        .collect();
    if uqff.iter().any(|file| file.name.ends_with(".uqff")) {
        if files::find(&uqff, "residual.safetensors").is_none() {
            return Err(CheckpointError::FileMissing {
                file: "residual.safetensors".to_owned(),
                purpose: "UQFF files leave the unquantised weights to it",
            });
        }
        check_uqff(source, &uqff).await?;
        return Ok((Form::Uqff, uqff));
    }
    let mut shards: Vec<FileEntry> = files
        .iter()
        .filter(|file| numbered(&file.name).is_some())
        .cloned()
        .collect();
    shards.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some((_, count)) = shards.first().and_then(|shard| numbered(&shard.name)) {
        if let Some(missing) = (1..=count)
            .map(|number| format!("model-{number:05}-of-{count:05}.safetensors"))
            .find(|name| files::find(&shards, name).is_none())
        {
            return Err(CheckpointError::FileMissing {
                file: missing,
                purpose: "it holds a part of the weights",
            });
        }
        return Ok((Form::Safetensors, shards));
    }
    if let Some(single) = files::find(files, "model.safetensors")
        .or_else(|| files::find(files, "consolidated.safetensors"))
    {
        return Ok((Form::Safetensors, vec![single.clone()]));
    }
    if files.iter().any(|file| is_pickle(&file.name)) {
        return Err(CheckpointError::Unsupported {
            what: source.place(),
            why: "its weights are pickled Python files, which can run code; the safetensors version works".to_owned(),
        });
    }
    // An index alone means that the download stopped early.
    let purpose = "it holds the weights";
    let first = json::read(source, INDEX).await?.and_then(|index| {
        Some(
            index
                .get("weight_map")?
                .as_object()?
                .values()
                .next()?
                .as_str()?
                .to_owned(),
        )
    });
    Err(CheckpointError::FileMissing {
        file: first.unwrap_or_else(|| "model.safetensors".to_owned()),
        purpose,
    })
}

/// By PyTorch's usual endings; `tokenizer.bin` and the like are too rare to tell apart.
fn is_pickle(name: &str) -> bool {
    [".bin", ".pth", ".pt", ".ckpt"]
        .iter()
        .any(|ending| name.ends_with(ending))
}

/// (number, count) of `model-00001-of-00003.safetensors`.
fn numbered(name: &str) -> Option<(u32, u32)> {
    let rest = name.strip_prefix("model-")?.strip_suffix(".safetensors")?;
    let (number, count) = rest.split_once("-of-")?;
    if number.len() != 5 || count.len() != 5 {
        return None;
    }
    Some((number.parse().ok()?, count.parse().ok()?))
}

/// Every tensor once, all that the index promises, and weights for every layer of the configuration.
async fn check_completeness(
    source: &impl ReadRange,
    tensors: &[Tensor],
    shape: &Shape,
) -> Result<(), CheckpointError> {
    let mut names = HashMap::with_capacity(tensors.len());
    for tensor in tensors {
        if names.insert(tensor.name.as_str(), ()).is_some() {
            return Err(CheckpointError::broken(
                INDEX,
                format!("tensor {} is in two shards", tensor.name),
            ));
        }
    }
    if let Some(index) = json::read(source, INDEX).await?
        && let Some(map) = index.get("weight_map").and_then(Value::as_object)
        && let Some((missing, shard)) = map
            .iter()
            .find(|(name, _)| !names.contains_key(name.as_str()))
    {
        return Err(CheckpointError::FileBroken {
            file: shard.as_str().unwrap_or(INDEX).to_owned(),
            detail: format!("tensor {missing} is missing from it"),
        });
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
            "model.safetensors",
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

fn check_image_files(
    checkpoint: &mut Checkpoint,
    files: &files::ImageFiles,
) -> Result<(), CheckpointError> {
    if checkpoint.vision != Vision::Supported {
        return Ok(());
    }
    // mistral.rs 0.8.1 unwraps Llama 4's processor configuration.
    if checkpoint.architecture == "Llama4ForConditionalGeneration" && files.processor.is_none() {
        return Err(CheckpointError::FileMissing {
            file: "processor_config.json".to_owned(),
            purpose: "it tells how pictures are cut into tiles",
        });
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
    Ok(())
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
        let error = CheckpointError::Unsupported {
            what: checkpoint.name.clone(),
            why: format!("its weights are quantised {why}; the bf16 version works"),
        };
        checkpoint.block(&error);
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
        let error = CheckpointError::Unsupported {
            what: checkpoint.name.clone(),
            why: "Paddock's engine does not load UQFF files yet; the safetensors version works and is quantised while it loads".to_owned(),
        };
        checkpoint.block(&error);
    }
}

/// Looks at the version that every tensor of a UQFF file begins with (mistralrs-quant `utils/uqff.rs`).
async fn check_uqff(source: &impl ReadRange, files: &[FileEntry]) -> Result<(), CheckpointError> {
    for file in files.iter().filter(|file| file.name.ends_with(".uqff")) {
        let tensors = safetensors::read(source, &file.name, file.bytes).await?;
        let Some(first) = tensors.first() else {
            return Err(CheckpointError::broken(&file.name, "it holds no tensors"));
        };
        let data = file.bytes - tensors.iter().map(|tensor| tensor.bytes).sum::<u64>();
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
