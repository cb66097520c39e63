//! `config.json` in the spellings of older and current transformers, and GGUF metadata, as a [`Shape`].
//!
//! Outside: whether the engine runs the model (`family`).

use std::io::Read as _;

use serde_json::Value;

use crate::gguf;
use crate::{CheckpointError, Shape, VisionShape};

const FILE: &str = "config.json";
/// No number of an architecture is larger; keeps every product of two of them within 64 bits.
const LARGEST: u64 = 1 << 31;

/// The first of these keys whose value is a sensible whole number.
fn number(object: &Value, keys: &[&str]) -> Option<u32> {
    keys.iter()
        .find_map(|key| object.get(key)?.as_u64())
        .filter(|number| *number <= LARGEST)
        .map(|number| number as u32)
}

/// The part of the configuration about text: nested in current files, the whole file in older ones.
pub(crate) fn text(config: &Value) -> &Value {
    ["text_config", "llm_config", "language_config"]
        .iter()
        .find_map(|key| config.get(key).filter(|value| value.is_object()))
        .unwrap_or(config)
}

/// The class name in a local folder's `config.json`, if it can be read.
pub(crate) fn architecture_of_folder(folder: &std::path::Path) -> Option<String> {
    let mut text = String::new();
    std::fs::File::open(folder.join(FILE))
        .and_then(|file| {
            file.take(crate::json::CONFIG_LIMIT_BYTES)
                .read_to_string(&mut text)
        })
        .ok()?;
    architecture(&serde_json::from_str(&text).ok()?).ok()
}

/// The single class name of `architectures`.
pub(crate) fn architecture(config: &Value) -> Result<String, CheckpointError> {
    let names = config.get("architectures").and_then(Value::as_array);
    match names.map(Vec::as_slice) {
        Some([Value::String(name)]) if !name.is_empty() => Ok(name.clone()),
        Some([_, _, ..]) => Err(CheckpointError::broken(
            FILE,
            "it names more than one architecture",
        )),
        _ => Err(CheckpointError::broken(FILE, "it names no architecture")),
    }
}

/// Sizes that transformers' configuration classes assume where a file leaves them out (`configuration_gemma3.py`,
/// `configuration_idefics3.py`); only families whose published files do leave them out.
struct Defaults {
    heads: Option<u32>,
    kv_heads: Option<u32>,
    head_dim: Option<u32>,
    vocab: Option<u32>,
    context: Option<u32>,
}

fn defaults(model_type: &str) -> Defaults {
    match model_type {
        "gemma3" | "gemma3_text" => Defaults {
            heads: Some(8),
            kv_heads: Some(4),
            head_dim: Some(256),
            vocab: Some(262_208),
            context: Some(131_072),
        },
        "idefics3" => Defaults {
            heads: Some(32),
            kv_heads: None,
            head_dim: None,
            vocab: None,
            context: Some(2048),
        },
        _ => Defaults {
            heads: None,
            kv_heads: None,
            head_dim: None,
            vocab: None,
            context: None,
        },
    }
}

/// Reads the sizes of a `config.json`.
///
/// # Errors
/// If a number that memory depends on is missing, or they contradict each other.
pub(crate) fn shape(config: &Value) -> Result<Shape, CheckpointError> {
    let text = text(config);
    let model_type = config
        .get("model_type")
        .and_then(Value::as_str)
        .unwrap_or("");
    let assumed = defaults(model_type);
    let need = |keys: &[&str], default: Option<u32>| {
        number(text, keys)
            .or(default)
            .filter(|number| *number > 0)
            .ok_or_else(|| CheckpointError::broken(FILE, format!("it does not tell {}", keys[0])))
    };
    let layers = need(&["num_hidden_layers", "n_layer", "num_layers"], None)?;
    let hidden = need(&["hidden_size", "n_embd", "d_model"], None)?;
    let heads = need(&["num_attention_heads", "n_head"], assumed.heads)?;
    let kv_heads = number(text, &["num_key_value_heads"])
        .or(assumed.kv_heads)
        .filter(|number| *number > 0)
        .unwrap_or(heads);
    let head_dim = number(text, &["head_dim"])
        .or(assumed.head_dim)
        .filter(|number| *number > 0)
        .unwrap_or(hidden / heads);
    let dense = number(text, &["intermediate_size", "n_inner"]).unwrap_or(4 * hidden);
    let feed_forward = dense.max(number(text, &["intermediate_size_mlp"]).unwrap_or(0));
    let vocab = need(
        &["vocab_size"],
        assumed.vocab.or(number(config, &["vocab_size"])),
    )?;
    let max_context_tokens = need(
        &[
            "max_position_embeddings",
            "n_positions",
            "max_seq_len",
            "model_max_length",
        ],
        assumed.context,
    )?;
    if head_dim == 0 || heads % kv_heads != 0 {
        return Err(CheckpointError::broken(
            FILE,
            "its numbers of attention heads contradict each other",
        ));
    }
    let window = window(text, model_type, layers);
    Ok(Shape {
        layers,
        hidden,
        heads,
        kv_heads,
        head_dim,
        feed_forward,
        vocab,
        max_context_tokens,
        window_tokens: window.map(|(tokens, _, _)| tokens),
        windowed_layers: window.map_or(0, |(_, count, _)| count),
        engine_uses_window: window.is_some_and(|(_, _, used)| used),
        experts: number(
            text,
            &["num_local_experts", "num_experts", "n_routed_experts"],
        )
        .unwrap_or(0),
        experts_per_token: number(text, &["num_experts_per_tok"]).unwrap_or(0),
        vision: vision(config),
    })
}

/// (tokens, layers with it, whether the engine's cache for them is only as long).
fn window(text: &Value, model_type: &str, layers: u32) -> Option<(u32, u32, bool)> {
    let named = |kind: &str| {
        text.get("layer_types")?.as_array().map(|types| {
            types
                .iter()
                .filter(|entry| entry.as_str() == Some(kind))
                .count() as u32
        })
    };
    match model_type {
        "llama4" => {
            let chunk = number(text, &["attention_chunk_size"])?;
            // Every fourth layer looks at everything (modeling_llama4.py, `no_rope_layer_interval`).
            let count = named("chunked_attention").unwrap_or(layers - layers / 4);
            Some((chunk, count, false))
        }
        "gemma3" | "gemma3_text" => {
            let tokens = number(text, &["sliding_window"]).unwrap_or(4096);
            // configuration_gemma3.py: every sixth layer looks at everything.
            let pattern = number(text, &["sliding_window_pattern"])
                .unwrap_or(6)
                .max(1);
            let count = named("sliding_attention").unwrap_or(layers - layers / pattern);
            Some((tokens, count, true))
        }
        "gemma3n" | "gemma4" | "gpt_oss" => {
            let tokens = number(text, &["sliding_window"])?;
            Some((tokens, named("sliding_attention")?, true))
        }
        _ => None,
    }
}

fn vision(config: &Value) -> Option<VisionShape> {
    let vision = config
        .get("vision_config")
        .filter(|value| value.is_object())?;
    let model_type = config
        .get("model_type")
        .and_then(Value::as_str)
        .unwrap_or("");
    // configuration_idefics3.py's defaults, which the published files rely on.
    let idefics = model_type == "idefics3";
    let or = |keys: &[&str], default: u32| {
        number(vision, keys)
            .or(idefics.then_some(default))
            .filter(|n| *n > 0)
    };
    let hidden = or(&["hidden_size", "embed_dim"], 1152)?;
    Some(VisionShape {
        layers: or(&["num_hidden_layers", "depth"], 12)?,
        hidden,
        heads: or(&["num_attention_heads", "num_heads"], 16)?,
        feed_forward: or(&["intermediate_size"], 3072).unwrap_or(4 * hidden),
        patch_px: or(&["patch_size"], 32)?,
        tile_px: or(&["image_size"], 224),
    })
}

/// Reads the sizes of a GGUF header.
///
/// # Errors
/// If a number that memory depends on is missing.
pub(crate) fn gguf_shape(
    file: &str,
    architecture: &str,
    header: &gguf::Header,
) -> Result<Shape, CheckpointError> {
    let get = |key: &str| {
        header
            .number(&format!("{architecture}.{key}"))
            .filter(|number| *number > 0 && *number <= LARGEST)
            .map(|number| number as u32)
    };
    let need = |key: &str| {
        get(key).ok_or_else(|| CheckpointError::broken(file, format!("it does not tell {key}")))
    };
    let layers = need("block_count")?;
    let hidden = need("embedding_length")?;
    let heads = need("attention.head_count")?;
    let kv_heads = get("attention.head_count_kv").unwrap_or(heads);
    let head_dim = get("attention.key_length").unwrap_or(hidden / heads);
    if head_dim == 0 {
        return Err(CheckpointError::broken(
            file,
            "its numbers of attention heads contradict each other",
        ));
    }
    let vocab = get("vocab_size")
        .or_else(|| u32::try_from(header.count("tokenizer.ggml.tokens")?).ok())
        .unwrap_or(0);
    Ok(Shape {
        layers,
        hidden,
        heads,
        kv_heads,
        head_dim,
        feed_forward: get("feed_forward_length").unwrap_or(4 * hidden),
        vocab,
        max_context_tokens: need("context_length")?,
        window_tokens: None,
        windowed_layers: 0,
        engine_uses_window: false,
        experts: get("expert_count").unwrap_or(0),
        experts_per_token: get("expert_used_count").unwrap_or(0),
        vision: None,
    })
}
